import { exchange, type RawAnswer, requestText, valueOf } from '../support/raw-http';
import { startApp, type TestApp } from '../support/start-app';
import { ContentHttp } from '../content/content-http';
import { NativeHttp } from '../distributed-lock/native-http';
import { faultOf } from './answer-shapes';
import { type BadRequest, surfaceOf, wireText } from './bad-http';
import { basic, CMS_USERS, SECRETS } from './callers';

/**
 * The table of bad inputs on the design's page on reliability (section 5), row by row, for each surface that has such an input: the
 * status is what the surface's contract says where it says anything, and what the row says where it does not.
 */

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ CMS_USERS, DAPR_API_TOKEN: SECRETS.lockToken, FAILED_LOGINS_PER_MINUTE: '1000000' });
  await app.azure.put('/kv/there', { value: 'v' });
  await new NativeHttp(app.port, 'lockstore', { 'dapr-api-token': SECRETS.lockToken }).grant('there', 'holder');
  const content = new ContentHttp(app.port, basic('mia', SECRETS.passwords.manager));
  for (const id of ['there', 'locked']) await content.add('/', { id, title: id });
});
afterAll(() => app.close());

type Call = Omit<BadRequest, 'headers' | 'sender'> & Partial<Pick<BadRequest, 'headers' | 'sender'>>;

async function send({ headers = [], sender = 'master', body, ...call }: Call): Promise<RawAnswer> {
  const type = body === undefined ? [] : [['Content-Type', 'application/json'] as const];
  // A type that is given stands in the place of the usual one.
  const all = headers.some(([name]) => name === 'Content-Type') ? headers : [...type, ...headers];
  const request: BadRequest = { ...call, headers: all, sender, ...(body === undefined ? {} : { body }) };
  const text = wireText(request, app.port);
  const answer = await exchange(app.port, text, call.method);
  expect(faultOf(surfaceOf(call.target), call.method, answer, text)).toBeUndefined();
  return answer;
}

const V = '?api-version=2023-11-01';
const LOCK = '/v1.0-alpha1/lock/lockstore';
const UNLOCK = '/v1.0-alpha1/unlock/lockstore';
const NATIVE = '/api/v1/lock-stores/lockstore/locks';
const put = (target: string, body: string, headers: BadRequest['headers'] = []): Call => ({
  method: 'PUT',
  target,
  body,
  headers,
});
const post = (target: string, body: string, headers: BadRequest['headers'] = []): Call => ({
  method: 'POST',
  target,
  body,
  headers,
});
const patch = (target: string, body: string, headers: BadRequest['headers'] = []): Call => ({
  method: 'PATCH',
  target,
  body,
  headers,
});
const get = (target: string, headers: BadRequest['headers'] = []): Call => ({ method: 'GET', target, headers });
const kv = (body: string): Call => put(`/kv/new${V}`, body);
const dapr = (members: string): Call =>
  post(LOCK, `{"resourceId":"new","lockOwner":"o","expiryInSeconds":60${members}}`);
const native = (members: string): Call => put(`${NATIVE}/new`, `{"owner":"o","ttlMs":60000${members}}`);
const object = (members: string): Call => post('/', `{"@type":"Document","title":"New"${members}}`);
const long = (count: number): string => 'x'.repeat(count);
const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const tags = (count: number): string => `{${Array.from({ length: count }, (_, index) => `"t${index}":""`).join()}}`;

/** Row, then surface and input, then the request, and what it is answered. */
const ROWS: readonly (readonly [row: string, input: string, call: Call, status: number])[] = [
  ['NUL', 'azure: in a key', get(`/kv/a%00b${V}`), 400],
  ['NUL', 'azure: in a content type', kv('{"content_type":"a\\u0000"}'), 400],
  ['NUL', 'azure: in a value, where the contract allows it', kv('{"value":"a\\u0000"}'), 200],
  ['NUL', 'azure: raw in JSON', kv('{"value":"a\0"}'), 400],
  [
    'NUL',
    'dapr: in an id, where Dapr allows it',
    post(LOCK, '{"resourceId":"a\\u0000","lockOwner":"o","expiryInSeconds":60}'),
    200,
  ],
  ['NUL', 'native: in a new resource', put(`${NATIVE}/a%00b`, '{"owner":"o","ttlMs":60000}'), 400],
  ['NUL', 'native: in an owner', put(`${NATIVE}/new`, '{"owner":"o\\u0000","ttlMs":60000}'), 400],
  ['NUL', 'content: in an id', object(',"id":"a\\u0000"'), 400],
  ['NUL', 'content: in a path', get('/a%00b'), 404],

  ['lone surrogate', 'azure: in a key', get(`/kv/%ed%a0%80${V}`), 400],
  ['lone surrogate', 'azure: in a value', kv('{"value":"\\ud800"}'), 400],
  ['lone surrogate', 'dapr: in an owner', post(UNLOCK, '{"resourceId":"a","lockOwner":"\\udc00"}'), 400],
  ['lone surrogate', 'native: in an owner', put(`${NATIVE}/new`, '{"owner":"\\ud800","ttlMs":60000}'), 400],
  ['lone surrogate', 'native: in metadata', native(',"metadata":{"a":"\\ud800"}'), 400],
  ['lone surrogate', 'content: in a title', object(',"description":"\\ud800"'), 400],

  ['bad UTF-8', 'azure: in a path', get(`/kv/a%ff${V}`), 400],
  ['bad UTF-8', 'azure: in a body', kv('{"value":"\xff"}'), 400],
  ['bad UTF-8', 'dapr: in a body', post(LOCK, '{"resourceId":"\xff","lockOwner":"o","expiryInSeconds":60}'), 400],
  ['bad UTF-8', 'native: in a path', put(`${NATIVE}/%ff`, '{"owner":"o","ttlMs":60000}'), 400],
  ['bad UTF-8', 'native: in a body', put(`${NATIVE}/new`, '{"owner":"\xff","ttlMs":60000}'), 400],
  ['bad UTF-8', 'content: in a path', get('/a%ff'), 400],
  ['bad UTF-8', 'content: in a body', object(',"x":"\xff"'), 400],

  ['size', 'azure: key and label of 2,001 bytes', put(`/kv/${long(1_000)}${V}&label=${long(1_001)}`, '{}'), 400],
  ['size', 'azure: an item of more than 10,240 bytes', kv(`{"value":"${long(10_241)}"}`), 413],
  ['size', 'azure: a body of more than 64 KB', kv(`{"value":"${long(65_536)}"}`), 413],
  ['size', 'azure: the same in chunks', { ...kv(`{"value":"${long(65_536)}"}`), chunkBytes: 8_000 }, 413],
  ['size', 'dapr: a body of more than 4 MiB', dapr(`,"x":"${long(4 * 1_048_576)}"`), 400],
  ['size', 'dapr: the same in chunks', { ...dapr(`,"x":"${long(4 * 1_048_576)}"`), chunkBytes: 60_000 }, 400],
  ['size', 'native: a body of more than 1 MB', native(`,"x":"${long(1_048_576)}"`), 413],
  ['size', 'native: the same in chunks', { ...native(`,"x":"${long(1_048_576)}"`), chunkBytes: 60_000 }, 413],
  ['size', 'content: a body of more than 1 MB', object(`,"x":"${long(1_048_576)}"`), 413],
  ['size', 'content: the same in chunks', { ...object(`,"x":"${long(1_048_576)}"`), chunkBytes: 60_000 }, 413],

  ...(
    [
      ['syntax', '{"a":', 400],
      ['101 levels', `{"x":${deep(100)}}`, 400],
      ['a list', '[]', 400],
      ['__proto__', '{"__proto__":{"a":1}}', 400],
    ] as const
  ).flatMap(([input, body, status]) => [
    ['JSON', `azure: ${input}`, kv(body), status] as const,
    ['JSON', `native: ${input}`, put(`${NATIVE}/new`, body), status] as const,
    ['JSON', `content: ${input}`, post('/', body), status] as const,
    // The contract ignores members that it does not know, whatever they are called and hold; there is no expiry then.
    ['JSON', `dapr: ${input}`, post(LOCK, body), 400] as const,
  ]),
  ['JSON', 'azure: a wrong type', kv('{"value":{}}'), 400],
  ['JSON', 'dapr: a wrong type', post(LOCK, '{"resourceId":42,"lockOwner":"o","expiryInSeconds":60}'), 400],
  ['JSON', 'native: a wrong type', put(`${NATIVE}/new`, '{"owner":42,"ttlMs":60000}'), 400],
  ['JSON', 'content: a wrong type', object(',"description":42'), 400],
  ['JSON', 'azure: 1,001 tags', kv(`{"tags":${tags(1_001)}}`), 400],
  ['JSON', 'dapr: __proto__ beside what is needed, which is ignored', dapr(',"__proto__":{"a":1}'), 200],
  ['JSON', 'dapr: the same member twice', dapr(',"resourceId":"b"'), 400],

  ['media type', 'azure', put(`/kv/new${V}`, '{}', [['Content-Type', 'text/plain']]), 415],
  [
    'media type',
    'dapr: ignored',
    post(UNLOCK, '{"resourceId":"a","lockOwner":"o"}', [['Content-Type', 'text/plain']]),
    200,
  ],
  ['media type', 'native', put(`${NATIVE}/new`, '{"owner":"o","ttlMs":1}', [['Content-Type', 'text/plain']]), 415],
  ['media type', 'content: ignored', patch('/there', '{"title":"There"}', [['Content-Type', 'text/plain']]), 204],

  ...['/kv?api-version=2023-11-01', '/v1.0/metadata', '/api/v1/audit', '/openapi.json', '/there'].map(
    (target) =>
      [
        'headers',
        `more than 200 to ${target}`,
        get(
          target,
          Array.from({ length: 201 }, (_, n) => [`x-${n}`, ''] as const),
        ),
        431,
      ] as const,
  ),

  ['filters', 'azure: six values', get(`/kv${V}&key=a,b,c,d,e,f`), 400],
  ['filters', 'azure: a star in the middle', get(`/kv${V}&key=a*b`), 400],
  ['filters', 'azure: a percent sign', get(`/kv${V}&key=%25`), 200],
  ['filters', 'azure: a backslash at the end', get(`/kv${V}&key=no%5C`), 200],
  ['filters', 'native: a percent sign', get(`${NATIVE}?prefix=%25`), 200],

  ...['0', '-1', '1.5', '1e15'].flatMap((expiry) => [
    [
      'expiry',
      `dapr: ${expiry}`,
      post(LOCK, `{"resourceId":"new","lockOwner":"o","expiryInSeconds":${expiry}}`),
      400,
    ] as const,
    ['expiry', `native: ${expiry}`, put(`${NATIVE}/new`, `{"owner":"o","ttlMs":${expiry}}`), 400] as const,
    // Above the longest the contract shortens it.
    [
      'expiry',
      `content: ${expiry}`,
      post('/locked/@lock', `{"timeout":${expiry}}`),
      expiry === '1e15' ? 200 : 400,
    ] as const,
  ]),

  ['names', 'dapr: an empty resource', post(LOCK, '{"resourceId":"","lockOwner":"o","expiryInSeconds":60}'), 400],
  ['names', 'dapr: an empty owner', post(UNLOCK, '{"resourceId":"a","lockOwner":""}'), 400],
  [
    'names',
    'dapr: two pipes, which the contract answers with 500',
    post(LOCK, '{"resourceId":"a||b","lockOwner":"o","expiryInSeconds":60}'),
    500,
  ],
  ['names', 'native: an empty owner', put(`${NATIVE}/new`, '{"owner":"","ttlMs":60000}'), 400],
  ['names', 'native: an owner of 513 characters', put(`${NATIVE}/new`, `{"owner":"${long(513)}","ttlMs":60000}`), 400],
  ['names', 'native: a resource of 513 characters', put(`${NATIVE}/${long(513)}`, '{"owner":"o","ttlMs":60000}'), 400],
  ['names', 'native: two pipes', put(`${NATIVE}/a%7C%7Cb`, '{"owner":"o","ttlMs":60000}'), 400],

  ...['/kv/%2e%2e', '/../kv', '/%2e%2e/kv', '/./kv', '/%2E/kv'].map(
    (target) => ['paths', target, get(`${target}${V}`), target.startsWith('/kv') ? 404 : 400] as const,
  ),
  ['paths', 'azure: an encoded slash belongs to the key', get(`/kv/a%2fb${V}`), 404],
  ['paths', 'azure: two slashes belong to the key', get(`/kv//there${V}`), 404],
  ['paths', 'azure: a semicolon belongs to the key', get(`/kv/there;x=y${V}`), 404],
  ['paths', 'azure: a percent sign', get(`/kv/a%25b${V}`), 400],
  ['paths', 'azure: half an escape', get(`/kv/a%4${V}`), 400],
  ['paths', 'dapr: dots', post('/v1.0-alpha1/lock/../lock/lockstore', '{}'), 404],
  [
    'paths',
    'dapr: an encoded slash belongs to the name',
    post('/v1.0-alpha1/lock/%2flockstore', '{"resourceId":"a","lockOwner":"o","expiryInSeconds":1}'),
    400,
  ],
  ['paths', 'dapr: half an escape', post('/v1.0-alpha1/lock/%4', '{}'), 400],
  ['paths', 'native: dots', get(`${NATIVE}/../../../audit`), 404],
  ['paths', 'native: an encoded slash belongs to the name', get(`${NATIVE}/a%2fb`), 200],
  ['paths', 'native: half an escape', get(`${NATIVE}/%4`), 400],
  ['paths', 'content: dots inside', get('/there/../there'), 404],
  ['paths', 'content: an encoded slash belongs to the id', get('/there%2f@lock'), 404],
  ['paths', 'content: a semicolon belongs to the id', get('/there;x=y'), 404],
  ['paths', 'content: half an escape', get('/there%4'), 400],

  [
    'If-Match',
    'azure: 10,000 quotes are no list of tags and ignored',
    get(`/kv/there${V}`, [['If-Match', '"'.repeat(10_000)]]),
    200,
  ],
  ['If-Match', 'content: 10,000 quotes', patch('/there', '{"title":"There"}', [['If-Match', '"'.repeat(10_000)]]), 412],

  ['Accept-Datetime', 'azure: unreadable', get(`/kv/there${V}`, [['Accept-Datetime', 'yesterday']]), 200],
  ['Accept-Datetime', 'azure: the future', get(`/kv/there${V}`, [['Accept-Datetime', '2999-01-01T00:00:00Z']]), 200],
  [
    'Accept-Datetime',
    'azure: before there was anything',
    get(`/kv/there${V}`, [['Accept-Datetime', '2001-01-01T00:00:00Z']]),
    404,
  ],

  ['tokens', 'azure: a forged continuation', get(`/kv${V}&after=nonsense`), 200],
  ['tokens', 'azure: a forged Sync-Token', get(`/kv${V}`, [['Sync-Token', '=;=;sn=x']]), 200],
  ['tokens', 'native: a forged continuation', get(`${NATIVE}?after=nonsense`), 200],
  ['tokens', 'native: the same of the audit log', get('/api/v1/audit?after=nonsense'), 200],
];

describe.each(ROWS)('%s: %s', (row, _input, call, status) => {
  it(`is ${status}, in the shape of its surface`, async () => {
    const answer = await send(call);
    expect(answer.status).toBe(status);
    if (row === 'filters' && status === 200) {
      expect(JSON.parse(answer.body)).toMatchObject({ items: [] });
    }
    if (row === 'Accept-Datetime' && status === 200) expect(valueOf(answer, 'memento-datetime')).toBeUndefined();
  });
});

describe('a forged continuation', () => {
  it.each([`/kv${V}`, `/keys${V}`, `/labels${V}`, `/revisions${V}`, `${NATIVE}?limit=9`])(
    'of %s opens the first page',
    async (target) => {
      const first = await send(get(target));
      const forged = await send(get(`${target}&after=nonsense`));
      expect(JSON.parse(forged.body)).toEqual(JSON.parse(first.body));
    },
  );
});

describe('SQL', () => {
  const SQL = "'; drop table key_value; select pg_sleep(9); --";
  const json = JSON.stringify(SQL);
  const path = encodeURIComponent(SQL);

  it.each<[string, Call, number, Call]>([
    [
      'azure: key, label, value, type, tags',
      put(`/kv/${path}${V}&label=${path}`, `{"value":${json},"content_type":${json},"tags":{${json}:${json}}}`),
      200,
      get(`/kv/${path}${V}&label=${path}`),
    ],
    [
      'dapr: resource and owner',
      post(LOCK, `{"resourceId":${json},"lockOwner":${json},"expiryInSeconds":60}`),
      200,
      get(`${NATIVE}/${path}`),
    ],
    [
      'native: resource, owner, metadata',
      put(`${NATIVE}/2${path}`, `{"owner":${json},"ttlMs":60000,"metadata":{"a":${json}}}`),
      201,
      get(`${NATIVE}/2${path}`),
    ],
    [
      'content: title, description, field',
      post('/', `{"@type":"Document","id":"sql","title":${json},"description":${json},"x":${json}}`),
      201,
      get('/sql'),
    ],
  ])('%s: stored verbatim', async (_what, write, status, read) => {
    expect((await send(write)).status).toBe(status);
    const found = await send(read);
    expect(found.status).toBe(200);
    expect(found.body).toContain(json);
  });
});

describe('what two readers could read in two ways', () => {
  const TARGETS = [`/kv${V}`, '/v1.0/metadata', '/api/v1/audit', '/openapi.json', '/there'];
  const host = (): string => `127.0.0.1:${app.port}`;

  it.each(TARGETS)('two Authorization headers to %s are 400 and end the connection', async (target) => {
    const text = requestText('GET', target, { Host: host(), Authorization: 'Basic YTpi', authorization: 'Basic YTpj' });
    const answer = await exchange(app.port, text);
    expect([answer.status, valueOf(answer, 'connection')]).toEqual([400, 'close']);
    expect(faultOf(surfaceOf(target), 'GET', answer, text)).toBeUndefined();
  });

  it.each(TARGETS)('two Host headers to %s are 400 and end the connection', async (target) => {
    const text = requestText('GET', target, { Host: host(), host: 'elsewhere' });
    const answer = await exchange(app.port, text);
    expect([answer.status, valueOf(answer, 'connection')]).toEqual([400, 'close']);
    expect(faultOf(surfaceOf(target), 'GET', answer, text)).toBeUndefined();
  });

  it.each(TARGETS)('a length and chunks to %s are 400 and end the connection', async (target) => {
    const text = `${requestText('POST', target, { Host: host(), 'Content-Length': '3', 'Transfer-Encoding': 'chunked' })}0\r\n\r\n`;
    const answer = await exchange(app.port, text);
    expect([answer.status, valueOf(answer, 'connection')]).toEqual([400, 'close']);
  });

  it.each(TARGETS)('more than 32 KB of headers to %s are 431 and end the connection', async (target) => {
    const answer = await exchange(app.port, requestText('GET', target, { Host: host(), X: long(33_000) }));
    expect([answer.status, valueOf(answer, 'connection')]).toEqual([431, 'close']);
  });

  it.each(TARGETS)('an expectation that nobody knows is no reason to refuse %s', async (target) => {
    const expecting = await send(get(target, [['Expect', 'nonsense']]));
    expect(expecting.status).toBe((await send(get(target))).status);
  });
});

describe('what a signature covers', () => {
  const sign = (): Record<string, string> =>
    app.azure.sign('PUT', `/kv/signed${V}`, Buffer.from('{}'), `127.0.0.1:${app.port}`);
  const ask = (method: string, target: string, headers: Record<string, string>, body: string): Promise<RawAnswer> =>
    exchange(
      app.port,
      requestText(
        method,
        target,
        { Host: `127.0.0.1:${app.port}`, 'Content-Type': 'application/json', ...headers },
        body,
      ),
    );

  it('is 401 when anything of it is another', async () => {
    expect((await ask('PUT', `/kv/signed${V}`, sign(), '{}')).status).toBe(200);
    const at = (minutes: number): Record<string, string> =>
      app.azure.sign(
        'PUT',
        `/kv/signed${V}`,
        Buffer.from('{}'),
        `127.0.0.1:${app.port}`,
        new Date(Date.now() + minutes * 60_000).toUTCString(),
      );
    const others = [
      await ask('DELETE', `/kv/signed${V}`, sign(), '{}'),
      await ask('PUT', `/kv/signed2${V}`, sign(), '{}'),
      await ask('PUT', `/kv/signed${V}&label=x`, sign(), '{}'),
      await ask('PUT', `/kv/signed${V}`, sign(), '[]'),
      await ask('PUT', `/kv/signed${V}`, at(16), '{}'),
      await ask('PUT', `/kv/signed${V}`, at(-16), '{}'),
    ];
    for (const answer of others) {
      expect([answer.status, answer.body]).toEqual([401, '']);
      expect(valueOf(answer, 'www-authenticate')).toContain('HMAC-SHA256');
    }
  });

  it('is 403 for a key that may only read', async () => {
    expect((await send({ ...kv('{}'), sender: 'reader' })).status).toBe(403);
  });
});
