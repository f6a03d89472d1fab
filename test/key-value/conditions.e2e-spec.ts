import { type AzureAnswer } from '../support/azure-http';
import { expectEmpty } from '../support/expect-answer';
import { startApp, type TestApp } from '../support/start-app';
import { removeAll } from './stored-key-values';

/** `E` stands for the current entity tag of what is asked for. */
type Headers = Record<string, string>;

const EQUAL: Headers[] = [
  { 'if-match': '"E"' },
  { 'if-match': 'W/"E"' },
  { 'if-match': ' "E" ' },
  { 'if-match': '"E", "other"' },
  { 'if-match': '*' },
  { 'if-match': '"*"' },
  { 'if-match': ' * ' },
  { 'if-match': '"E"', 'if-none-match': '"E"' },
  { 'if-match': '*', 'if-none-match': '*' },
];
const OTHER: Headers[] = [
  { 'if-match': '"other"' },
  { 'if-match': 'W/"other"' },
  { 'if-match': '"other", "E"' },
  { 'if-match': '"wrong etag"' },
  { 'if-match': '""' },
  { 'if-match': '"other"', 'if-none-match': '"other"' },
];
const NONE_EQUAL: Headers[] = [
  { 'if-none-match': '"E"' },
  { 'if-none-match': 'W/"E"' },
  { 'if-none-match': '"E", "other"' },
  { 'if-none-match': '*' },
  { 'if-none-match': '"*"' },
];
const NONE_OTHER: Headers[] = [
  { 'if-none-match': '"other"' },
  { 'if-none-match': 'W/"other"' },
  { 'if-none-match': '"other", "E"' },
];
/** Counts as absent, however the tag compares: what is not a list of entity tags is no condition. */
const INVALID: Headers[] = [
  { 'if-match': 'other' },
  { 'if-match': 'E' },
  { 'if-match': '' },
  { 'if-match': '"other' },
  { 'if-match': 'w/"other"' },
  { 'if-match': '"other" x' },
  { 'if-match': '*, "other"' },
  { 'if-none-match': 'E' },
  { 'if-none-match': '"E" x' },
  { 'if-none-match': '"E", x' },
];

const MATCH_ON_MISSING: Headers[] = [...EQUAL, ...OTHER];
const NO_MATCH_ON_MISSING: Headers[] = [
  {},
  ...NONE_EQUAL,
  ...NONE_OTHER,
  { 'if-match': 'E' },
  { 'if-none-match': 'E' },
];

const withTag = (headers: Headers, etag: string): Headers =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replaceAll('E', etag)]));

describe('conditions', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());

  const startAnew = async (): Promise<void> => {
    await removeAll(app);
    await app.azure.put('/kv/a', { value: 'v' });
  };

  const etagOf = async (target: string): Promise<string> => {
    const { headers } = await app.azure.get(target);
    return headers.etag!.slice(1, -1);
  };
  const send = async (method: string, target: string, conditions: Headers): Promise<AzureAnswer> => {
    const headers = withTag(conditions, await etagOf(target));
    return app.azure.send(method, target, method === 'PUT' ? { headers, body: { value: 'w' } } : { headers });
  };

  describe.each(['/kv/a', '/kv', '/revisions', '/kv?key=none'])('of a GET or HEAD of %s', (target) => {
    beforeAll(startAnew);

    it.each([{}, ...EQUAL, ...NONE_OTHER, ...INVALID])('%j holds', async (conditions) => {
      for (const method of ['GET', 'HEAD']) {
        const answer = await send(method, target, conditions);
        expect(answer.status).toBe(200);
        expect(answer.headers.etag).toBe(`"${await etagOf(target)}"`);
      }
    });

    it.each(OTHER)('%j is 412', async (conditions) => {
      for (const method of ['GET', 'HEAD']) expectEmpty(await send(method, target, conditions), 412);
    });

    it.each(NONE_EQUAL)('%j is 304', async (conditions) => {
      for (const method of ['GET', 'HEAD']) {
        const answer = await send(method, target, conditions);
        expectEmpty(answer, 304);
        expect(answer.headers.etag).toBe(`"${await etagOf(target)}"`);
      }
    });
  });

  describe('of a GET or HEAD of nothing', () => {
    it.each([...MATCH_ON_MISSING, ...NO_MATCH_ON_MISSING])('%j is 404', async (headers) => {
      for (const method of ['GET', 'HEAD']) {
        expectEmpty(await app.azure.send(method, '/kv/missing', { headers }), 404);
      }
    });
  });

  describe.each(['PUT', 'DELETE'])('of a %s', (method) => {
    beforeEach(startAnew);

    it.each([{}, ...EQUAL, ...NONE_OTHER, ...INVALID])('%j holds', async (conditions) => {
      expect((await send(method, '/kv/a', conditions)).status).toBe(200);
      const now = await app.azure.get('/kv/a');
      if (method === 'PUT') expect(now.json.value).toBe('w');
      else expectEmpty(now, 404);
    });

    it.each([...OTHER, ...NONE_EQUAL])('%j is 412 and changes nothing', async (conditions) => {
      const before = await app.azure.get('/kv/a');
      expectEmpty(await send(method, '/kv/a', conditions), 412);
      expect((await app.azure.get('/kv/a')).text).toBe(before.text);
      expect((await app.azure.get('/revisions')).json.items).toHaveLength(1);
    });

    describe.each(['never made', 'deleted', 'deleted, with the tag of its tombstone'])('of what was %s', (what) => {
      const body = method === 'PUT' ? { body: { value: 'w' } } : {};
      let etag = 'E';
      beforeEach(async () => {
        if (what === 'never made') return;
        etag = (await app.azure.put('/kv/gone', { value: 'v' })).json.etag;
        await app.azure.delete('/kv/gone');
        if (what === 'deleted') return;
        const [tombstone] = await app.sql<{ etag: string }>(`SELECT etag FROM key_value WHERE key = 'gone'`);
        etag = tombstone!.etag;
      });

      it.each(MATCH_ON_MISSING)('%j is 412', async (conditions) => {
        const headers = withTag(conditions, etag);
        expectEmpty(await app.azure.send(method, '/kv/gone', { ...body, headers }), 412);
        expectEmpty(await app.azure.get('/kv/gone'), 404);
      });

      it.each(NO_MATCH_ON_MISSING)('%j holds', async (conditions) => {
        const headers = withTag(conditions, etag);
        const answer = await app.azure.send(method, '/kv/gone', { ...body, headers });
        if (method === 'PUT') {
          expect(answer.status).toBe(200);
          expect((await app.azure.get('/kv/gone')).text).toBe(answer.text);
        } else expectEmpty(answer, 204);
      });
    });
  });

  describe('as the client libraries use them', () => {
    beforeEach(startAnew);

    it('If-None-Match * adds only', async () => {
      const headers = { 'if-none-match': '*' };
      expect((await app.azure.put('/kv/new', { value: '1' }, { headers })).status).toBe(200);
      expectEmpty(await app.azure.put('/kv/new', { value: '2' }, { headers }), 412);
      expect((await app.azure.get('/kv/new')).json.value).toBe('1');
    });

    it('If-Match replaces only what was read', async () => {
      const { etag } = (await app.azure.get('/kv/a')).json;
      const headers = { 'if-match': `"${etag}"` };
      expect((await app.azure.put('/kv/a', { value: '1' }, { headers })).status).toBe(200);
      expectEmpty(await app.azure.put('/kv/a', { value: '2' }, { headers }), 412);
      expectEmpty(await app.azure.delete('/kv/a', { headers }), 412);
    });

    it('the tag of one label is not the tag of another', async () => {
      const { etag } = (await app.azure.put('/kv/a?label=l', { value: 'v' })).json;
      expectEmpty(await app.azure.put('/kv/a', { value: 'w' }, { headers: { 'if-match': `"${etag}"` } }), 412);
    });
  });

  it.each(['/keys', '/labels'])('are ignored by %s', async (path) => {
    for (const headers of [...OTHER, ...NONE_EQUAL]) {
      expect((await app.azure.get(path, { headers })).status).toBe(200);
      expect((await app.azure.head(path, { headers })).status).toBe(200);
    }
  });

  it('hold against the state that Accept-Datetime asks for', async () => {
    await startAnew();
    const first = await app.azure.get('/kv/a');
    await app.sql(`UPDATE key_value_revision SET last_modified = '2020-01-01T00:00:00Z'`);
    await app.azure.put('/kv/a', { value: 'now' });
    const past = { 'accept-datetime': 'Fri, 01 May 2020 00:00:00 GMT' };
    const unchanged = await app.azure.get('/kv/a', { headers: { ...past, 'if-none-match': first.headers.etag! } });
    expectEmpty(unchanged, 304);
    expect(unchanged.headers.etag).toBe(first.headers.etag);
    expect(unchanged.headers['memento-datetime']).toBe('Fri, 01 May 2020 00:00:00 GMT');
    const current = await etagOf('/kv/a');
    expectEmpty(await app.azure.get('/kv/a', { headers: { ...past, 'if-match': `"${current}"` } }), 412);
  });
});
