import { Client } from 'pg';
import { type DatabaseAddress, dataSourceOptions } from '../../src/database/connection';
import { type Statement } from '../../src/database/database';
import { type TestApp } from './start-app';

interface Plan {
  'Node Type': string;
  'Actual Rows': number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: Plan[];
}

interface Call {
  readonly statement: Statement;
  readonly values: readonly unknown[];
}

/** What a statement did. */
export interface Look {
  /** That it touched. */
  readonly blocks: number;
  /** That its plan has. */
  readonly nodes: readonly string[];
  /** The most that any of the nodes handed on. */
  readonly rows: number;
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

/** Runs statements as the service does, prepared and under its settings of a session: a kept plan knows no values. */
export class KeptPlans {
  private constructor(private readonly client: Client) {}

  static async of(app: TestApp): Promise<KeptPlans> {
    const [row] = await app.sql<{ database: string }>('SELECT current_database() AS database');
    const address = {
      ...(JSON.parse(process.env['LATCHKEY_TEST_DATABASE']!) as DatabaseAddress),
      database: row!.database,
    };
    const { options } = dataSourceOptions(address, { poolMax: 1 }).extra as { options: string };
    const client = new Client({ ...address, options });
    await client.connect();
    return new KeptPlans(client);
  }

  /**
   * Looks at the plan that the service gets. With plan_cache_mode that is the one of a prepared statement, whether it has a name or not,
   * while EXPLAIN of a statement with values plans for these values. What it changes is undone.
   */
  async look({ statement, values }: Call): Promise<Look> {
    const given = values.length === 0 ? '' : `(${values.map((value) => this.literal(value)).join()})`;
    await this.client.query(`PREPARE looked_at AS ${statement.text}`);
    await this.client.query('BEGIN');
    const { rows } = await this.client.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE looked_at ${given}`,
    );
    await this.client.query('ROLLBACK');
    await this.client.query('DEALLOCATE looked_at');
    const [{ Plan: plan }] = rows[0]!['QUERY PLAN'];
    const nodes = nodesOf(plan);
    return {
      blocks: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'],
      nodes: nodes.map((node) => node['Node Type']),
      rows: Math.max(...nodes.map((node) => node['Actual Rows'])),
    };
  }

  close(): Promise<void> {
    return this.client.end();
  }

  private literal(value: unknown): string {
    if (value === null) return 'NULL';
    if (Array.isArray(value)) return `ARRAY[${value.map((item) => this.literal(item)).join()}]::text[]`;
    const text: unknown = Buffer.isBuffer(value) ? `\\x${value.toString('hex')}` : value;
    return this.client.escapeLiteral(String(text));
  }
}
