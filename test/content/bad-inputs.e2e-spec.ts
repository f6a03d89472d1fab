import * as fc from 'fast-check';
import { requestText, exchange } from '../support/raw-http';
import { startApp, type TestApp } from '../support/start-app';
import { basic, ContentHttp, USERS } from './content-http';

const INSIDES = /content_object|plpgsql|\bSELECT\b|node_modules|\.ts:|at \w+ \(/;

let app: TestApp;
let alice: ContentHttp;

beforeAll(async () => {
  app = await startApp({ CMS_USERS: USERS });
  alice = new ContentHttp(app.port).as('alice');
  await alice.add('/', { '@type': 'Folder', id: 'f' });
  await alice.add('/f', { id: 'page', title: 'Page' });
});
afterAll(() => app.close());

const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

describe.each(['POST', 'PATCH'])('%s', (method) => {
  const send = (body: unknown, headers: Record<string, string> = {}): ReturnType<ContentHttp['send']> =>
    alice.send(method, method === 'POST' ? '/f' : '/f/page', { body, headers });

  it.each<[string, unknown]>([
    ['an array', []],
    ['a text', '"text"'],
    ['a number', '5'],
    ['null', 'null'],
    ['no JSON', '{bad'],
    ['a comma too many', '{"@type":"Document","title":"x",}'],
    ['a comment', '{"@type":"Document"/* x */}'],
    ['a form', 'title=x'],
    ['bad UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['101 levels', `{"@type":"Document","x":${deep(100)}}`],
    ['__proto__', '{"@type":"Document","__proto__":{"x":1}}'],
    ['__proto__ in disguise', '{"@type":"Document","a":{"\\u005f_proto__":1}}'],
  ])('meets %s with 400 that says it is no JSON object', async (_, body) => {
    const { status, json } = await send(body);
    expect([status, json]).toEqual([
      400,
      { error: { type: 'DeserializationError', message: 'No JSON object could be decoded' } },
    ]);
  });

  it.each<[string, unknown]>([
    ['a number for a title', { title: 5 }],
    ['an object for a description', { description: {} }],
    ['a number for an id', { id: 5 }],
    ['an id that begins with @', { id: '@x' }],
    ['an id with a slash', { id: 'a/b' }],
    ['an id with U+0000', { id: 'a\u0000' }],
    ['a dot for an id', { id: '..' }],
    ['a very long id', { id: 'x'.repeat(256) }],
    ['half a surrogate pair in a title', { title: '\ud800' }],
    ['half a surrogate pair deep inside', { x: [{ y: '\udc00' }] }],
    ['half a surrogate pair in a name', { ['\ud800']: 1 }],
    ['a number without bounds', '{"@type":"Document","x":1e999}'],
  ])('meets %s with 400', async (_, body) => {
    const { status, json } = await send(typeof body === 'string' ? body : { '@type': 'Document', ...(body as object) });
    expect([status, json.type]).toEqual([400, 'BadRequest']);
  });

  it('reads a megabyte and no more', async () => {
    const head = `{"@type":"Document","id":"${method === 'POST' ? 'big' : 'page'}","x":"`;
    const body = (bytes: number): string => `${head}${'x'.repeat(bytes - head.length - 2)}"}`;
    expect((await send(body(1024 * 1024))).status).toBe(method === 'POST' ? 201 : 204);
    const path = method === 'POST' ? '/f' : '/f/page';
    const headers = { Host: `127.0.0.1:${app.port}`, Authorization: basic('alice') };
    const answer = await exchange(app.port, requestText(method, path, headers, body(1024 * 1024 + 1)));
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([413, { type: 'RequestEntityTooLarge' }]);
    await alice.delete('/f/big');
  });

  it('keeps whatever else is sent, to the letter', async () => {
    const nasty = "'; DROP TABLE content_object; -- \u0000\u0001\\u0000 %_\\ <b>é😀";
    const fields = { constructor: nasty, [nasty]: nasty, toString: 1, blocks: { [nasty]: [nasty, deep(50)] }, '': 0 };
    const sent = { '@type': 'Document', title: nasty, description: nasty, ...fields };
    const { status, json } = await alice.send(method, method === 'POST' ? '/f' : '/f/page', {
      body: sent,
      headers: { prefer: 'return=representation' },
    });
    expect(status).toBe(method === 'POST' ? 201 : 200);
    expect(json).toMatchObject({ title: nasty, description: nasty });
    const shown = (await alice.get(new URL(json['@id']).pathname)).json;
    for (const [name, value] of Object.entries(fields)) expect(shown[name]).toEqual(value);
  });

  it('ignores what only the service sets', async () => {
    const sent = {
      '@id': 'x',
      '@components': 1,
      created: 'x',
      modified: 'x',
      items: [1],
      items_total: 5,
      is_folderish: true,
    };
    const more = {
      parent: 1,
      review_state: 'private',
      lock: { locked: true },
      batching: 1,
      version: 'a field like any',
    };
    const { json } = await alice.send(method, method === 'POST' ? '/f' : '/f/page', {
      body: { '@type': 'Document', ...sent, ...more },
      headers: { prefer: 'return=representation' },
    });
    expect(json).toMatchObject({ is_folderish: false, review_state: 'published', version: 'a field like any' });
    expect(json.parent['@type']).toBe('Folder');
    expect([json.items, json.batching, json.items_total]).toEqual([undefined, undefined, undefined]);
  });
});

it('fields of many changes together have a bound', async () => {
  const path = await alice.add('/f', { id: 'growing' });
  const part = 'x'.repeat(1024 * 1024 - 100);
  expect((await alice.patch(path, { a: part })).status).toBe(204);
  expect((await alice.patch(path, { b: part })).status).toBe(204);
  expect(await alice.patch(path, { c: part })).toMatchObject({ status: 413, json: { type: 'RequestEntityTooLarge' } });
  expect((await alice.get(path)).json.c).toBeUndefined();
  expect((await alice.patch(path, { a: null, c: part })).status).toBe(204);
});

it('fields of one body have the same bound, as they are stored', async () => {
  // Four characters that are twenty-one digits.
  const numbers = (count: number): string =>
    `{"@type":"Document","id":"numbers","a":[${Array.from({ length: count }, () => '1e20').join(',')}]}`;
  const { status, json } = await alice.post('/f', numbers(200_000));
  expect([status, json.type]).toEqual([413, 'RequestEntityTooLarge']);
  expect((await alice.get('/f/numbers')).status).toBe(404);
  expect((await alice.post('/f', numbers(90_000))).status).toBe(201);
  expect((await alice.patch('/f/numbers', { b: 1 })).status).toBe(204);
});

describe('conditions', () => {
  it('a GET has a strong tag that follows what is shown, and 304 for it', async () => {
    const path = await alice.add('/', { '@type': 'Folder', id: 'cond' });
    const first = await alice.get(path);
    expect(first.headers.etag).toMatch(/^"[0-9]+-[\w-]{22}"$/);
    expect(first.headers['cache-control']).toBe('private, no-cache');
    const again = await alice.get(path, { 'if-none-match': `"x", ${first.headers.etag!}` });
    expect(again).toMatchObject({ status: 304, text: '' });
    expect(again.headers.etag).toBe(first.headers.etag);
    await alice.add(path, { id: 'child' });
    const changed = await alice.get(path, { 'if-none-match': first.headers.etag! });
    expect([changed.status, changed.json.items_total]).toEqual([200, 1]);
    // A child does not change the folder itself.
    expect((await alice.patch(path, { title: 'x' }, { 'if-match': first.headers.etag! })).status).toBe(204);
    expect((await alice.patch(path, { title: 'y' }, { 'if-match': first.headers.etag! })).status).toBe(412);
  });

  it.each<[string, (etag: string) => string, number]>([
    ['its tag', (etag) => etag, 204],
    ['its tag among others', (etag) => `"x" , ${etag}, "1"`, 204],
    ['*', () => '*', 204],
    ['the tag as weak', (etag) => `W/${etag}`, 412],
    ['another tag', () => '"1"', 412],
    ['no tag', () => 'x', 412],
    ['10,000 quotes', () => '"'.repeat(10_000), 412],
  ])('If-Match with %s', async (_, header, status) => {
    for (const method of ['PATCH', 'DELETE']) {
      const path = await alice.add('/', { id: 'matched' });
      const { headers } = await alice.get(path);
      const answer = await alice.send(method, path, { headers: { 'if-match': header(headers.etag!) } });
      expect(answer.status).toBe(status);
      if (status === 412) expect(answer.json.type).toBe('PreconditionFailed');
      await alice.delete(path);
    }
  });

  it('the tag of an answer to a change is good for the next one', async () => {
    const { headers } = await alice.post('/', { '@type': 'Document', id: 'chain' });
    const next = await alice.patch('/chain', { title: '1' }, { 'if-match': headers.etag! });
    expect(next.status).toBe(204);
    expect((await alice.patch('/chain', { title: '2' }, { 'if-match': next.headers.etag! })).status).toBe(204);
    expect((await alice.delete('/chain', { 'if-match': next.headers.etag! })).status).toBe(412);
    // The tag of what was there before fits nothing that takes its place.
    const { etag } = (await alice.get('/chain')).headers;
    await alice.delete('/chain');
    await alice.add('/', { id: 'chain' });
    expect((await alice.patch('/chain', { title: '3' }, { 'if-match': etag! })).status).toBe(412);
  });
});

it('1,000 generated requests get no 5xx, no HTML and no word of the inside', async () => {
  const piece = fc.constantFrom(
    'f',
    'page',
    '@move',
    '@copy',
    '@x',
    '%40move',
    '++api++',
    '',
    '..',
    '%00',
    '%ff',
    '%',
    'é',
    '%2f',
    ';',
    "'",
  );
  const value: fc.Arbitrary<unknown> = fc.oneof(
    fc.constantFrom<unknown>(
      null,
      true,
      0,
      -1,
      1.5,
      '',
      'x',
      '/f',
      '/f/page',
      '\u0000',
      '\ud800',
      [],
      {},
      'top',
      'Document',
      'Folder',
    ),
    fc.array(fc.constantFrom<unknown>('/f', 5, null)),
    fc.record({ obj_id: fc.constantFrom<unknown>('page', 'x', 1), delta: fc.constantFrom<unknown>('top', 1, -1, {}) }),
  );
  const name = fc.constantFrom(
    '@type',
    'id',
    'UID',
    'title',
    'description',
    'ordering',
    'source',
    'x',
    'parent',
    '@id',
    'lock',
    '__proto__',
  );
  const body = fc.oneof(
    fc.dictionary(name, value).map((json) => JSON.stringify({ '@type': 'Document', ...json })),
    fc.dictionary(name, value).map((json) => JSON.stringify(json)),
    fc.constantFrom('[]', '{', '', '\u0000', 'a=b'),
  );
  const query = fc.constantFrom(
    '',
    '?b_start=x',
    '?b_size=1',
    '?fullobjects',
    '?%ff',
    '?include_items=0',
    '?b_start=999999999',
  );
  const header = fc.constantFrom<[string, string]>(
    ['if-match', '"1"'],
    ['if-none-match', '*'],
    ['lock-token', '<x>'],
    ['prefer', 'return=representation'],
    ['content-type', 'text/html'],
    ['accept', 'text/html'],
  );
  const statuses = new Set<number>();
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE', 'PUT', 'HEAD', 'OPTIONS'),
      fc.oneof(
        fc.constantFrom('/', '//', '/++api++/', '/f', '/f/page', '/@copy'),
        fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join('/')),
      ),
      query,
      fc.array(header, { maxLength: 3 }),
      body,
      async (method, path, search, headers, text) => {
        const hasBody = method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS';
        const target = Buffer.from(`${path.replace(/^\/*/, '/')}${search}`).toString('latin1');
        const all = { Host: 'x', Authorization: basic('alice'), ...Object.fromEntries(headers) };
        const bytes = Buffer.from(text).toString('latin1');
        const answer = await exchange(app.port, requestText(method, target, all, hasBody ? bytes : undefined));
        statuses.add(answer.status);
        expect(answer.status).toBeLessThan(500);
        expect(answer.body).not.toMatch(INSIDES);
        if (answer.body !== '') expect(JSON.parse(answer.body)).toBeInstanceOf(Object);
      },
    ),
    { numRuns: 1000, seed: 20261121 },
  );
  expect([...statuses]).toEqual(expect.arrayContaining([200, 201, 204, 400, 403, 404, 405]));
});
