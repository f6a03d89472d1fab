import { type Client } from 'pg';
import { atTheEnd } from './clean-up';
import { type Cluster } from './cluster';
import { INSTALL_JOURNAL, type JournalRow, READ_JOURNAL } from './journal';
import { Replica } from './replica';

const TEMPLATE = 'faults_template';

/** Databases that are copied instead of migrated, by the server that has them. */
const templates = new WeakMap<Cluster, Promise<void>>();

async function makeTemplate(cluster: Cluster, build: string): Promise<void> {
  await cluster.sql(`CREATE DATABASE ${TEMPLATE}`);
  const replica = await Replica.start('migrating', build, cluster.url(TEMPLATE));
  await replica.kill();
  const client = await cluster.connect(TEMPLATE);
  await client.query(INSTALL_JOURNAL);
  // A database is copied only while nobody is in it.
  await client.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()',
    [TEMPLATE],
  );
  await client.end();
}

/** Replicas on a migrated database of their own, whose lock tables keep a journal. */
export class Deployment {
  private readonly ended: () => Promise<void>;

  private constructor(
    readonly cluster: Cluster,
    readonly database: string,
    readonly replicas: readonly Replica[],
  ) {
    this.ended = atTheEnd(() => this.killAll());
  }

  /**
   * @param build see `copyOfTheBuild`; the schema is that of the first build that was deployed on the cluster
   * @param urls where each replica finds the database, for those that reach it through a proxy
   */
  static async start(
    cluster: Cluster,
    build: string,
    options: {
      replicas?: number;
      env?: Record<string, string>;
      url?: (database: string, index: number) => string;
    } = {},
  ): Promise<Deployment> {
    const { replicas: count = 3, env = {}, url = (database) => cluster.url(database) } = options;
    let template = templates.get(cluster);
    if (!template) {
      template = makeTemplate(cluster, build);
      templates.set(cluster, template);
    }
    await template;
    const database = await cluster.newDatabase(TEMPLATE);
    const replicas = await Promise.all(
      Array.from({ length: count }, (_, index) =>
        Replica.start(`replica-${index + 1}`, build, url(database, index), env),
      ),
    );
    return new Deployment(cluster, database, replicas);
  }

  /** The replica for a turn: clients move on with each. */
  replica(turn: number): Replica {
    return this.replicas[turn % this.replicas.length]!;
  }

  sql<T extends object = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<T[]> {
    return this.cluster.sql<T>(text, values, this.database);
  }

  connect(): Promise<Client> {
    return this.cluster.connect(this.database);
  }

  journal(): Promise<JournalRow[]> {
    return this.sql<JournalRow>(READ_JOURNAL);
  }

  /** The database's clock, in milliseconds since 1970. */
  async databaseNow(): Promise<number> {
    const [row] = await this.sql<{ ms: number }>(`SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms`);
    return row!.ms;
  }

  /** Ends of replicas that no test caused. */
  get unexpectedEnds(): number {
    return this.replicas.reduce((sum, replica) => sum + replica.unexpectedEnds, 0);
  }

  async stop(): Promise<void> {
    await this.ended();
    await this.cluster.sql(`DROP DATABASE IF EXISTS ${this.database} WITH (FORCE)`).catch(() => undefined);
  }

  private async killAll(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.kill()));
  }
}
