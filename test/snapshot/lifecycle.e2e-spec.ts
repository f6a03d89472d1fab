import { type AzureAnswer } from '../support/azure-http';
import { expectEmpty, expectInvalidArgument, PROBLEM_TYPE } from '../support/expect-answer';
import { startApp, type TestApp } from '../support/start-app';
import {
  ALL,
  create,
  expire,
  itemsOf,
  makeExpired,
  patch,
  makeFailed,
  removeSnapshots,
  targetOf,
} from './stored-snapshots';

const INVALID_STATE =
  '{"type":"https://azconfig.io/errors/invalid-state","title":"Target resource state invalid.","status":409,' +
  '"detail":"The target resource is not in a valid state to perform the requested operation."}';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
  await app.azure.put('/kv/a', { value: 'v' });
});
afterAll(() => app.close());
beforeEach(() => removeSnapshots(app));

const archive = (headers: Record<string, string> = {}): Promise<AzureAnswer> =>
  patch(app.azure, 's', { status: 'archived' }, headers);
const recover = (headers: Record<string, string> = {}): Promise<AzureAnswer> =>
  patch(app.azure, 's', { status: 'ready' }, headers);
const find = (): Promise<AzureAnswer> => app.azure.get(targetOf('s'));

describe('PATCH /snapshots/{name}', () => {
  it('archives: a new entity tag, and an end that is the retention period away by the database’s clock', async () => {
    await create(app.azure, 's', { ...ALL, retention_period: 7200 });
    const before = await find();
    const answer = await archive();
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/vnd.microsoft.appconfig.snapshot+json; charset=utf-8');
    expect(answer.headers.link).toBe('</kv?snapshot=s&api-version=2023-11-01>; rel="items"');
    expect(answer.headers['last-modified']).toBe(before.headers['last-modified']);
    const { etag, expires, ...rest } = answer.json;
    const { etag: formerEtag, ...former } = before.json;
    expect(rest).toEqual({ ...former, status: 'archived' });
    expect(etag).not.toBe(formerEtag);
    expect(answer.headers.etag).toBe(`"${etag}"`);
    expect(expires).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00$/);
    const [clock] = await app.sql<{ left: number }>(
      `SELECT date_part('epoch', $1::timestamptz - clock_timestamp()) AS left`,
      [expires],
    );
    expect(clock!.left).toBeLessThan(7200);
    expect(clock!.left).toBeGreaterThan(7200 - 60);
    expect(Object.keys(answer.json).indexOf('expires')).toBe(Object.keys(answer.json).indexOf('created') + 1);
    expect((await find()).text).toBe(answer.text);
  });

  it('recovers: another entity tag, and no end any more', async () => {
    const { etag: first } = (await create(app.azure, 's')).json;
    const { etag: second } = (await archive()).json;
    const answer = await recover();
    expect(answer.status).toBe(200);
    expect(answer.json.status).toBe('ready');
    expect(answer.json).not.toHaveProperty('expires');
    expect(new Set([first, second, answer.json.etag]).size).toBe(3);
    expect((await find()).text).toBe(answer.text);
  });

  it.each(['archived', 'ready'])('leaves what is %s already as it is', async (status) => {
    await create(app.azure, 's');
    if (status === 'archived') await archive();
    const before = await find();
    const answer = await patch(app.azure, 's', { status });
    expect([answer.status, answer.text, answer.headers.etag]).toEqual([200, before.text, before.headers.etag]);
  });

  it('keeps who made the last change', async () => {
    await create(app.azure, 's');
    const answer = await archive();
    await archive();
    expect(await app.sql('SELECT actor, request_id FROM snapshot')).toEqual([
      { actor: 'test-rw', request_id: answer.headers['x-ms-request-id'] },
    ]);
  });

  it('is 409 to the letter for what failed', async () => {
    await makeFailed(app, 's');
    const before = await find();
    expect(before.json.status).toBe('failed');
    for (const answer of [await archive(), await recover()]) {
      expect(answer.status).toBe(409);
      expect(answer.headers['content-type']).toBe(PROBLEM_TYPE);
      expect(answer.text).toBe(INVALID_STATE);
      expect(answer.headers['sync-token']).toBeDefined();
    }
    expectEmpty(await archive({ 'if-match': '"other"' }), 412);
    expect((await find()).text).toBe(before.text);
  });

  it.each([{ status: 'failed' }, { status: 'provisioning' }, { status: 'Ready' }, { status: null }, { status: 1 }, {}])(
    'refuses %j',
    async (body) => {
      await create(app.azure, 's');
      expectInvalidArgument(await patch(app.azure, 's', body), 'status');
    },
  );

  it.each(['', '[]', '{', '"archived"'])('refuses a body of %j', async (body) => {
    expectInvalidArgument(await patch(app.azure, 's', body), 'body');
  });

  it.each([
    ['application/merge-patch+json', 200],
    ['application/merge-patch+json; charset=utf-8', 200],
    ['application/json', 200],
    ['application/vnd.microsoft.appconfig.snapshot+json', 200],
    ['text/json', 415],
    ['text/plain', 415],
  ])('with a body of %s is %i', async (type, status) => {
    await create(app.azure, 's');
    const answer = await patch(app.azure, 's', { status: 'archived' }, { 'content-type': type });
    expect(answer.status).toBe(status);
    if (status === 415) expectEmpty(answer, 415);
  });
});

describe('conditions of a PATCH', () => {
  type Headers = Record<string, string>;
  const withTag = (headers: Headers, etag: string): Headers =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replaceAll('E', etag)]));

  describe.each(['archived', 'ready'])('to %s', (status) => {
    beforeEach(async () => {
      await create(app.azure, 's');
      if (status === 'ready') await archive();
    });

    it.each<Headers>([
      {},
      { 'if-match': '"E"' },
      { 'if-match': 'W/"E"' },
      { 'if-match': '*' },
      { 'if-match': '"*"' },
      { 'if-match': 'unquoted' },
      { 'if-none-match': '"other"' },
      { 'if-match': '"E"', 'if-none-match': '"E"' },
    ])('%j holds', async (headers) => {
      const { etag } = (await find()).json;
      const answer = await patch(app.azure, 's', { status }, withTag(headers, etag));
      expect([answer.status, answer.json.status]).toEqual([200, status]);
    });

    it.each<Headers>([
      { 'if-match': '"other"' },
      { 'if-match': '"other", "E"' },
      { 'if-none-match': '"E"' },
      { 'if-none-match': '*' },
      { 'if-match': '"other"', 'if-none-match': '"other"' },
    ])('%j is 412 and changes nothing', async (headers) => {
      const before = await find();
      expectEmpty(await patch(app.azure, 's', { status }, withTag(headers, before.json.etag)), 412);
      expect((await find()).text).toBe(before.text);
    });

    it('are asked also where nothing would change', async () => {
      await patch(app.azure, 's', { status });
      expectEmpty(await patch(app.azure, 's', { status }, { 'if-match': '"other"' }), 412);
    });

    it.each<Headers>([
      {},
      { 'if-match': '"x"' },
      { 'if-match': '*' },
      { 'if-none-match': '"x"' },
      { 'if-none-match': '*' },
    ])('on a missing snapshot, %j is 404', async (headers) => {
      expectEmpty(await patch(app.azure, 'missing', { status }, headers), 404);
    });
  });
});

describe('a snapshot that has expired', () => {
  beforeEach(() => makeExpired(app, 's'));

  it('is 404 for whatever is asked of it', async () => {
    expectEmpty(await find(), 404);
    expectEmpty(await app.azure.head(targetOf('s')), 404);
    expectEmpty(await archive(), 404);
    expectEmpty(await recover(), 404);
    expectEmpty(await app.azure.get('/operations?snapshot=s'), 404);
  });

  it('is not listed and has no items', async () => {
    expect((await app.azure.get('/snapshots')).json.items).toEqual([]);
    expect((await app.azure.get('/snapshots?status=archived')).json.items).toEqual([]);
    expect((await app.azure.get(itemsOf('s'))).json.items).toEqual([]);
  });

  it('was there until the very end', async () => {
    await app.sql(`UPDATE snapshot SET expires = clock_timestamp() + interval '1 minute'`);
    expect((await find()).json.status).toBe('archived');
    await expire(app, 's');
    expectEmpty(await find(), 404);
  });
});
