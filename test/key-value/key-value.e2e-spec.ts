import { type AzureAnswer } from '../support/azure-http';
import { expectEmpty } from '../support/expect-answer';
import { startApp, type TestApp } from '../support/start-app';
import { lock } from './stored-key-values';

const KV_TYPE = 'application/vnd.microsoft.appconfig.kv+json; charset=utf-8';
const FIELDS = ['etag', 'key', 'label', 'content_type', 'value', 'tags', 'locked', 'last_modified'];

/** Headers that tell two answers to the same question apart. */
const PER_ANSWER = ['date', 'x-ms-request-id', 'x-ms-correlation-request-id'];

const lastingHeaders = ({ headers }: AzureAnswer): object =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !PER_ANSWER.includes(name)));

/** How the JavaScript and the Go client read the header; both fail on anything else (contract section 12). */
function readSyncToken(header: string | string[] | undefined): bigint {
  expect(typeof header).toBe('string');
  const token = header as string;
  expect(token).toMatch(/^([^=]+)=([^;]+);sn=(\d+)$/);
  expect(token).not.toContain(',');
  const parts = token.split(';');
  expect(parts).toHaveLength(2);
  const number = BigInt(parts[1]!.slice('sn='.length));
  expect(number).toBeLessThan(2n ** 63n);
  return number;
}

describe('/kv/{key}', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());

  it('answers a put with the representation that a get then gives', async () => {
    const put = await app.azure.put('/kv/app%2Fname?label=dev', {
      value: 'v',
      content_type: 'text/plain',
      tags: { a: '1' },
    });
    expect(put.status).toBe(200);
    const get = await app.azure.get('/kv/app/name?label=dev');
    expect(get.status).toBe(200);
    expect(get.text).toBe(put.text);
    expect(Object.keys(get.json)).toEqual(FIELDS);
  });

  it('writes every member in the form that clients read', async () => {
    await app.azure.put('/kv/full?label=l', { value: 'v', content_type: 'text/plain', tags: { a: '1', b: null } });
    const { text, json } = await app.azure.get('/kv/full?label=l');
    expect(text).toBe(
      `{"etag":"${json.etag}","key":"full","label":"l","content_type":"text/plain","value":"v",` +
        `"tags":{"a":"1","b":null},"locked":false,"last_modified":"${json.last_modified}"}`,
    );
    expect(json.etag).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(json.last_modified).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/);
  });

  it('writes what is empty as null, and no tags as an empty object', async () => {
    await app.azure.put('/kv/bare', {});
    const { text, json } = await app.azure.get('/kv/bare');
    expect(text).toBe(
      `{"etag":"${json.etag}","key":"bare","label":null,"content_type":null,"value":null,` +
        `"tags":{},"locked":false,"last_modified":"${json.last_modified}"}`,
    );
  });

  it('writes a lock as a boolean', async () => {
    await app.azure.put('/kv/locked', {});
    await lock(app, 'locked');
    expect((await app.azure.get('/kv/locked')).json.locked).toBe(true);
  });

  it.each(['GET', 'PUT', 'DELETE'])('sends the headers of a representation with %s', async (method) => {
    await app.azure.put('/kv/headers', { value: 'v' });
    const body = method === 'PUT' ? { body: { value: 'w' } } : {};
    const { status, headers, json } = await app.azure.send(method, '/kv/headers', body);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe(KV_TYPE);
    expect(headers.etag).toBe(`"${json.etag}"`);
    expect(headers['last-modified']).toMatch(
      /^(Sun|Mon|Tue|Wed|Thu|Fri|Sat), \d\d [A-Z][a-z][a-z] \d{4} \d\d:\d\d:\d\d GMT$/,
    );
    expect(Date.parse(headers['last-modified']!)).toBe(Date.parse(json.last_modified));
    readSyncToken(headers['sync-token']);
    expect(headers.link).toBeUndefined();
    expect(headers['memento-datetime']).toBeUndefined();
  });

  it('dates a change by the clock of the database', async () => {
    const [before] = await app.sql<{ now: Date }>('SELECT clock_timestamp() AS now');
    const put = await app.azure.put('/kv/dated', { value: 'v' });
    const [row] = await app.sql<{ isDatedThen: boolean }>(
      `SELECT $2::timestamptz BETWEEN date_trunc('second', $1::timestamptz) AND clock_timestamp() AS "isDatedThen"`,
      [before!.now, put.json.last_modified],
    );
    expect(row).toEqual({ isDatedThen: true });
  });

  describe('GET', () => {
    it('finds no key-value under another label', async () => {
      await app.azure.put('/kv/labelled?label=one', {});
      expectEmpty(await app.azure.get('/kv/labelled'), 404);
      expectEmpty(await app.azure.get('/kv/labelled?label=two'), 404);
      expectEmpty(await app.azure.get('/kv/labelled?label=One'), 404);
      expect((await app.azure.get('/kv/labelled?label=one')).status).toBe(200);
    });

    it.each(['label=on*', 'label=*', 'label=one,two', 'label=one%2C', 'label=%5Cone'])(
      'takes %s literally',
      async (query) => {
        await app.azure.put('/kv/literal?label=one', {});
        expectEmpty(await app.azure.get(`/kv/literal?${query}`), 404);
      },
    );

    it('takes wildcards in the path literally', async () => {
      await app.azure.put('/kv/star', {});
      expectEmpty(await app.azure.get('/kv/sta*'), 404);
    });

    it('is case-sensitive in the key', async () => {
      await app.azure.put('/kv/Case', {});
      expectEmpty(await app.azure.get('/kv/case'), 404);
    });

    it('answers a missing key-value with an empty 404 that has a Sync-Token', async () => {
      const answer = await app.azure.get('/kv/missing');
      expectEmpty(answer, 404);
      readSyncToken(answer.headers['sync-token']);
      expect(answer.headers.etag).toBeUndefined();
      expect(answer.headers['last-modified']).toBeUndefined();
    });

    it('answers 304 with entity tag and Sync-Token, without content type and body', async () => {
      const { json } = await app.azure.put('/kv/unmodified', {});
      const answer = await app.azure.get('/kv/unmodified', { headers: { 'if-none-match': `"${json.etag}"` } });
      expectEmpty(answer, 304);
      expect(answer.headers.etag).toBe(`"${json.etag}"`);
      readSyncToken(answer.headers['sync-token']);
    });

    it('answers 412 with neither content type nor body nor representation headers', async () => {
      await app.azure.put('/kv/failed', {});
      const answer = await app.azure.get('/kv/failed', { headers: { 'if-match': '"other"' } });
      expectEmpty(answer, 412);
      expect(answer.headers.etag).toBeUndefined();
      expect(answer.headers['last-modified']).toBeUndefined();
    });

    it('ignores If-Modified-Since', async () => {
      await app.azure.put('/kv/dated', {});
      const headers = { 'if-modified-since': new Date(Date.now() + 86_400_000).toUTCString() };
      expect((await app.azure.get('/kv/dated', { headers })).status).toBe(200);
    });

    it('ignores a content type, as JavaScript sends one', async () => {
      const headers = { 'content-type': 'application/octet-stream' };
      expect((await app.azure.get('/kv/missing', { headers })).status).toBe(404);
    });
  });

  describe('HEAD', () => {
    it('answers as GET does, without the body', async () => {
      await app.azure.put('/kv/head?label=l', { value: 'ä', tags: { a: 'b' } });
      const get = await app.azure.get('/kv/head?label=l');
      const head = await app.azure.head('/kv/head?label=l');
      expect(head.status).toBe(200);
      expect(head.text).toBe('');
      expect(lastingHeaders(head)).toEqual(lastingHeaders(get));
      expect(head.headers['content-length']).toBe(String(Buffer.byteLength(get.text)));
    });

    it.each<[string, Record<string, string>]>([
      ['/kv/no-such', {}],
      ['/kv/head?label=l', { 'if-none-match': '*' }],
      ['/kv/head?label=l', { 'if-match': '"other"' }],
      ['/kv/%07', {}],
      ['/kv', {}],
      ['/kv?key=a*b', {}],
    ])('%s with %j has the status and headers of GET', async (target, headers) => {
      await app.azure.put('/kv/head?label=l', { value: 'ä', tags: { a: 'b' } });
      const get = await app.azure.get(target, { headers });
      const head = await app.azure.head(target, { headers });
      expect(head.status).toBe(get.status);
      expect(head.text).toBe('');
      expect(lastingHeaders(head)).toEqual(lastingHeaders(get));
    });
  });

  describe('$select', () => {
    beforeAll(async () => void (await app.azure.put('/kv/select', { value: 'v', tags: { a: 'b' } })));

    it.each([
      ['$select=value', '{"value":"v"}'],
      ['$select=tags,value,key', '{"key":"select","value":"v","tags":{"a":"b"}}'],
      ['$select=%20VALUE%20,,Key', '{"key":"select","value":"v"}'],
      ['$Select=value', '{"value":"v"}'],
      ['%24select=value', '{"value":"v"}'],
      ['fields=value', '{"value":"v"}'],
      ['Fields=value', '{"value":"v"}'],
      ['$select=&fields=value', '{"value":"v"}'],
      ['$select=tags.a', '{"tags":{"a":"b"}}'],
      ['$select=value,unknown', '{"value":"v"}'],
      ['$select=unknown', '{}'],
      ['$select=description', '{}'],
    ])('%s gives %s', async (query, text) => {
      const answer = await app.azure.get(`/kv/select?${query}`);
      expect(answer.text).toBe(text);
      expect(answer.headers.etag).toMatch(/^"[A-Za-z0-9_-]{43}"$/);
      expect(answer.headers['last-modified']).toBeDefined();
    });

    it.each(['$select=*', '$select=', '$select=,%20,', '$select=value,*', 'fields=*'])(
      '%s gives all',
      async (query) => {
        expect(Object.keys((await app.azure.get(`/kv/select?${query}`)).json)).toEqual(FIELDS);
      },
    );
  });

  describe('Accept', () => {
    beforeAll(async () => void (await app.azure.put('/kv/accept', {})));

    it.each([
      [undefined, KV_TYPE],
      ['*/*', KV_TYPE],
      ['application/*', KV_TYPE],
      ['application/vnd.microsoft.appconfig.kv+json', KV_TYPE],
      ['application/vnd.microsoft.appconfig.kv+json, application/problem+json', KV_TYPE],
      ['application/json, application/vnd.microsoft.appconfig.kv+json', KV_TYPE],
      ['text/html', KV_TYPE],
      ['application/problem+json', KV_TYPE],
      ['application/json', 'application/json; charset=utf-8'],
      ['text/html, application/json;q=0.1', 'application/json; charset=utf-8'],
      ['application/json;q=0', KV_TYPE],
    ])('%p is answered as %s', async (accept, contentType) => {
      const headers: Record<string, string> = accept === undefined ? {} : { accept };
      const answer = await app.azure.get('/kv/accept', { headers });
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toBe(contentType);
      expect(Object.keys(answer.json)).toEqual(FIELDS);
    });

    it('does not change the type of an error', async () => {
      const answer = await app.azure.get('/kv/%07', { headers: { accept: 'application/json' } });
      expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    });
  });

  describe('Sync-Token', () => {
    it('rises with every write', async () => {
      let last = 0n;
      for (const act of [
        () => app.azure.put('/kv/token', { value: '1' }),
        () => app.azure.put('/kv/token', { value: '2' }),
        () => app.azure.delete('/kv/token'),
        () => app.azure.put('/kv/token', { value: '3' }),
      ]) {
        const number = readSyncToken((await act()).headers['sync-token']);
        expect(number).toBeGreaterThan(last);
        last = number;
      }
      for (const target of ['/kv/token', '/kv', '/keys', '/labels', '/revisions', '/kv/missing']) {
        const number = readSyncToken((await app.azure.get(target)).headers['sync-token']);
        expect(number).toBeGreaterThanOrEqual(last);
      }
    });

    it.each([
      'zAJw6V16=MDozIzY4NzEyNjE=',
      'a=b,c=d',
      'latchkey=OTk5',
      '',
      'junk',
      ';;==,,',
      'a=b;sn=99999999999999999999',
    ])('of the request may be %j', async (token) => {
      const headers = { 'sync-token': token };
      expect((await app.azure.put('/kv/token', { value: token }, { headers })).status).toBe(200);
      const answer = await app.azure.get('/kv/token', { headers });
      expect(answer.json.value).toBe(token);
      readSyncToken(answer.headers['sync-token']);
    });

    describe('of another process', () => {
      let other: TestApp;
      beforeEach(async () => void (other = await startApp({}, app)));
      afterEach(() => other.close());

      it('is not older than what a put that alters nothing found', async () => {
        const first = await app.azure.put('/kv/token', { value: 'same' });
        const again = await other.azure.put('/kv/token', { value: 'same' });
        expect(again.text).toBe(first.text);
        expect(readSyncToken(again.headers['sync-token'])).toBe(readSyncToken(first.headers['sync-token']));
      });

      it.each(['/kv/token', '/kv?key=token', '/revisions?key=token'])(
        'is not older than what %s showed',
        async (target) => {
          const put = await app.azure.put('/kv/token', { value: `for ${target}` });
          const answer = await other.azure.get(target);
          expect(answer.text).toContain(`for ${target}`);
          const number = readSyncToken(answer.headers['sync-token']);
          expect(number).toBeGreaterThanOrEqual(readSyncToken(put.headers['sync-token']));
        },
      );
    });
  });

  describe('every answer', () => {
    const HTTP: [number, string, string, object][] = [
      [200, 'GET', '/kv/every', {}],
      [200, 'PUT', '/kv/every', { body: {} }],
      [204, 'DELETE', '/kv/missing', {}],
      [304, 'GET', '/kv/every', { headers: { 'if-none-match': '*' } }],
      [400, 'GET', '/kv?key=a*b', {}],
      [400, 'GET', '/kv/a%25b', {}],
      [401, 'GET', '/kv/every', { signed: false }],
      [404, 'GET', '/kv/missing', {}],
      [404, 'GET', '/keys/x', {}],
      [405, 'POST', '/kv/every', {}],
      [409, 'PUT', '/kv/every-locked', { body: {} }],
      [412, 'PUT', '/kv/every', { body: {}, headers: { 'if-none-match': '*' } }],
      [413, 'PUT', '/kv/every', { body: { value: 'x'.repeat(20_000) } }],
      [415, 'PUT', '/kv/every', { body: 'v', headers: { 'content-type': 'text/plain' } }],
    ];
    beforeAll(async () => {
      await app.azure.put('/kv/every', {});
      await app.azure.put('/kv/every-locked', {});
      await lock(app, 'every-locked');
    });

    it.each(HTTP)('%i %s %s carries request ids and CORS headers', async (status, method, target, options) => {
      const { headers, status: actual } = await app.azure.send(method, target, options);
      expect(actual).toBe(status);
      expect(headers['x-ms-request-id']).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
      expect(headers['x-ms-correlation-request-id']).toBe(headers['x-ms-request-id']);
      expect(headers['x-ms-client-request-id']).toBeUndefined();
      expect(headers['access-control-allow-origin']).toBe('*');
      expect(headers['access-control-allow-credentials']).toBe('true');
      expect(headers['access-control-expose-headers']).toMatch(/\bSync-Token, .*\bETag, .*\bLink, /);
      if (status < 400) readSyncToken(headers['sync-token']);
      if (status === 412 || status === 409 || status === 401) expect(headers['sync-token']).toBeUndefined();
    });

    it('repeats the ids of the request', async () => {
      const { headers } = await app.azure.get('/kv/every', {
        headers: {
          'x-ms-client-request-id': 'mine',
          'x-ms-return-client-request-id': 'true',
          'x-ms-correlation-request-id': 'together',
        },
      });
      expect(headers['x-ms-client-request-id']).toBe('mine');
      expect(headers['x-ms-correlation-request-id']).toBe('together');
      expect(headers['x-ms-request-id']).not.toBe('together');
    });
  });

  describe('verbs', () => {
    it.each([
      ['PUT', '/kv'],
      ['DELETE', '/kv'],
      ['POST', '/kv'],
      ['PATCH', '/kv/'],
      ['POST', '/kv/a'],
      ['PATCH', '/kv/a'],
      ['PUT', '/keys'],
      ['PUT', '/keys/a'],
      ['DELETE', '/labels/a'],
      ['POST', '/labels'],
      ['PUT', '/revisions'],
      ['DELETE', '/revisions/a'],
    ])('%s %s is an empty 405', async (method, target) => {
      expectEmpty(await app.azure.send(method, target), 405);
    });

    it.each(['/keys/a', '/labels/a/b', '/revisions/a'])('GET %s is an empty 404', async (target) => {
      expectEmpty(await app.azure.get(target), 404);
    });

    it.each(['PUT', 'DELETE'])('%s is forbidden to a read-only key', async (method) => {
      expectEmpty(await app.azureReader.send(method, '/kv/a', method === 'PUT' ? { body: {} } : {}), 403);
    });

    it.each(['/kv', '/kv/every', '/keys', '/labels', '/revisions'])('a read-only key reads %s', async (target) => {
      expect((await app.azureReader.get(target)).status).toBe(200);
      expect((await app.azureReader.head(target)).status).toBe(200);
    });
  });
});
