import { version } from '../../src/version';
import { atOnce } from '../support/at-once';
import { startApp, type TestApp } from '../support/start-app';
import { DaprClient, expectRefusal } from './dapr-client';

let app: TestApp;
let dapr: DaprClient;
beforeAll(async () => {
  app = await startApp();
  dapr = new DaprClient(app.port);
});
afterAll(async () => {
  dapr.close();
  await app.close();
});
beforeEach(() => app.sql('DELETE FROM dapr_metadata'));

const put = (key: string, value: string | Buffer) =>
  dapr.send('PUT', `/v1.0/metadata/${encodeURIComponent(key)}`, value, { 'content-type': 'text/plain' });
async function labels(client = dapr): Promise<Record<string, string>> {
  const { text } = await client.send('GET', '/v1.0/metadata');
  const { extended } = JSON.parse(text) as { extended: Record<string, string> };
  const { daprRuntimeVersion, ...others } = extended;
  expect(daprRuntimeVersion).toBe('1.16.0');
  return others;
}

/** Distributed-lock contract section 6. */
describe('GET /v1.0/metadata', () => {
  it('tells who answers, byte for byte', async () => {
    await put('city', 'Köln <&>');
    const { status, headers, text } = await dapr.send('GET', '/v1.0/metadata');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/json');
    expect(text).toBe(
      `{"id":"latchkey","runtimeVersion":"${version}",` +
        '"components":[{"name":"lockstore","type":"lock.postgres","version":"v1"}],' +
        '"extended":{"city":"Köln \\u003c\\u0026\\u003e","daprRuntimeVersion":"1.16.0"},' +
        '"actorRuntime":{"runtimeStatus":"DISABLED","hostReady":false}}',
    );
  });
});

describe('PUT /v1.0/metadata/{key}', () => {
  it.each([
    ['plain', 'value'],
    ['empty', ''],
    ['with blank and / slash', 'text\nwith lines'],
    ['nul \u0000', 'nul \u0000 and \u0001'],
    ['日本', '{"not":"parsed"}'],
    ['__proto__', 'a name like others'],
    ['k'.repeat(512), 'v'.repeat(64 * 1024)],
  ])('keeps the raw body as the label %j', async (key, value) => {
    const answer = await put(key, value);
    expect([answer.status, answer.text]).toEqual([204, '']);
    expect(Object.entries(await labels())).toEqual([[key, value]]);
  });

  it('replaces a label', async () => {
    await put('a', '1');
    await put('a', '2');
    expect(await labels()).toEqual({ a: '2' });
  });

  it('leaves the version that clients read as it is', async () => {
    expect((await put('daprRuntimeVersion', '0.0.1')).status).toBe(204);
    expect(await labels()).toEqual({});
  });

  it('is seen by every process', async () => {
    const other = await startApp({}, app);
    const client = new DaprClient(other.port);
    await put('shared', 'yes');
    expect(await labels(client)).toEqual({ shared: 'yes' });
    client.close();
    await other.close();
  });

  it.each([
    ['k'.repeat(513), 'v', 'metadata key must have 1 to 512 characters'],
    ['k', 'v'.repeat(64 * 1024 + 1), 'metadata value is longer than 65536 bytes'],
    ['k', Buffer.from([0xff]), 'metadata value is not UTF-8'],
  ])('refuses what is too long or no text', async (key, value, message) => {
    expectRefusal(await put(key, value), 400, 'ERR_MALFORMED_REQUEST', message);
    expect(await labels()).toEqual({});
  });

  it('refuses a label too many, and still replaces one that there is', async () => {
    await app.sql(`INSERT INTO dapr_metadata SELECT 'label-' || n, 'v' FROM generate_series(1, 999) n`);
    expect((await put('label-1000', 'v')).status).toBe(204);
    const message = 'there are too many metadata labels, or they are too long together';
    expectRefusal(await put('label-1001', 'v'), 400, 'ERR_MALFORMED_REQUEST', message);
    expect((await put('label-1', 'new')).status).toBe(204);
    const all = await labels();
    expect(Object.keys(all)).toHaveLength(1000);
    expect(all['label-1']).toBe('new');
  });

  it('refuses more than 1 MiB in all', async () => {
    const statuses = [];
    for (let n = 0; n < 16; n++) statuses.push((await put(`large-${n}`, 'v'.repeat(64 * 1024))).status);
    expect(statuses).toEqual([...Array<number>(15).fill(204), 400]);
    expect((await put('large-0', '')).status).toBe(204);
    expect((await put('large-15', 'v'.repeat(60 * 1024))).status).toBe(204);
  });

  it('takes puts of one key at once', async () => {
    const answers = await atOnce(32, (index) => put('raced', `${index}`));
    expect(answers.map(({ status }) => status)).toEqual(Array(32).fill(204));
    expect(Object.keys(await labels())).toEqual(['raced']);
  });
});
