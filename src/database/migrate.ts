import { setTimeout as pause } from 'node:timers/promises';
import { type Logger } from 'pino';
import { type DataSource, MigrationExecutor } from 'typeorm';
import { type Settings } from '../config/settings.js';
import { SettingsError } from '../config/settings-error.js';
import { type DatabaseAddress, dataSourceOptions } from './connection.js';
import { sqlState } from './database-errors.js';
import { ServiceDataSource } from './service-data-source.js';

/** Key of the advisory lock that lets one process at a time migrate, also by hand; any fixed number that no other program uses. */
export const MIGRATION_LOCK = '4841230198563201';
/** Milliseconds between two attempts to reach a database that is not there yet. */
const RETRY_MS = 500;
/** Wrong password, unknown role, unknown database: waiting does not mend these. */
const HOPELESS = new Set(['28000', '28P01', '3D000', '42501']);

/**
 * Waits for the database, checks that it keeps what it acknowledges, and brings its schema to head: what a start does before anything
 * is served.
 *
 * With `migrateOnStart` false it only checks, and refuses a schema that is behind.
 */
export async function prepareDatabase(
  address: DatabaseAddress | string,
  { migrateOnStart, dbPooler }: Pick<Settings, 'migrateOnStart' | 'dbPooler'>,
  logger: Logger,
): Promise<void> {
  await withConnection(address, dbPooler, logger, async (source) => {
    await assertDurable(source, logger);
    await migrateSchema(source, migrateOnStart, logger);
  });
}

/** Waits for the database and brings its schema to head. */
export async function migrate(
  address: DatabaseAddress | string,
  { migrateOnStart, dbPooler }: Pick<Settings, 'migrateOnStart' | 'dbPooler'>,
  logger: Logger,
): Promise<void> {
  await withConnection(address, dbPooler, logger, (source) => migrateSchema(source, migrateOnStart, logger));
}

/**
 * Processes that start together take turns on a lock: four at once without it and three of them fail. Lock, settings and migrations
 * share one transaction, because a transaction pooler may run the next one on another connection, and keeps a lock that was left there.
 */
async function migrateSchema(source: DataSource, mayMigrate: boolean, logger: Logger): Promise<void> {
  if (!mayMigrate) {
    if (await source.showMigrations()) {
      throw new SettingsError(['MIGRATE_ON_START is false and the schema is behind: run npm run migration:run first']);
    }
    return;
  }
  const runner = source.createQueryRunner();
  try {
    await runner.startTransaction();
    // A migration may take longer than a request may, and the others wait for it.
    await runner.query(`SET LOCAL statement_timeout = 0`);
    await runner.query(`SET LOCAL lock_timeout = 0`);
    await runner.query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    const executor = new MigrationExecutor(source, runner);
    executor.transaction = 'none';
    const done = await executor.executePendingMigrations();
    await runner.commitTransaction();
    if (done.length > 0) logger.info({ migrations: done.map(({ name }) => name) }, 'schema brought up to date');
  } catch (error) {
    // The error that counts is the first; a connection that is gone took the transaction with it.
    if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
    throw error;
  } finally {
    await runner.release();
  }
}

async function withConnection(
  address: DatabaseAddress | string,
  pooler: boolean,
  logger: Logger,
  work: (source: DataSource) => Promise<void>,
): Promise<void> {
  const source = await connect(dataSourceOptions(address, { poolMax: 2, pooler }), logger);
  try {
    await work(source);
  } finally {
    await source.destroy();
  }
}

async function connect(options: ReturnType<typeof dataSourceOptions>, logger: Logger): Promise<DataSource> {
  for (let attempt = 1; ; attempt++) {
    const source = new ServiceDataSource(options);
    try {
      return await source.initialize();
    } catch (error) {
      const { message } = error as Error;
      if (HOPELESS.has(sqlState(error) ?? ''))
        throw new SettingsError([`DATABASE_URL: the database refuses us: ${message}`]);
      if (attempt % 10 === 1) logger.warn({ reason: message }, 'the database cannot be reached yet; trying again');
      await pause(RETRY_MS);
    }
  }
}

/** Promise P1 holds only on a server that flushes: refuse one that does not, and say so when commits are asynchronous. */
async function assertDurable(source: DataSource, logger: Logger): Promise<void> {
  const [{ fsync, full_page_writes: fullPageWrites, synchronous_commit: synchronousCommit }] = await source.query<
    [Record<string, string>]
  >(`SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
            current_setting('synchronous_commit') AS synchronous_commit`);
  if (fsync === 'off' || fullPageWrites === 'off') {
    throw new SettingsError([
      'DATABASE_URL: this server runs with fsync or full_page_writes off and may lose acknowledged writes: turn them on',
    ]);
  }
  if (synchronousCommit === 'off') {
    logger.warn('synchronous_commit is off: acknowledged writes may be lost when the database crashes');
  }
}
