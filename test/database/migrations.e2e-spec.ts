import { once } from 'node:events';
import { type AddressInfo, connect as connectTo, createServer } from 'node:net';
import { pino } from 'pino';
import { DataSource } from 'typeorm';
import { AccessKeyEntity } from '../../src/auth/access-key.entity';
import { SeenSignatureEntity } from '../../src/auth/seen-signature.entity';
import { SettingsError } from '../../src/config/settings-error';
import { type DatabaseAddress, dataSourceOptions } from '../../src/database/connection';
import { migrate } from '../../src/database/migrate';
import { migrations } from '../../src/database/migrations/index';
import { ContentLockEntity, ContentLockTokenEntity } from '../../src/content-lock/content-lock.entity';
import { ContentObjectEntity } from '../../src/content/content-object.entity';
import { DaprMetadataEntity } from '../../src/distributed-lock/dapr/dapr-metadata.entity';
import { AuditEventEntity } from '../../src/events/audit-event.entity';
import { KeyValueEntity } from '../../src/key-value/key-value.entity';
import { KeyValueRevisionEntity } from '../../src/key-value/key-value-revision.entity';
import { LeaseEntity, LeaseFloorEntity, LeaseReplicaEntity, LeaseTicketEntity } from '../../src/lease/lease.entity';
import { SnapshotEntity } from '../../src/snapshot/snapshot.entity';
import { SnapshotItemEntity } from '../../src/snapshot/snapshot-item.entity';
import { createEmptyDatabase } from '../support/scratch-database';
import { ServiceProcess } from '../support/service-process';
import { waitFor } from '../support/wait-for';

const logger = pino({ level: 'silent' });
const entities = [
  KeyValueEntity,
  KeyValueRevisionEntity,
  AccessKeyEntity,
  SeenSignatureEntity,
  SnapshotEntity,
  SnapshotItemEntity,
  AuditEventEntity,
  LeaseEntity,
  LeaseTicketEntity,
  LeaseReplicaEntity,
  LeaseFloorEntity,
  DaprMetadataEntity,
  ContentObjectEntity,
  ContentLockEntity,
  ContentLockTokenEntity,
];
const MIGRATING = { migrateOnStart: true, dbPooler: false };
const CHECKING = { migrateOnStart: false, dbPooler: false };
const opened: DataSource[] = [];

const ADVISORY_LOCKS = `
  SELECT 1 FROM pg_locks
   WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

async function connect(address: DatabaseAddress): Promise<DataSource> {
  const source = new DataSource({ ...dataSourceOptions(address, { poolMax: 2 }), entities });
  opened.push(source);
  return source.initialize();
}

afterEach(async () => {
  for (const source of opened.splice(0)) await source.destroy();
});

/** Everything that the schema consists of, as PostgreSQL itself words it. */
async function schemaOf(source: DataSource): Promise<string[]> {
  const rows = await source.query<{ line: string }[]>(`
    SELECT format('column %s.%s %s %s %s %s', table_name, column_name, data_type, collation_name, is_nullable, column_default) AS line
      FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'migration'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'migration'
    UNION ALL SELECT format('constraint %s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
               WHERE connamespace = 'public'::regnamespace AND conrelid <> coalesce(to_regclass('migration'), 0)
    UNION ALL SELECT format('sequence %s %s %s', sequencename, data_type, cache_size) FROM pg_sequences
               WHERE schemaname = 'public' AND sequencename NOT LIKE 'migration%'
     ORDER BY 1`);
  return rows.map(({ line }) => line);
}

const namesDone = async (source: DataSource): Promise<string[]> =>
  (await source.query<{ name: string }[]>('SELECT name FROM migration ORDER BY id')).map(({ name }) => name);
const allNames = migrations.map(({ name }) => name);

describe('the migrations', () => {
  it('run up, down and up again, each a step of its own', async () => {
    const source = await connect(await createEmptyDatabase());
    expect(await schemaOf(source)).toEqual([]);
    const steps: string[][] = [];
    for (const name of allNames) {
      steps.push(await schemaOf(source));
      const upTo = new DataSource({ ...source.options, migrations: migrations.slice(0, steps.length) });
      opened.push(await upTo.initialize());
      expect((await upTo.runMigrations()).map((migration) => migration.name)).toEqual([name]);
    }
    const head = await schemaOf(source);
    expect(head.length).toBeGreaterThan(20);

    for (const before of steps.toReversed()) {
      await source.undoLastMigration();
      expect(await schemaOf(source)).toEqual(before);
    }
    await source.runMigrations();
    expect(await schemaOf(source)).toEqual(head);
    expect(await namesDone(source)).toEqual(allNames);
  });

  it('are named in the order in which they run', () => {
    expect(allNames).toEqual(allNames.toSorted((a, b) => a.slice(-13).localeCompare(b.slice(-13))));
    expect(new Set(allNames).size).toBe(migrations.length);
  });

  it('make what the entities describe', async () => {
    const address = await createEmptyDatabase();
    await migrate(address, MIGRATING, logger);
    const source = await connect(address);
    const { upQueries } = await source.driver.createSchemaBuilder().log();
    // TypeORM knows neither xid8 nor indexes with an order, and would take both away; an index on an expression it does not see at all.
    expect(upQueries.map(({ query }) => query)).toEqual([
      'DROP INDEX "public"."key_value_revision_history"',
      'DROP INDEX "public"."key_value_revision_transaction"',
      'DROP INDEX "public"."lease_stored_key_idx"',
      'ALTER TABLE "key_value_revision" DROP COLUMN "xid"',
    ]);
  });

  it('would be missed where an entity differs', async () => {
    const address = await createEmptyDatabase();
    await migrate(address, MIGRATING, logger);
    const source = await connect(address);
    await source.query('ALTER TABLE key_value ALTER COLUMN etag DROP NOT NULL');
    await source.query('ALTER TABLE access_key ADD COLUMN forgotten text');
    const { upQueries } = await source.driver.createSchemaBuilder().log();
    const text = upQueries.map(({ query }) => query).join('\n');
    expect(text).toContain('"etag" SET NOT NULL');
    expect(text).toContain('DROP COLUMN "forgotten"');
  });
});

describe('migrate', () => {
  it('brings an empty database to head once, however many processes begin together', async () => {
    const address = await createEmptyDatabase();
    await Promise.all(Array.from({ length: 8 }, () => migrate(address, MIGRATING, logger)));
    const source = await connect(address);
    expect(await namesDone(source)).toEqual(allNames);
    expect(await source.query(ADVISORY_LOCKS)).toEqual([]);
  });

  it('does nothing at head', async () => {
    const address = await createEmptyDatabase();
    await migrate(address, MIGRATING, logger);
    const source = await connect(address);
    await source.query(`INSERT INTO access_key (id, sealed_secret, read_only) VALUES ('kept', '', true)`);
    const before = await schemaOf(source);
    await migrate(address, MIGRATING, logger);
    await migrate(address, CHECKING, logger);
    expect(await schemaOf(source)).toEqual(before);
    expect(await source.query('SELECT id FROM access_key')).toEqual([{ id: 'kept' }]);
  });

  it('leaves out what was done before and adds the rest', async () => {
    const address = await createEmptyDatabase();
    const source = await connect(address);
    await source.runMigrations();
    await source.undoLastMigration();
    await migrate(address, MIGRATING, logger);
    expect(await namesDone(source)).toEqual(allNames);
  });

  it('refuses a schema that is behind when it may only look, and changes nothing', async () => {
    const address = await createEmptyDatabase();
    const look = (): Promise<void> => migrate(address, CHECKING, logger);
    await expect(look()).rejects.toThrow(SettingsError);
    await expect(look()).rejects.toMatchObject({ faults: [expect.stringContaining('MIGRATE_ON_START is false')] });
    const source = await connect(address);
    expect(await schemaOf(source)).toEqual([]);
    await source.runMigrations();
    await source.undoLastMigration();
    await expect(look()).rejects.toThrow(SettingsError);
    expect(await namesDone(source)).toEqual(allNames.slice(0, -1));
  });

  it('waits for a migration of another process, however long it takes', async () => {
    const address = await createEmptyDatabase();
    const source = await connect(address);
    const holder = source.createQueryRunner();
    await holder.query('SELECT pg_advisory_lock(4841230198563201)');
    let isDone = false;
    const migrating = migrate(address, MIGRATING, logger).then(() => (isDone = true));
    const waiting = async (): Promise<unknown[]> => source.query(`${ADVISORY_LOCKS} AND NOT granted`);
    while ((await waiting()).length === 0) expect(isDone).toBe(false);
    await holder.query('SELECT pg_advisory_unlock(4841230198563201)');
    await migrating;
    await holder.release();
    expect(await namesDone(source)).toEqual(allNames);
  });

  it('asks a pooler for no session settings, and leaves it none, nor a lock', async () => {
    const address = await createEmptyDatabase();
    let sent = '';
    const proxy = createServer((client) => {
      const server = connectTo(
        address.host.startsWith('/')
          ? { path: `${address.host}/.s.PGSQL.${address.port}` }
          : { host: address.host, port: address.port },
      );
      client.on('data', (chunk) => (sent += chunk.toString('latin1')));
      client.pipe(server).pipe(client);
      client.on('error', () => server.destroy());
      server.on('error', () => client.destroy());
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    const { port } = proxy.address() as AddressInfo;
    await migrate({ ...address, host: '127.0.0.1', port }, { ...MIGRATING, dbPooler: true }, logger);
    proxy.close();
    expect(sent).toContain('application_name');
    expect(sent).not.toContain('-c statement_timeout');
    expect(sent.match(/\bSET \w+/g)!.filter((text) => text === 'SET statement_timeout')).toEqual([]);
    expect(sent).toContain('pg_advisory_xact_lock(');
    expect(sent).not.toContain('pg_advisory_lock(');
  });

  it('names a database that refuses us at once', async () => {
    const address = await createEmptyDatabase();
    for (const wrong of [
      { ...address, password: 'wrong' },
      { ...address, database: 'nowhere' },
    ]) {
      await expect(migrate(wrong, MIGRATING, logger)).rejects.toThrow(SettingsError);
    }
  });
});

describe('migrations by hand', () => {
  let address: DatabaseAddress;
  beforeEach(async () => void (address = await createEmptyDatabase()));

  const url = (): string => {
    const { host, port, user, password, database } = address;
    return `postgres://${user}:${encodeURIComponent(password)}@${encodeURIComponent(host)}:${port}/${database}`;
  };
  const npmRun = (script: 'migration:run' | 'migration:revert'): ServiceProcess =>
    new ServiceProcess({ DATABASE_URL: url() }, { command: ['npm', 'run', '-s', script] });
  /** What the end of each was, with all that it said where it was not 0. */
  const endsOf = (commands: readonly ServiceProcess[]): Promise<unknown[]> =>
    Promise.all(
      commands.map(async (command) => {
        const code = await command.exit();
        return code === 0 ? 0 : [code, command.stdout, command.stderr];
      }),
    );

  it('may take their time', async () => {
    process.env['DATABASE_URL'] = url();
    const { default: source } = jest.requireActual<{ default: DataSource }>('../../ormconfig');
    delete process.env['DATABASE_URL'];
    opened.push(await source.initialize());
    expect(await source.query('SHOW statement_timeout')).toEqual([{ statement_timeout: '0' }]);
    expect(await source.query('SHOW lock_timeout')).toEqual([{ lock_timeout: '0' }]);
  });

  /** Whoever migrates has to read which are done: nobody gets past that before all of them are there. */
  async function lineUp(source: DataSource, count: number): Promise<() => Promise<void>> {
    const barrier = source.createQueryRunner();
    await barrier.startTransaction();
    await barrier.query('LOCK TABLE migration');
    const waiting = `SELECT DISTINCT l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                      WHERE NOT l.granted AND a.datname = current_database()`;
    return async () => {
      await waitFor(async () => (await source.query<unknown[]>(waiting)).length === count);
      await barrier.rollbackTransaction();
      await barrier.release();
    };
  }

  it('run once, however many operators and services begin together', async () => {
    const source = await connect(address);
    await source.runMigrations();
    await source.undoLastMigration();
    const go = await lineUp(source, 3);
    const ends = endsOf([npmRun('migration:run'), npmRun('migration:run')]);
    const migrating = migrate(address, MIGRATING, logger);
    await go();
    await migrating;
    expect(await ends).toEqual([0, 0]);
    expect(await namesDone(source)).toEqual(allNames);
    expect(await source.query(ADVISORY_LOCKS)).toEqual([]);
  });

  it('are reverted one by each of two operators at once', async () => {
    const source = await connect(address);
    await source.runMigrations();
    const go = await lineUp(source, 2);
    const ends = endsOf([npmRun('migration:revert'), npmRun('migration:revert')]);
    await go();
    expect(await ends).toEqual([0, 0]);
    expect(await namesDone(source)).toEqual(allNames.slice(0, -2));
    expect(await source.query(ADVISORY_LOCKS)).toEqual([]);
  });

  it.each([
    ['migration:run', allNames],
    ['migration:revert', allNames.slice(0, -2)],
  ] as const)('wait for a service that migrates, and %s says so', async (script, after) => {
    const source = await connect(address);
    await source.runMigrations();
    await source.undoLastMigration();
    const service = source.createQueryRunner();
    await service.startTransaction();
    await service.query('SELECT pg_advisory_xact_lock(4841230198563201)');
    const command = npmRun(script);
    let isDone = false;
    const ended = endsOf([command]).then((ends) => {
      isDone = true;
      return ends;
    });
    while ((await source.query<unknown[]>(`${ADVISORY_LOCKS} AND NOT granted`)).length === 0)
      expect(isDone).toBe(false);
    expect(await namesDone(source)).toEqual(allNames.slice(0, -1));
    await service.rollbackTransaction();
    await service.release();
    expect(await ended).toEqual([0]);
    expect(command.stderr).toContain('waiting for another process that migrates');
    expect(await namesDone(source)).toEqual(after);
  });

  it('tell an error in the words of TypeORM, and leave no lock', async () => {
    const source = await connect(address);
    await source.query('CREATE TABLE key_value ()');
    const command = npmRun('migration:run');
    expect(await command.exit()).toBe(1);
    expect(command.stdout + command.stderr).toContain('Error during migration run:');
    expect(command.stderr).toContain('relation "key_value" already exists');
    expect(await source.query(ADVISORY_LOCKS)).toEqual([]);
  });
});
