import { Client } from 'pg';
import { type DatabaseAddress } from '../../src/database/connection';
import { OwnTime } from '../support/own-time';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

describe('a statement past its deadline', () => {
  let app: TestApp;
  let pooled: TestApp;
  let holder: Client;
  beforeAll(async () => {
    app = await startApp();
    // Behind a pooler no session settings are sent, so nothing but our own deadline ends a wait.
    pooled = await startApp({ DB_POOLER: 'true', DB_POOL_MAX: '1' }, app);
    const [{ database }] = (await app.sql<{ database: string }>('SELECT current_database() AS database')) as [
      { database: string },
    ];
    holder = new Client({ ...(JSON.parse(process.env['LATCHKEY_TEST_DATABASE']!) as DatabaseAddress), database });
    await holder.connect();
  });
  afterAll(async () => {
    await holder.end();
    await pooled.close();
    await app.close();
  });

  it('is given up with its connection, and its outcome called unknown', async () => {
    expect((await pooled.azure.put('/kv/k', { value: 'first' })).status).toBe(200);
    await holder.query('BEGIN');
    await holder.query(`SELECT FROM key_value WHERE key = 'k' FOR UPDATE`);
    const time = new OwnTime();
    const answer = await pooled.azure.put('/kv/k', { value: 'late' });
    expect(answer.json).toMatchObject({ type: 'https://azconfig.io/errors/outcome-unknown', status: 503 });
    expect(answer.headers['retry-after-ms']).toBe('1000');
    expect(time.wallMs).toBeGreaterThan(7_900);
    expect(time.ownMs).toBeLessThan(9_000);
    time.stop();

    // The only connection of the pool is stuck in PostgreSQL still; another one has taken its place.
    const stuck = (): Promise<unknown[]> =>
      app.sql(`SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`);
    expect(await stuck()).toHaveLength(1);
    expect((await pooled.azure.get('/kv/k')).json).toMatchObject({ value: 'first' });

    // What was unknown happens after all: that is why the answer was no plain refusal.
    await holder.query('COMMIT');
    await waitFor(async () => (await stuck()).length === 0);
    await waitFor(async () => (await pooled.azure.get('/kv/k')).json.value === 'late');
  });
});
