import { type DataSourceOptions } from 'typeorm';
import { type DatabaseServer, serversOf } from '../config/database-url.js';
import { type DatabaseAddress } from './embedded/embedded-postgres.options.js';
import { migrations } from './migrations/index.js';
import { type Host, serviceClientClass } from './service-client.js';

export type { DatabaseAddress };

/**
 * Session settings of every connection (reliability §4.6), in milliseconds. `statement_timeout` bounds one statement,
 * `lock_timeout` a wait for a row, and the check interval ends statements whose client is gone.
 */
const SESSION = {
  statement_timeout: 5000,
  lock_timeout: 2000,
  idle_in_transaction_session_timeout: 10_000,
  client_connection_check_interval: 2000,
};

/**
 * Every statement of ours is meant to walk an index. Left to choose, the planner takes a table that was small when it looked for small,
 * and a cached plan that reads all of it would stay until the next ANALYZE, however fast the table grows meanwhile.
 */
const PLANS = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  // One plan for each prepared statement. The planner would look into every array that it is given and, for the number of its elements,
  // plan a statement over arrays anew each time, which costs more than running it.
  plan_cache_mode: 'force_generic_plan',
};

/** For how long a connection may be opening: past it the server counts as gone, and another one is tried if there are several. */
const OPENING_MS = 5000;

export interface ConnectionOptions {
  /** Connections per process. */
  poolMax: number;
  /** True behind a transaction pooler, which forwards no start-up options. */
  pooler?: boolean;
}

/**
 * The one description of how we connect: the service, the migrations and TypeORM's command line all use it.
 *
 * @param address of the embedded database, or the text of `DATABASE_URL`
 */
export function dataSourceOptions(address: DatabaseAddress | string, options: ConnectionOptions): DataSourceOptions {
  const isOwn = typeof address !== 'string';
  const servers: DatabaseServer[] = isOwn ? [{ ...address, ssl: false }] : serversOf(address);
  const { user, password, database, ssl } = servers[0]!;
  const hosts: Host[] = servers.map(({ host, port }) => ({ host, port }));
  const session = Object.entries({ ...SESSION, ...PLANS }).map(([name, value]) => `-c ${name}=${value}`);
  return {
    type: 'postgres',
    host: hosts[0]!.host,
    port: hosts[0]!.port,
    username: user,
    password,
    database,
    ...(ssl === undefined ? {} : { ssl }),
    migrations,
    migrationsTableName: 'migration',
    migrationsTransactionMode: 'each',
    synchronize: false,
    installExtensions: false,
    logging: false,
    applicationName: 'latchkey',
    poolSize: options.poolMax,
    extra: {
      Client: serviceClientClass(hosts),
      // Not the driver's: what `ServiceDataSource` has to try.
      servers: hosts.length,
      // Opening takes several round trips, and on a busy machine the server's time; how long a request waits is the pool's user's matter.
      connectionTimeoutMillis: OPENING_MS,
      idleTimeoutMillis: 0,
      keepAlive: true,
      // What `DATABASE_URL` leaves open the driver takes from the PG… variables, as psql does. Those for TLS are meant for that server.
      ...(isOwn ? { sslnegotiation: 'postgres' } : {}),
      ...(options.pooler ? {} : { options: session.join(' ') }),
    },
    // The pool has already dropped the connection; the next request opens another.
    poolErrorHandler: () => undefined,
  };
}
