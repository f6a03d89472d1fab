import { RetentionService } from '../../src/retention/retention.service';
import { startApp, type TestApp } from '../support/start-app';
import { putAll } from './stored-key-values';

let app: TestApp;
let retention: RetentionService;
beforeEach(async () => {
  app = await startApp({ REVISION_RETENTION_DAYS: '30' });
  retention = app.app.get(RetentionService, { strict: false });
});
afterEach(() => app.close());

/** Moves everything that happened so far into the past. */
const age = async (days: number): Promise<void> => {
  for (const table of ['key_value', 'key_value_revision']) {
    await app.sql(`UPDATE ${table} SET last_modified = last_modified - $1::int * interval '1 day'`, [days]);
  }
};
const valuesOf = async (key: string): Promise<(string | null)[]> =>
  (await app.azure.get(`/revisions?key=${key}`)).json.items.map(({ value }: { value: string | null }) => value);
const put = (key: string, value: string): Promise<void> => putAll(app, [{ key, value }]);

describe('the retention purge', () => {
  it('keeps the current state, however old, and what it still shows of the time within', async () => {
    await put('k', '1');
    await put('k', '2');
    await age(10);
    await put('k', '3');
    await age(25);
    await put('k', '4');
    // 1 and 2 are 35 days old; 2 held until 25 days ago, within the time.
    expect(await retention.purge()).toMatchObject({ revisions: 1, keyValues: 0, snapshots: 0 });
    expect(await valuesOf('k')).toEqual(['4', '3', '2']);
    await put('old', 'kept');
    await age(400);
    await retention.purge();
    expect(await valuesOf('old')).toEqual(['kept']);
    expect(await valuesOf('k')).toEqual(['4']);
    expect((await app.azure.get('/kv/old')).json.value).toBe('kept');
  });

  it('does not change what an instant within the time shows', async () => {
    await put('k', 'before');
    await age(40);
    await put('k', 'after');
    await age(20);
    const instant = new Date(Date.now() - 25 * 86_400_000).toUTCString();
    const seen = async (): Promise<string> =>
      (await app.azure.get('/kv/k', { headers: { 'accept-datetime': instant } })).text;
    const before = await seen();
    await retention.purge();
    expect(await seen()).toBe(before);
    expect(JSON.parse(before)).toMatchObject({ value: 'before' });
  });

  it('forgets a deleted key-value entirely once its time is over, and not before', async () => {
    await put('k', 'v');
    expect((await app.azure.delete('/kv/k')).status).toBe(200);
    await age(29);
    expect(await retention.purge()).toMatchObject({ revisions: 0, keyValues: 0, snapshots: 0 });
    await age(2);
    expect(await retention.purge()).toMatchObject({ revisions: 2, keyValues: 1, snapshots: 0 });
    const { text } = await app.azure.get('/metrics', { signed: false, apiVersion: null });
    expect(text).toContain('purged_rows_total{what="revisions"} 2');
    expect(text).toContain('purged_rows_total{what="keyValues"} 1');
    expect(await app.sql('SELECT FROM key_value UNION ALL SELECT FROM key_value_revision')).toHaveLength(0);
    await put('k', 'again');
    expect(await valuesOf('k')).toEqual(['again']);
  });

  it('goes through more than one batch', async () => {
    await app.sql(`
      INSERT INTO key_value_revision (revision, key, label, value, tags, locked, deleted, etag, last_modified, actor, address, request_id)
      SELECT nextval('key_value_revision_seq'), 'k' || n % 7, '', n::text, '{}', false, false, n::text,
             clock_timestamp() - interval '60 days' + n * interval '1 second', 'test', '', gen_random_uuid()
        FROM generate_series(1, 2500) n`);
    expect(await retention.purge()).toMatchObject({ revisions: 2493, keyValues: 0, snapshots: 0 });
  });

  it('takes along expired snapshots with their items', async () => {
    await put('k', 'v');
    await app.azure.put(
      '/snapshots/old',
      { filters: [{ key: '*' }] },
      { headers: { 'content-type': 'application/json' } },
    );
    await app.azure.send('PATCH', '/snapshots/old', {
      body: { status: 'archived' },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expect((await retention.purge())!['snapshots']).toBe(0);
    await app.sql(`UPDATE snapshot SET expires = clock_timestamp() - interval '1 second'`);
    expect((await retention.purge())!['snapshots']).toBeGreaterThan(0);
    expect(await app.sql('SELECT FROM snapshot')).toHaveLength(0);
  });

  it('loses no live row while others write and delete', async () => {
    for (let index = 0; index < 40; index++) {
      await put(`live/${index}`, 'old');
      await app.azure.delete(`/kv/live/${index}`);
    }
    await age(31);
    const writes = Array.from({ length: 40 }, (_, index) => put(`live/${index}`, 'new'));
    await Promise.all([retention.purge(), ...writes, retention.purge()]);
    for (let index = 0; index < 40; index++) {
      expect((await app.azure.get(`/kv/live/${index}`)).json.value).toBe('new');
      expect((await valuesOf(`live/${index}`))[0]).toBe('new');
    }
  });
});
