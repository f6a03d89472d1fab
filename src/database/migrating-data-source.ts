import { type Migration, type QueryRunner } from 'typeorm';
import { MIGRATION_LOCK } from './migrate.js';
import { ServiceDataSource } from './service-data-source.js';

/**
 * The data source of TypeORM's command line. Its changes of the schema take turns with one another and with services that start, which
 * TypeORM leaves to its caller. The lock is that of a session, because a migration here has a transaction of its own.
 */
export class MigratingDataSource extends ServiceDataSource {
  override runMigrations(...args: Parameters<ServiceDataSource['runMigrations']>): Promise<Migration[]> {
    return this.inTurn(() => super.runMigrations(...args));
  }

  override undoLastMigration(...args: Parameters<ServiceDataSource['undoLastMigration']>): Promise<void> {
    return this.inTurn(() => super.undoLastMigration(...args));
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const runner = this.createQueryRunner();
    try {
      await takeTurn(runner);
      return await work();
    } finally {
      // What was done is done; a connection that is gone took the lock with it.
      await runner.query(`SELECT pg_advisory_unlock(${MIGRATION_LOCK})`).catch(() => undefined);
      await runner.release();
    }
  }
}

async function takeTurn(runner: QueryRunner): Promise<void> {
  const [{ taken }] = (await runner.query(`SELECT pg_try_advisory_lock(${MIGRATION_LOCK}) AS taken`)) as [
    { taken: boolean },
  ];
  if (taken) return;
  process.stderr.write('waiting for another process that migrates\n');
  await runner.query(`SELECT pg_advisory_lock(${MIGRATION_LOCK})`);
}
