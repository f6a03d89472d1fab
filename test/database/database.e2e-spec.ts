import { Client } from 'pg';
import { type DatabaseAddress } from '../../src/database/connection';
import { Database } from '../../src/database/database';
import { atOnce } from '../support/at-once';
import { type AzureAnswer } from '../support/azure-http';
import { OwnTime } from '../support/own-time';
import { adminSql } from '../support/scratch-database';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

let app: TestApp;
let name: string;
let others: Client[];

beforeEach(async () => {
  app = await startApp({ DB_POOL_MAX: '3' });
  others = [];
  name = (await app.sql<{ name: string }>('SELECT current_database() AS name'))[0]!.name;
  expect((await app.azure.put('/kv/k', { value: 'first' })).status).toBe(200);
});
afterEach(async () => {
  await adminSql(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
  for (const client of others) await client.end();
  await app.close();
});

/** Another program's connection to the same database. */
async function connectOther(): Promise<Client> {
  const client = new Client({
    ...(JSON.parse(process.env['LATCHKEY_TEST_DATABASE']!) as DatabaseAddress),
    database: name,
  });
  client.on('error', () => undefined);
  await client.connect();
  others.push(client);
  return client;
}

/** Holds the row of `k` until the returned function is called. */
async function holdRow(key = 'k'): Promise<() => Promise<void>> {
  const client = await connectOther();
  await client.query('BEGIN');
  await client.query('SELECT FROM key_value WHERE key = $1 FOR UPDATE', [key]);
  return async () => void (await client.query('COMMIT'));
}

const SERVICE = `datname = '@' AND application_name = 'latchkey'`;
const backends = async (where = 'true'): Promise<number> => {
  const rows = await app.sql(`SELECT pid FROM pg_stat_activity WHERE ${SERVICE.replace('@', name)} AND ${where}`);
  return rows.length;
};
const kill = (where = 'true'): Promise<unknown> =>
  app.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${SERVICE.replace('@', name)} AND ${where}`);
const isWaiting = (count: number) => async (): Promise<boolean> =>
  (await backends(`wait_event_type = 'Lock'`)) === count;

function expectUnavailable(answer: AzureAnswer): void {
  expect(answer).toMatchObject({ status: 503, text: '' });
  expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  expect(Number(answer.headers['retry-after-ms'])).toBeGreaterThanOrEqual(1);
  expect(answer.headers['access-control-allow-origin']).toBe('*');
}

function expectOutcomeUnknown(answer: AzureAnswer): void {
  expect(answer.status).toBe(503);
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(answer.json).toMatchObject({ type: 'https://azconfig.io/errors/outcome-unknown', status: 503 });
  expect(Number(answer.headers['retry-after-ms'])).toBeGreaterThanOrEqual(1);
  expect(answer.text).not.toMatch(/terminat|connection|SELECT/i);
}

const readiness = async (of = app): Promise<[number, unknown]> => {
  const { status, json } = await of.azure.get('/readyz', { signed: false, apiVersion: null });
  return [status, json];
};
const isReady = async (): Promise<boolean> => (await readiness())[0] === 200;

describe('a pool whose connections are all busy', () => {
  it('refuses the next request within 600 ms, says when to come back, and recovers', async () => {
    // Behind a pooler, where no `lock_timeout` gives the connections back before the test is through: there are 8 s.
    const busy = await startApp({ DB_POOL_MAX: '3', DB_POOLER: 'true' }, app);
    const { azure } = busy;
    const release = await holdRow();
    const stuck = ['a', 'b', 'c'].map((value) => azure.put('/kv/k', { value }));
    await waitFor(isWaiting(3));
    const time = new OwnTime();
    const answers = await Promise.all([azure.get('/kv/k'), azure.put('/kv/other', {}), azure.get('/kv')]);
    answers.forEach(expectUnavailable);
    expect(time.wallMs).toBeGreaterThan(400);
    expect(time.ownMs).toBeLessThan(700);
    time.stop();
    expect((await azure.get('/healthz')).status).toBe(200);
    expect(await readiness(busy)).toEqual([503, { status: 'not-ready', reason: 'database-unreachable' }]);

    await release();
    for (const answer of await Promise.all(stuck)) expect(answer.status).toBe(200);
    expect((await azure.get('/kv/k')).status).toBe(200);
    expect((await azure.get('/kv/other')).status).toBe(404);
    expect((await readiness(busy))[0]).toBe(200);
    await busy.close();
  });

  it('queues a burst of 64 clients without refusing any', async () => {
    const usual = await startApp({}, app);
    const answers = await atOnce(64, (index) => usual.azure.put(`/kv/burst${index}`, {}));
    await usual.close();
    expect(answers.map(({ status }) => status)).toEqual(Array(64).fill(200));
  });
});

describe('a commit that the synchronous standby may not have', () => {
  // The warning of a server whose wait was cancelled; the fault tests cancel a real one.
  it.each(['01000', '57P01'])('has an unknown outcome, though the statement succeeded (%s)', async (code) => {
    await app.sql(`
      CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE WARNING 'canceling wait for synchronous replication' USING ERRCODE = '${code}'; RETURN NEW; END $$`);
    await app.sql('CREATE TRIGGER warn AFTER UPDATE ON key_value FOR EACH ROW EXECUTE FUNCTION warn()');
    expectOutcomeUnknown(await app.azure.put('/kv/k', { value: 'second' }));
    await app.sql('DROP TRIGGER warn ON key_value');
    expect((await app.azure.get('/kv/k')).json).toMatchObject({ value: 'second' });
    expect((await app.azure.put('/kv/k', { value: 'third' })).status).toBe(200);
  });
});

describe('a connection that is killed', () => {
  it('while idle costs reads nothing, however many are', async () => {
    await waitFor(async () => {
      await atOnce(9, () => app.azure.get('/kv'));
      return (await backends()) === 3;
    });
    for (let round = 0; round < 5; round++) {
      await kill();
      const answers = await Promise.all(Array.from({ length: 6 }, () => app.azure.get('/kv/k')));
      for (const { status, json } of answers) expect([status, json?.value]).toEqual([200, 'first']);
    }
  });

  it('while it reads is replaced, and the read answered', async () => {
    const client = await connectOther();
    await client.query('BEGIN');
    await client.query('LOCK TABLE key_value IN ACCESS EXCLUSIVE MODE');
    const reading = app.azure.get('/kv/k');
    await waitFor(isWaiting(1));
    await kill(`wait_event_type = 'Lock'`);
    await client.query('COMMIT');
    expect(await reading).toMatchObject({ status: 200, json: { value: 'first' } });
  });

  it('while it writes makes the outcome unknown, and the change is not made twice', async () => {
    const release = await holdRow();
    const writing = [app.azure.put('/kv/k', { value: 'second' }), app.azure.delete('/kv/k')];
    await waitFor(isWaiting(2));
    let answers: AzureAnswer[] = [];
    void Promise.all(writing).then((all) => (answers = all));
    // Again, for one whose wait was just over is sent anew.
    await waitFor(async () => {
      await kill(`wait_event_type = 'Lock'`);
      return answers.length > 0;
    });
    answers.forEach(expectOutcomeUnknown);
    await release();
    expect((await app.azure.get('/kv/k')).json).toMatchObject({ value: 'first' });
    expect((await app.azure.put('/kv/k', { value: 'third' })).status).toBe(200);
    expect(await app.sql('SELECT value FROM key_value_revision ORDER BY revision')).toEqual([
      { value: 'first' },
      { value: 'third' },
    ]);
  });

  it('leaves the process alive and ready', async () => {
    for (let round = 0; round < 3; round++) {
      await kill();
      await waitFor(isReady);
    }
    expect(app.app.getHttpServer().listening).toBe(true);
  });
});

describe('a statement that met another one', () => {
  it('in a deadlock is run again', async () => {
    await app.azure.put('/kv/other', { value: 'v' });
    // The trigger makes each put lock the other one's row as well, so that two of them wait for each other.
    await app.sql(`
      CREATE FUNCTION lock_other() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$ BEGIN
        IF current_setting('application_name') = 'latchkey' THEN
          PERFORM pg_advisory_xact_lock_shared(7);
          PERFORM FROM key_value WHERE key = CASE NEW.key WHEN 'k' THEN 'other' ELSE 'k' END FOR UPDATE;
        END IF;
        RETURN NEW;
      END $$`);
    await app.sql('CREATE TRIGGER lock_other BEFORE UPDATE ON key_value FOR EACH ROW EXECUTE FUNCTION lock_other()');
    const gate = await connectOther();
    await gate.query('SELECT pg_advisory_lock(7)');
    const deadlocks = async (): Promise<number> =>
      Number(
        (await app.sql<{ deadlocks: string }>('SELECT deadlocks FROM pg_stat_database WHERE datname = $1', [name]))[0]!
          .deadlocks,
      );
    const before = await deadlocks();
    const puts = [app.azure.put('/kv/k', { value: 'x' }), app.azure.put('/kv/other', { value: 'x' })];
    await waitFor(isWaiting(2));
    await gate.query('SELECT pg_advisory_unlock(7)');
    for (const answer of await Promise.all(puts)) expect(answer.status).toBe(200);
    await waitFor(async () => (await deadlocks()) > before);
    expect((await app.sql('SELECT key FROM key_value_revision')).length).toBe(4);
  });

  it('and waited too long for a row is run again, and succeeds once the row is free', async () => {
    const release = await holdRow();
    const messages: string[] = [];
    const database = app.app.get(Database);
    const run = jest.spyOn(database as unknown as { run: (...parameters: unknown[]) => Promise<unknown> }, 'run');
    const putting = app.azure.put('/kv/k', { value: 'second' });
    // The lock time-out of 2 seconds has passed once when the statement is sent a second time.
    await waitFor(() => run.mock.calls.length >= 2);
    await run.mock.results[0]!.value.catch((error: { code: string }) => messages.push(error.code));
    expect(messages).toEqual(['55P03']);
    await release();
    expect((await putting).status).toBe(200);
    expect(await app.sql('SELECT value FROM key_value_revision ORDER BY revision')).toEqual([
      { value: 'first' },
      { value: 'second' },
    ]);
  });
});

describe('a text that validation let through and PostgreSQL does not take', () => {
  it.each([
    ['22021', `SELECT $1::text`, ['a\0b']],
    ['22P05', `SELECT ($1::text)::json ->> 'a'`, ['{"a":"\\u0000"}']],
    ['22003', `SELECT $1::text::int`, ['99999999999']],
    ['22008', `SELECT $1::text::timestamptz`, ['2020-13-45']],
    ['54000', `SELECT repeat($1::text, 1100000000)`, ['x']],
  ])('(%s) is a 400, not a defect of ours', async (_state, text, values) => {
    const statement = { name: `spec_${_state}`, text, isWrite: false };
    await expect(app.app.get(Database).query(statement, values)).rejects.toMatchObject({
      status: 400,
      kind: 'invalid-argument',
    });
    expect((await app.azure.get('/kv/k')).status).toBe(200);
  });
});

describe('/readyz', () => {
  it('says that the database is read-only, and recovers by itself', async () => {
    expect(await isReady()).toBe(true);
    await adminSql(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    await kill();
    // Away for a moment first, as long as nothing has taken the place of what was killed.
    const readOnly = JSON.stringify([503, { status: 'not-ready', reason: 'database-read-only' }]);
    await waitFor(async () => JSON.stringify(await readiness()) === readOnly);
    // Every connection of the pool belongs to the read-only time now.
    const answers = await Promise.all(Array.from({ length: 3 }, () => app.azure.get('/kv/k')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);

    await adminSql(`ALTER DATABASE ${name} SET default_transaction_read_only = off`);
    await waitFor(isReady, 3_000);
    expect((await app.azure.put('/kv/k', { value: 'second' })).status).toBe(200);
  });

  it('is not needed to get rid of connections that only read', async () => {
    await adminSql(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    await kill();
    await atOnce(9, () => app.azure.get('/kv'));
    expectUnavailable(await app.azure.put('/kv/k', { value: 'second' }));
    expect((await app.azure.get('/kv/k')).json).toMatchObject({ value: 'first' });

    await adminSql(`ALTER DATABASE ${name} SET default_transaction_read_only = off`);
    // The read above has opened a connection of the read-only time again; the first put falls victim to it.
    await app.azure.put('/kv/k', { value: 'second' });
    const answers = await atOnce(3, (index) => app.azure.put('/kv/k', { value: `later ${index}` }));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('says that the database is away, while /healthz does not care, and recovers by itself', async () => {
    await adminSql(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    await kill();
    await waitFor(async () => (await readiness())[0] === 503);
    expect(await readiness()).toEqual([503, { status: 'not-ready', reason: 'database-unreachable' }]);
    expectUnavailable(await app.azure.get('/kv/k'));
    expectUnavailable(await app.azure.put('/kv/k', { value: 'second' }));
    expect((await app.azure.get('/healthz')).json).toEqual({ status: 'ok' });

    await adminSql(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    await waitFor(isReady, 3_000);
    expect((await app.azure.get('/kv/k')).json).toMatchObject({ value: 'first' });
  });

  it('says that the schema is behind or ahead', async () => {
    await app.sql(`INSERT INTO migration ("timestamp", name) VALUES (9999999999999, 'FromTheFuture9999999999999')`);
    expect(await readiness()).toEqual([503, { status: 'not-ready', reason: 'schema-not-at-head' }]);
    await app.sql(`DELETE FROM migration WHERE name LIKE 'FromTheFuture%'`);
    expect(await isReady()).toBe(true);
  });
});
