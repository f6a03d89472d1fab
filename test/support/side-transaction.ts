import { type Client, type QueryResult } from 'pg';
import { Database } from '../../src/database/database';
import { type TestApp } from './start-app';

/** The backends that wait for a lock of the given one. */
export async function blockedBy(app: TestApp, pid: number): Promise<number[]> {
  const rows = await app.sql<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE $1::integer = ANY(pg_blocking_pids(pid))`,
    [pid],
  );
  return rows.map((row) => row.pid);
}

/** A transaction of somebody else's, which holds what its statements locked until it ends. */
export class SideTransaction {
  private constructor(
    private readonly app: TestApp,
    private readonly client: Client,
    private readonly pid: number,
  ) {}

  static async begin(app: TestApp, statement: string, values: readonly unknown[] = []): Promise<SideTransaction> {
    const client = await app.app.get(Database).connectAside();
    await client.query('BEGIN');
    await client.query(statement, [...values]);
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return new SideTransaction(app, client, rows[0]!.pid);
  }

  query(statement: string, values: readonly unknown[] = []): Promise<QueryResult> {
    return this.client.query(statement, [...values]);
  }

  /** The backends that wait for what it holds. */
  waiters(): Promise<number[]> {
    return blockedBy(this.app, this.pid);
  }

  async isWaitedFor(): Promise<boolean> {
    return (await this.waiters()).length > 0;
  }

  async end(how: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    await this.client.query(how);
    await this.client.end();
  }
}
