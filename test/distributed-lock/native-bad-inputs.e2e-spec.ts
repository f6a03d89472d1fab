import { startApp, type TestApp } from '../support/start-app';
import { expectProblem, NativeHttp } from './native-http';

const LOCKS = '/api/v1/lock-stores/lockstore/locks';
const MB = 1024 * 1024;

let app: TestApp;
let locks: NativeHttp;

beforeAll(async () => {
  app = await startApp();
  locks = new NativeHttp(app.port);
  await locks.grant('held', 'me', { ttlMs: 3_600_000 });
});
afterAll(async () => {
  // Nothing that was refused left a trace.
  const rows = await app.sql<{ key: string }>(`SELECT convert_from(stored_key, 'UTF8') AS key FROM lease`);
  await app.close();
  expect(rows).toEqual([{ key: 'lock||latchkey||held' }]);
});

describe('a path', () => {
  it.each(['%', '%2', '%zz', '%ff', '%ed%a0%80', '%c0%af', 'a%00%ff'])(
    'with the segment %s is malformed',
    async (raw) => {
      for (const [method, path] of [
        ['GET', `${LOCKS}/${raw}`],
        ['PUT', `${LOCKS}/${raw}`],
        ['PATCH', `${LOCKS}/${raw}`],
        ['DELETE', `${LOCKS}/${raw}?owner=me`],
        ['POST', `${LOCKS}/${raw}/check`],
        ['GET', `/api/v1/lock-stores/${raw}/locks`],
      ] as const) {
        expectProblem(await locks.send(method, path), 400, 'malformed-path');
      }
    },
  );

  it.each(['a%7C%7Cb', '||', '%7C|'])('to %s would reach into another store', async (raw) => {
    const path = `${LOCKS}/${raw}`;
    const answers = [
      await locks.send('GET', path),
      await locks.send('PUT', path, { body: { owner: 'me', ttlMs: 1 } }),
      await locks.send('PATCH', path, { body: { owner: 'me', ttlMs: 1 } }),
      await locks.send('DELETE', `${path}?owner=me`),
      await locks.send('POST', `${path}/check`, { body: { fence: '1' } }),
    ];
    for (const answer of answers) expectProblem(answer, 400, 'invalid-argument', 'resource');
  });

  it.each([
    ['513 characters', 'x'.repeat(513)],
    ['513 characters of two units', '%F0%9F%94%92'.repeat(513)],
    ['U+0000', 'a%00b'],
  ])('with a resource of %s is no lock to take', async (_what, raw) => {
    const put = await locks.send('PUT', `${LOCKS}/${raw}`, { body: { owner: 'me', ttlMs: 1000 } });
    expectProblem(put, 400, 'invalid-argument', 'resource');
    expect((await locks.send('GET', `${LOCKS}/${raw}`)).status).toBe(200);
  });

  it('is decoded once, and only within its segment', async () => {
    for (const raw of [
      'a%2Fb',
      'a%252Fb',
      'a+b',
      'a;b',
      '..',
      '%2e%2e',
      'check',
      "';DROP%20TABLE%20lease;--",
      '%25',
      '%00',
    ]) {
      const { status, json } = await locks.send('GET', `${LOCKS}/${raw}`);
      expect([status, json.resource]).toEqual([200, decodeURIComponent(raw)]);
    }
    for (const rest of ['a/b', 'a/', '', 'a/check/']) {
      expectProblem(await locks.send('GET', `${LOCKS}/${rest}`), 404, 'not-found');
    }
  });

  it('is 414 beyond what the service reads', async () => {
    expectProblem(await locks.get('x'.repeat(16_384)), 414, 'uri-too-long');
  });
});

describe('a body', () => {
  const calls: [
    string,
    (body: unknown, type?: string | null) => Promise<Parameters<typeof expectProblem>[0]>,
    object,
  ][] = [
    ['PUT', (body, type) => locks.put('free', body, { type }), { owner: 'me', ttlMs: 1000 }],
    ['PATCH', (body, type) => locks.patch('free', body, { type }), { owner: 'me', ttlMs: 1000 }],
    ['check', (body, type) => locks.check('free', body, { type }), { fence: '1' }],
  ];

  it.each(calls)('of %s is needed', async (_name, call) => {
    for (const empty of [undefined, '']) expectProblem(await call(empty), 400, 'invalid-argument', 'body');
  });

  it.each(calls)('of %s is JSON and says so', async (_name, call, body) => {
    for (const type of [
      'text/plain',
      'text/json',
      'application/xml',
      'application/jsonx',
      'application/vnd.a+json',
      '',
      null,
    ]) {
      expectProblem(await call(body, type), 415, 'unsupported-media-type');
    }
  });

  it.each(calls)('of %s may say more about its type', async (name, call, body) => {
    for (const type of ['application/json; charset=utf-8', 'Application/JSON ;x=y']) {
      // PUT would take the lock, so its body lacks what it needs.
      const answer = await call(name === 'PUT' ? { ...body, ttlMs: 0 } : body, type);
      expect(answer.status).toBe({ PUT: 400, PATCH: 409, check: 200 }[name]);
    }
  });

  it.each(calls)('of %s is an object of JSON without comments, depth and prototypes', async (_name, call, body) => {
    const inner = JSON.stringify(body).slice(1);
    for (const text of [
      '{',
      '[]',
      'null',
      '"text"',
      '5',
      `{"a":1,}`,
      `{/**/${inner}`,
      `{"__proto__":{},${inner}`,
      `{"a":{"\\u005f\\u005fproto__":1},${inner}`,
      `{"a":${'['.repeat(100)}${']'.repeat(100)},${inner}`,
      `{"a":"\0",${inner}`,
      Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    ]) {
      expectProblem(await call(text), 400, 'invalid-argument', 'body');
    }
  });

  it.each(calls)('of %s is 413 beyond 1 MB', async (_name, call) => {
    expectProblem(await call(' '.repeat(MB + 1)), 413, 'payload-too-large');
    expectProblem(await call(' '.repeat(MB)), 400, 'invalid-argument', 'body');
  });

  it('has members within their bounds', async () => {
    const good = { owner: 'you', ttlMs: 1000 };
    const put: [object, string][] = [
      [{ owner: undefined }, 'owner'],
      [{ owner: '' }, 'owner'],
      [{ owner: 5 }, 'owner'],
      [{ owner: 'x'.repeat(513) }, 'owner'],
      [{ owner: 'a\0b' }, 'owner'],
      [{ ttlMs: undefined }, 'ttlMs'],
      [{ ttlMs: 0 }, 'ttlMs'],
      [{ ttlMs: -1 }, 'ttlMs'],
      [{ ttlMs: 1.5 }, 'ttlMs'],
      [{ ttlMs: '1000' }, 'ttlMs'],
      [{ ttlMs: 86_400_001 }, 'ttlMs'],
      [{ ttlMs: 1e15 }, 'ttlMs'],
      [{ waitMs: -1 }, 'waitMs'],
      [{ waitMs: 60_001 }, 'waitMs'],
      [{ waitMs: 0.5 }, 'waitMs'],
      [{ metadata: [] }, 'metadata'],
      [{ metadata: 'text' }, 'metadata'],
      [{ metadata: { a: 'x'.repeat(16_384) } }, 'metadata'],
    ];
    for (const [change, parameter] of put) {
      expectProblem(await locks.put('held', { ...good, ...change }), 400, 'invalid-argument', parameter);
    }
    const patch: [object, string][] = [
      [{ owner: undefined }, 'fence'],
      [{ fence: 42 }, 'fence'],
      [{ fence: '0x1' }, 'fence'],
      [{ fence: '9223372036854775808' }, 'fence'],
      [{ owner: '' }, 'owner'],
      [{ ttlMs: 86_400_001 }, 'ttlMs'],
    ];
    for (const [change, parameter] of patch) {
      expectProblem(await locks.patch('held', { ...good, ...change }), 400, 'invalid-argument', parameter);
    }
    for (const fence of [undefined, null, 5, '', '-1', '1.0', '9223372036854775808']) {
      expectProblem(await locks.check('held', { fence }), 400, 'invalid-argument', 'fence');
    }
  });

  it('has no halves of surrogate pairs, which the database would take for one another', async () => {
    const text = (owner: string): string => `{"owner":"${owner}","ttlMs":1000}`;
    for (const owner of ['\\ud800', 'a\\udc00b', '\\udc00\\ud800']) {
      expectProblem(await locks.put('held', text(owner)), 400, 'invalid-argument', 'owner');
      expectProblem(await locks.patch('held', text(owner)), 400, 'invalid-argument', 'owner');
    }
    const metadata = '{"owner":"you","ttlMs":1000,"metadata":{"a":["\\ud800"]}}';
    expectProblem(await locks.put('held', metadata), 400, 'invalid-argument', 'metadata');
  });

  it('may repeat members: the last counts', async () => {
    const renewed = await locks.patch('held', '{"owner":"you","ttlMs":0,"ttlMs":60000,"owner":"me"}');
    expect([renewed.status, renewed.json.owner]).toEqual([200, 'me']);
  });

  it('may have a byte order mark and members that nobody knows', async () => {
    const renewed = await locks.patch('held', '\ufeff{"owner":"me","ttlMs":60000,"other":{"owner":"you"}}');
    expect(renewed.status).toBe(200);
  });
});

describe('a query or header', () => {
  it.each([
    ['?force=1', 'force'],
    ['?force=TRUE&owner=me', 'force'],
    ['?owner=%ff', 'owner'],
    ['?owner=%ed%a0%80', 'owner'],
  ])('DELETE %s is refused', async (query, parameter) => {
    expectProblem(await locks.delete('held', query), 400, 'invalid-argument', parameter);
  });

  it.each(['', 'x', '-1', '1, 2', '0x1', '9223372036854775808', '99999999999999999999'])(
    'Lock-Fence: %s is refused',
    async (fence) => {
      expectProblem(await locks.delete('held', '?owner=me', fence), 400, 'invalid-argument', 'Lock-Fence');
    },
  );

  it('two lines of Lock-Fence are refused', async () => {
    const answer = await locks.send('DELETE', locks.path('held'), { headers: { 'Lock-Fence': ['1', '2'] } });
    expectProblem(answer, 400, 'invalid-argument', 'Lock-Fence');
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=x', 'limit'],
    ['state=locked', 'state'],
    ['prefix=%ff', 'prefix'],
  ])('a list with %s is refused', async (query, parameter) => {
    expectProblem(await locks.list(`?${query}`), 400, 'invalid-argument', parameter);
  });

  it.each(['x', 'AAAA.AAAA', '%00', `.${'A'.repeat(43)}%00`])('a list after %s is the first page', async (after) => {
    const answer = await locks.list(`?after=${after}`);
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual((await locks.list('')).json);
    expect(answer.json.items).not.toEqual([]);
  });
});
