import { type AzureAnswer, type AzureRequestOptions } from '../support/azure-http';
import { startApp, type TestApp } from '../support/start-app';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** What the JavaScript client demands of the header, and throws without. */
const SYNC_TOKEN = /^([^=]+)=([^;]+);sn=(\d+)$/;
const KV = 'application/vnd.microsoft.appconfig.kv+json; charset=utf-8';
const KVSET = 'application/vnd.microsoft.appconfig.kvset+json; charset=utf-8';
const PROBLEM = 'application/problem+json; charset=utf-8';
/** Contract section 2.6, as the real service sends it. */
const VOCABULARY =
  'DNT, X-CustomHeader, Keep-Alive, User-Agent, X-Requested-With, If-Modified-Since, Cache-Control, Content-Type, Authorization, x-ms-client-request-id, x-ms-useragent, x-ms-content-sha256, x-ms-date, host, Accept, Accept-Datetime, Date, If-Match, If-None-Match, Sync-Token, x-ms-return-client-request-id, ETag, Last-Modified, Link, Memento-Datetime, retry-after-ms, x-ms-request-id, x-ms-client-session-id, x-ms-effective-locale, WWW-Authenticate, traceparent, tracestate';

const listed = (header: string | undefined): string[] => (header ?? '').split(', ').sort();
const valuesOf = ({ rawHeaders }: AzureAnswer, name: string): string[] =>
  rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]!.toLowerCase() === name);

const unsigned: AzureRequestOptions = { signed: false, apiVersion: null };

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
  for (const key of ['present', 'locked']) expect((await app.azure.put(`/kv/${key}`, { value: 'v' })).status).toBe(200);
  await app.sql(`UPDATE key_value SET locked = true WHERE key = 'locked'`);
});
afterAll(() => app.close());

describe('the first path segment chooses the surface', () => {
  it.each(['/kv', '/kv/', '//kv', '///kv/', '/keys', '//keys/', '/labels', '/revisions'])(
    '%s is Azure’s',
    async (path) => {
      const answer = await app.azure.get(path);
      expect(answer.status).toBe(200);
      expect(answer.json.items).toBeInstanceOf(Array);
      expect(answer.headers['x-ms-request-id']).toMatch(UUID);
    },
  );

  it('lists key-values under /kv/ as under /kv', async () => {
    const [plain, slash] = await Promise.all([app.azure.get('/kv?key=present'), app.azure.get('/kv/?key=present')]);
    expect(plain.json.items).toHaveLength(1);
    expect(slash.text).toBe(plain.text);
    expect(slash.headers['content-type']).toBe(KVSET);
  });

  it.each([
    ['/kv//a', '/a'],
    ['///kv/a//b/', 'a//b/'],
    ['/kv/../healthz', '../healthz'],
    ['/kv/%2e%2e/kv/x', '../kv/x'],
    ['/kv/a/./b', 'a/./b'],
    ['/kv/%2F', '/'],
    ['/kv/healthz', 'healthz'],
    ['/kv/kv/kv', 'kv/kv'],
    ['/kv/a;b=c', 'a;b=c'],
    ['/kv/a+b%20c', 'a+b c'],
  ])('%s names the key %j: the tail is data', async (path, key) => {
    const put = await app.azure.put(path, { value: path });
    expect(put.json).toMatchObject({ key, value: path });
    expect((await app.azure.get(`/kv/${encodeURIComponent(key)}`)).json).toEqual(put.json);
  });

  it.each([
    '/KV',
    '/Kv/x',
    '/%6bv',
    '/kv%2Fx',
    '/%2fkv',
    '/kv;x',
    '/kv%20',
    '/ kv'.replace(' ', '%20'),
    '/kvs',
    '/x/kv',
  ])('%s belongs to content', async (path) => {
    const answer = await app.azure.get(path, unsigned);
    expect(answer.status).toBe(404);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.json).toMatchObject({ type: 'NotFound', context: `http://127.0.0.1:${app.port}` });
    expect(answer.headers['x-request-id']).toMatch(UUID);
    expect(answer.headers['x-ms-request-id']).toBeUndefined();
  });

  it.each(['/', '//', '/?a', '/++api++'])('%s is the root of content', async (path) => {
    const answer = await app.azure.get(path, unsigned);
    expect(answer.status).toBe(200);
    expect(answer.json['@id']).toBe(`http://127.0.0.1:${app.port}`);
  });

  it('leaves everything behind ++api++ to content', async () => {
    for (const path of ['/++api++/kv/present', '/++api++/healthz']) {
      const answer = await app.azure.get(path, unsigned);
      expect(answer.status).toBe(404);
      expect(answer.json.type).toBe('NotFound');
    }
  });

  it.each([
    '/.',
    '/..',
    '/%2e',
    '/%2E',
    '/%2e%2E',
    '/.%2e',
    '/./kv',
    '/../kv/present',
    '//../kv',
    '/%2e%2e/kv',
    '/..?x=1',
  ])('refuses the dot segment of %s with 400', async (path) => {
    for (const method of ['GET', 'PUT', 'OPTIONS']) {
      const answer = await app.azure.send(method, path);
      expect(answer.status).toBe(400);
      expect(answer.json.type).toBe('BadRequest');
    }
  });

  it('takes a segment that only begins with dots for a name', async () => {
    for (const path of ['/...', '/.kv', '/%2e%2e%2e', '/..kv']) {
      expect((await app.azure.get(path, unsigned)).status).toBe(404);
    }
  });

  it('reads the absolute form as the path in it', async () => {
    const target = `http://127.0.0.1:${app.port}/kv/present?api-version=1.0`;
    const headers = app.azure.sign('GET', '/kv/present?api-version=1.0', undefined, `127.0.0.1:${app.port}`);
    expect(await app.azure.send('GET', target, { headers, signed: false })).toMatchObject({ status: 200 });
    expect((await app.azure.get('http://elsewhere/healthz', unsigned)).json).toEqual({ status: 'ok' });
    expect((await app.azure.get('HTTPS://elsewhere?x=/kv', unsigned)).json['@type']).toBe('Plone Site');
    expect((await app.azure.get('http://elsewhere/../kv', unsigned)).status).toBe(400);
  });
});

describe('an unknown path', () => {
  it.each(['/keys/x', '/labels/x', '/revisions/x', '/keys//', '/revisions/x/y'])(
    '%s of Azure’s is 404 without a body',
    async (path) => {
      for (const method of ['GET', 'HEAD']) {
        const answer = await app.azure.send(method, path);
        expect(answer).toMatchObject({ status: 404, text: '' });
        expect(answer.headers['content-type']).toBeUndefined();
        expect(answer.headers['content-length']).toBe('0');
      }
    },
  );

  it.each([
    '/healthz/x',
    '/readyz/x',
    '/api',
    '/api/v1/nothing',
    '/console/x',
    '/metrics/x',
    '/docs/nothing',
    '/openapi.json/x',
    '//docs',
  ])('%s of ours is a 404 problem', async (path) => {
    const answer = await app.azure.get(path, unsigned);
    expect(answer.headers['content-type']).toBe(PROBLEM);
    expect(answer.json).toEqual({ type: 'urn:latchkey:problem:not-found', title: 'Not found', status: 404 });
    expect(answer.headers['x-request-id']).toMatch(UUID);
  });
});

describe('a wrong verb', () => {
  const READ = 'GET, HEAD';
  const ITEM = 'DELETE, GET, HEAD, PUT';
  it.each([
    ...['PUT', 'POST', 'PATCH', 'DELETE', 'TRACE'].flatMap((method) =>
      ['/kv', '/kv/', '/keys', '/keys/x', '/labels', '/labels/x', '/revisions', '/revisions/x'].map((path) => [
        method,
        path,
        READ,
      ]),
    ),
    ...['POST', 'PATCH', 'TRACE'].flatMap((method) => ['/kv/x', '/kv/x/y'].map((path) => [method, path, ITEM])),
  ])('%s %s is 405 without a body', async (method, path, allowed) => {
    for (const options of [{}, unsigned]) {
      const answer = await app.azure.send(method, path, options);
      expect(answer).toMatchObject({ status: 405, text: '' });
      expect(listed(answer.headers.allow).join(', ')).toBe(allowed);
      expect(answer.headers['content-length']).toBe('0');
      expect(answer.headers['content-type']).toBeUndefined();
    }
  });

  it('on an address of ours is a 405 problem', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const answer = await app.azure.send(method, '/healthz', unsigned);
      expect(answer.json).toMatchObject({ type: 'urn:latchkey:problem:method-not-allowed', status: 405 });
      expect(listed(answer.headers.allow)).toEqual(['GET', 'HEAD']);
    }
  });
});

describe('a preflight', () => {
  it.each([
    '/kv',
    '/kv/x/y',
    '/keys',
    '/labels',
    '/locks/x',
    '/revisions',
    '/snapshots/x',
    '/operations',
    '//kv',
    '/kv/a%25b',
  ])('OPTIONS %s needs no credentials and no version', async (path) => {
    const answer = await app.azure.send('OPTIONS', path, {
      ...unsigned,
      headers: { origin: 'https://app.example', 'access-control-request-method': 'PUT' },
    });
    expect(answer).toMatchObject({ status: 204, text: '' });
    expect(listed(answer.headers['access-control-allow-methods'])).toEqual([
      'DELETE',
      'GET',
      'HEAD',
      'OPTIONS',
      'PATCH',
      'POST',
      'PUT',
    ]);
    expect(listed(answer.headers['access-control-allow-headers'])).toEqual(
      listed(`${VOCABULARY}, x-ms-command-name, Range, Operation-Location`),
    );
    expectOpenCors(answer);
    expect(answer.headers['x-ms-request-id']).toMatch(UUID);
  });

  it('stores and reveals nothing, whatever else it carries', async () => {
    const answer = await app.azure.send('OPTIONS', '/kv/preflight', { body: { value: 'v' } });
    expect(answer.status).toBe(204);
    expect((await app.azure.get('/kv/preflight')).status).toBe(404);
  });
});

function expectOpenCors({ headers }: AzureAnswer): void {
  expect(headers['access-control-allow-origin']).toBe('*');
  expect(headers['access-control-allow-credentials']).toBe('true');
  expect(listed(headers['access-control-expose-headers'])).toEqual(
    listed(`${VOCABULARY}, Operation-Location, Retry-After`),
  );
}

/** One request for each status that the surface answers with so far. */
const ANSWERS: [status: number, what: string, send: (options?: AzureRequestOptions) => Promise<AzureAnswer>][] = [
  [200, 'a key-value', (o) => app.azure.get('/kv/present', o)],
  [200, 'a list', (o) => app.azure.get('/kv', o)],
  [200, 'names', (o) => app.azure.get('/keys', o)],
  [200, 'a put', (o) => app.azure.put('/kv/present', { value: 'v' }, o)],
  [204, 'nothing to delete', (o) => app.azure.delete('/kv/missing', o)],
  [204, 'a preflight', (o) => app.azure.send('OPTIONS', '/kv', o)],
  [206, 'a range', (o) => app.azure.get('/revisions', { ...o, headers: { range: 'items=0-0', ...o?.headers } })],
  [304, 'unchanged', (o) => app.azure.get('/kv/present', { ...o, headers: { 'if-none-match': '*', ...o?.headers } })],
  [304, 'unchanged list', (o) => app.azure.get('/kv', { ...o, headers: { 'if-none-match': '*', ...o?.headers } })],
  [400, 'a filter', (o) => app.azure.get('/kv?key=a**', o)],
  [400, 'no version', (o) => app.azure.get('/kv', { ...o, apiVersion: null })],
  [400, '%25 in the path', (o) => app.azure.get('/kv/a%25', o)],
  [401, 'no credentials', (o) => app.azure.get('/kv', { ...o, signed: false })],
  [403, 'a read-only key', (o) => app.azureReader.put('/kv/present', { value: 'w' }, o)],
  [404, 'no key-value', (o) => app.azure.get('/kv/missing', o)],
  [404, 'no route', (o) => app.azure.get('/keys/x', o)],
  [405, 'a verb', (o) => app.azure.send('POST', '/kv', o)],
  [409, 'a read-only key-value', (o) => app.azure.put('/kv/locked', { value: 'w' }, o)],
  [412, 'a condition', (o) => app.azure.get('/kv/present', { ...o, headers: { 'if-match': '"x"', ...o?.headers } })],
  [413, 'an item', (o) => app.azure.put('/kv/present', { value: 'v'.repeat(10_241) }, o)],
  [413, 'a body', (o) => app.azure.put('/kv/present', { value: 'v'.repeat(70_000) }, o)],
  [414, 'a target', (o) => app.azure.get(`/kv?key=${'a'.repeat(20_000)}`, o)],
  [
    415,
    'a body’s type',
    (o) => app.azure.put('/kv/present', {}, { ...o, headers: { 'content-type': 'text/plain', ...o?.headers } }),
  ],
  [416, 'a range', (o) => app.azure.get('/revisions', { ...o, headers: { range: 'items=999-', ...o?.headers } })],
  [431, 'header lines', (o) => app.azure.get('/kv', { ...o, headers: { ...manyHeaders(201), ...o?.headers } })],
];
const manyHeaders = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-line-${index}`, '']));

describe('every answer of the Azure surface', () => {
  it.each(ANSWERS)('%i (%s) has CORS headers and a request id of its own', async (status, _what, send) => {
    const [answer, other] = [await send(), await send()];
    expect(answer.status).toBe(status);
    expectOpenCors(answer);
    expect(answer.headers['x-ms-request-id']).toMatch(UUID);
    expect(other.headers['x-ms-request-id']).not.toBe(answer.headers['x-ms-request-id']);
    expect(answer.headers['x-ms-correlation-request-id']).toBe(answer.headers['x-ms-request-id']);
    expect(answer.headers['x-ms-client-request-id']).toBeUndefined();
    expect(answer.headers.date).toBe(new Date(answer.headers.date!).toUTCString());
  });

  it.each(ANSWERS)('%i (%s) echoes the ids that it is asked to', async (status, _what, send) => {
    const ids = {
      'x-ms-correlation-request-id': 'the correlation',
      'x-ms-client-request-id': 'the client’s'.replace('’', "'"),
    };
    const silent = await send({ headers: ids });
    expect(silent.status).toBe(status);
    expect(silent.headers['x-ms-correlation-request-id']).toBe('the correlation');
    expect(silent.headers['x-ms-client-request-id']).toBeUndefined();
    for (const asked of ['true', 'false', '']) {
      const echo = await send({ headers: { ...ids, 'x-ms-return-client-request-id': asked } });
      expect(echo.headers['x-ms-client-request-id']).toBe("the client's");
      expect(echo.headers['x-ms-request-id']).toMatch(UUID);
    }
  });

  it.each(ANSWERS)('%i (%s) bears no trace of a framework', async (status, _what, send) => {
    const { headers, text } = await send();
    expect(headers['x-powered-by']).toBeUndefined();
    expect(headers['strict-transport-security']).toBeUndefined();
    expect(headers['vary']).toBeUndefined();
    expect(headers.etag ?? '"strong"').toMatch(/^"[^"]*"$/);
    expect(headers['transfer-encoding']).toBeUndefined();
    if (status === 204 || status === 304) expect(headers['content-length']).toBeUndefined();
    else expect(headers['content-length']).toBe(String(Buffer.byteLength(text)));
    if (headers['content-type'] === PROBLEM) {
      expect(Object.keys(JSON.parse(text))).toEqual(['type', 'title', 'name', 'detail', 'status']);
    }
  });

  it.each(ANSWERS)(
    '%i (%s) has a well-formed sync token where the contract asks for one',
    async (status, what, send) => {
      const answer = await send();
      const isPromised = status < 400 || (status === 404 && what === 'no key-value');
      const tokens = valuesOf(answer, 'sync-token');
      if (isPromised && what !== 'a preflight') expect(tokens).toEqual([expect.stringMatching(SYNC_TOKEN)]);
      else for (const token of tokens) expect(token).toMatch(SYNC_TOKEN);
    },
  );

  it('answers 304, 412 and 204 as bare as the real service', async () => {
    const etag = (await app.azure.get('/kv/present')).headers.etag!;
    const unchanged = await app.azure.get('/kv/present', { headers: { 'if-none-match': etag } });
    expect(unchanged).toMatchObject({ status: 304, text: '', headers: { etag } });
    expect(unchanged.headers['content-type']).toBeUndefined();

    const failed = await app.azure.put('/kv/present', { value: 'w' }, { headers: { 'if-match': '"x"' } });
    expect(failed).toMatchObject({ status: 412, text: '' });
    expect(failed.headers['content-length']).toBe('0');
    expect(failed.headers['content-type']).toBeUndefined();

    const nothing = await app.azure.delete('/kv/missing');
    expect(nothing).toMatchObject({ status: 204, text: '' });
    expect(nothing.headers['content-type']).toBe(KV);
  });

  it('has the same status and headers for HEAD as for GET', async () => {
    for (const target of [
      '/kv',
      '/kv/present',
      '/kv/missing',
      '/keys',
      '/labels',
      '/revisions',
      '/kv?key=a**',
      '/kv/a%25',
    ]) {
      const [get, head] = [await app.azure.get(target), await app.azure.head(target)];
      expect(head).toMatchObject({ status: get.status, text: '' });
      const own = ['x-ms-request-id', 'x-ms-correlation-request-id', 'date'];
      const comparable = ({ headers }: AzureAnswer) => Object.entries(headers).filter(([name]) => !own.includes(name));
      expect(comparable(head)).toEqual(comparable(get));
    }
  });
});

describe('Accept', () => {
  it.each([
    'text/html',
    'application/xml, text/plain',
    'nonsense',
    ',;=',
    'application/json;q=0',
    '*/*;q=0',
    '',
    ';',
    'a/b;q=9e9',
  ])('%j is answered all the same', async (accept) => {
    for (const [target, type] of [
      ['/kv/present', KV],
      ['/kv', KVSET],
    ] as const) {
      const answer = await app.azure.get(target, { headers: { accept } });
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toBe(type);
    }
  });

  it('of plain JSON only is answered as plain JSON, of errors never', async () => {
    const accept = 'application/json';
    const [own, plain] = [
      await app.azure.get('/kv/present'),
      await app.azure.get('/kv/present', { headers: { accept } }),
    ];
    expect(plain.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(plain.text).toBe(own.text);
    const refused = await app.azure.get('/kv?key=a**', { headers: { accept } });
    expect(refused.headers['content-type']).toBe(PROBLEM);
  });
});

describe('with CORS_ORIGINS', () => {
  let listedOnly: TestApp;
  const origin = 'https://app.example';
  beforeAll(async () => {
    listedOnly = await startApp({ CORS_ORIGINS: `https://other.example, ${origin}` }, app);
  });
  afterAll(() => listedOnly.close());

  it('echoes a listed origin, on refusals and preflights too', async () => {
    for (const [method, target, status] of [
      ['GET', '/kv/present', 200],
      ['GET', '/kv/missing', 404],
      ['GET', '/kv/a%25', 400],
      ['POST', '/kv', 405],
      ['OPTIONS', '/kv', 204],
    ] as const) {
      const answer = await listedOnly.azure.send(method, target, { headers: { origin } });
      expect(answer.status).toBe(status);
      expect(answer.headers['access-control-allow-origin']).toBe(origin);
      expect(answer.headers['access-control-allow-credentials']).toBe('true');
      expect(answer.headers['access-control-expose-headers']).toContain('Sync-Token');
      expect(listed(answer.headers.vary)).toContain('Origin');
    }
  });

  it.each([undefined, 'https://evil.example', 'null', 'https://app.example.evil', 'HTTPS://APP.EXAMPLE', '*'])(
    'tells %s nothing but to vary',
    async (other) => {
      for (const [method, target] of [
        ['GET', '/kv/present'],
        ['OPTIONS', '/kv'],
        ['GET', '/healthz'],
      ] as const) {
        const answer = await listedOnly.azure.send(method, target, {
          headers: other === undefined ? {} : { origin: other },
        });
        expect(answer.headers['access-control-allow-origin']).toBeUndefined();
        expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
        expect(listed(answer.headers.vary)).toContain('Origin');
      }
    },
  );

  it('opens our own addresses to the listed origins', async () => {
    const answer = await listedOnly.azure.get('/healthz', { ...unsigned, headers: { origin } });
    expect(answer.headers['access-control-allow-origin']).toBe(origin);
    const preflight = await listedOnly.azure.send('OPTIONS', '/healthz', { ...unsigned, headers: { origin } });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-methods']).toContain('GET');
  });
});

describe('our own addresses', () => {
  it.each([
    ['/healthz', { status: 'ok' }],
    ['/readyz', { status: 'ready' }],
    ['/healthz/', { status: 'ok' }],
    ['//readyz', { status: 'ready' }],
  ])('%s needs no credentials', async (path, body) => {
    const answer = await app.azure.get(path, unsigned);
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual(body);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['x-request-id']).toMatch(UUID);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(await app.azure.head(path, unsigned)).toMatchObject({ status: 200, text: '' });
  });

  it('show the documentation', async () => {
    const page = await app.azure.get('/docs', unsigned);
    expect(page.status).toBe(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.text).toContain('swagger-ui');
    const script = await app.azure.get('/docs/swagger-ui.css', unsigned);
    expect(script.status).toBe(200);
    const description = await app.azure.get('/openapi.json', unsigned);
    expect(description.status).toBe(200);
    expect(description.json.openapi).toMatch(/^3\./);
    expect(Object.keys(description.json.paths)).toContain('/readyz');
    for (const answer of [page, script, description]) {
      expect(answer.headers['x-request-id']).toMatch(UUID);
      expect(answer.headers['x-powered-by']).toBeUndefined();
    }
    expect([page.headers.etag, description.headers.etag]).toEqual([undefined, undefined]);
  });
});
