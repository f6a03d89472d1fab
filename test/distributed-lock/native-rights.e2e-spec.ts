import { startApp, type TestApp } from '../support/start-app';
import { type NativeAnswer, NativeHttp, expectProblem } from './native-http';

const TOKEN = 'token-of-the-locks';
const ROLES = { reader: 'reader', editor: 'editor', manager: 'manager', dapr: 'editor' };
const passwordOf = (name: keyof typeof ROLES): string => `password of ${name}`;
type Caller = 'reader' | 'editor' | 'manager' | 'token' | 'nobody' | 'key';

let app: TestApp;
let by: Record<Caller, NativeHttp>;
let count = 0;
const fresh = (): string => `resource ${++count}`;

beforeAll(async () => {
  app = await startApp({
    DAPR_API_TOKEN: TOKEN,
    CMS_USERS: Object.entries(ROLES)
      .map(([name, role]) => `${name}:password of ${name}:${role}`)
      .join(','),
  });
  const nobody = new NativeHttp(app.port);
  const as = (role: keyof typeof ROLES): NativeHttp => nobody.as(role, passwordOf(role));
  by = {
    nobody,
    token: new NativeHttp(app.port, 'lockstore', { 'dapr-api-token': TOKEN }),
    key: new NativeHttp(app.port, 'lockstore', {
      authorization: 'HMAC-SHA256 Credential=test-rw&SignedHeaders=a&Signature=b',
    }),
    reader: as('reader'),
    editor: as('editor'),
    manager: as('manager'),
  };
});
afterAll(() => app.close());

/** Every call, on a lock that nobody holds: what is not refused for rights answers the last number. */
const CALLS: [
  string,
  (from: NativeHttp, resource: string) => Promise<NativeAnswer>,
  'inspect' | 'lock' | 'force',
  number,
][] = [
  ['GET stores', (from) => from.send('GET', '/api/v1/lock-stores'), 'inspect', 200],
  ['GET locks', (from) => from.list(), 'inspect', 200],
  ['GET', (from, resource) => from.get(resource), 'inspect', 200],
  ['HEAD', (from, resource) => from.send('HEAD', from.path(resource)), 'inspect', 200],
  ['check', (from, resource) => from.check(resource, { fence: '1' }), 'inspect', 200],
  ['PUT', (from, resource) => from.put(resource, { owner: 'me', ttlMs: 60_000 }), 'lock', 201],
  ['PATCH', (from, resource) => from.patch(resource, { owner: 'me', ttlMs: 1 }), 'lock', 409],
  ['DELETE', (from, resource) => from.delete(resource, '?owner=me'), 'lock', 404],
  ['force', (from, resource) => from.delete(resource, '?force=true&reason=x'), 'force', 404],
];
const RIGHTS: Record<Caller, string[]> = {
  nobody: [],
  key: [],
  reader: ['inspect'],
  token: ['inspect', 'lock'],
  editor: ['inspect', 'lock'],
  manager: ['inspect', 'lock', 'force'],
};

describe.each(Object.keys(RIGHTS) as Caller[])('%s', (caller) => {
  it.each(CALLS)('%s', async (_name, call, right, status) => {
    const answer = await call(by[caller], fresh());
    const isKnown = RIGHTS[caller].length > 0;
    expect(answer.status).toBe(RIGHTS[caller].includes(right) ? status : isKnown ? 403 : 401);
  });

  it.each(CALLS)('%s, on a store that is not there: rights come first', async (_name, call, right) => {
    const answer = await call(by[caller].in('nowhere'), fresh());
    const isKnown = RIGHTS[caller].length > 0;
    const found = _name === 'GET stores' ? 200 : 404;
    expect(answer.status).toBe(RIGHTS[caller].includes(right) ? found : isKnown ? 403 : 401);
  });
});

describe('without a token, on loopback', () => {
  it('everybody may lock and nobody may force', async () => {
    const open = await startApp({}, app);
    try {
      const anyone = new NativeHttp(open.port);
      const resource = fresh();
      const held = await anyone.grant(resource, 'me');
      expectProblem(await anyone.delete(resource, '?force=true&reason=x'), 403, 'forbidden');
      expect((await anyone.get(resource)).json).toEqual(held);
    } finally {
      await open.close();
    }
  });
});

describe('Idempotency-Key', () => {
  const headers = { 'Idempotency-Key': 'k1' };
  const body = { owner: 'me', ttlMs: 60_000 };

  it.each([
    ['another user', 'manager', 0],
    ['another user', 'manager', 50],
    ['a user with the name of the lock clients', 'dapr', 0],
    ['a user with the name of the lock clients', 'dapr', 50],
  ] as const)('of the lock clients gives nothing to %s, %s, who waits %i ms', async (_who, name, waitMs) => {
    const resource = fresh();
    const other = by.nobody.as(name, passwordOf(name));
    const { json: held } = await by.token.put(resource, body, { headers });
    expectProblem(await other.put(resource, { ...body, waitMs }, { headers }), 409, 'lock-held');
    expect((await by.token.put(resource, body, { headers })).json).toEqual(held);
  });

  it('counts for a user, however the user logged in', async () => {
    const resource = fresh();
    const { json: held } = await by.editor.put(resource, body, { headers });
    const login = { login: 'editor', password: passwordOf('editor') };
    const { json } = await by.nobody.send('POST', '/@login', { body: login });
    const again = new NativeHttp(app.port, 'lockstore', { authorization: `Bearer ${json.token}` });
    expect((await again.put(resource, body, { headers })).json).toEqual(held);
  });
});

describe('force', () => {
  const force = (resource: string, query = '&reason=it+hangs'): Promise<NativeAnswer> =>
    by.manager.delete(resource, `?force=true${query}`);
  const audit = async (query: string): Promise<{ items: Record<string, unknown>[] }> =>
    (await by.manager.send('GET', `/api/v1/audit?${query}`)).json;

  it('ends the hold and answers the lock as it was', async () => {
    const resource = fresh();
    const held = await by.editor.grant(resource, 'me', { metadata: { a: 1 } });
    const { status, json } = await force(resource);
    expect([status, json]).toEqual([200, held]);
    expect((await by.reader.get(resource)).json).toMatchObject({ state: 'free', fence: held.fence });
    expectProblem(await by.editor.patch(resource, { fence: held.fence, ttlMs: 1 }), 409, 'lock-lost');
    expect(BigInt((await by.editor.grant(resource, 'you')).fence!)).toBeGreaterThan(BigInt(held.fence!));
  });

  it('hands the lock to the next in line, with a higher fence', async () => {
    const resource = fresh();
    const held = await by.token.grant(resource, 'me');
    const next = by.editor.put(resource, { owner: 'next', ttlMs: 60_000, waitMs: 20_000 });
    while ((await by.reader.get(resource)).json.waiters === 0);
    expect((await force(resource)).status).toBe(200);
    const { status, json } = await next;
    expect([status, json.owner]).toEqual([201, 'next']);
    expect(BigInt(json.fence)).toBeGreaterThan(BigInt(held.fence!));
  });

  it('is in the audit log when it is answered: who, whose and why', async () => {
    const resource = fresh();
    const held = await by.token.grant(resource, 'nul\u0001 é');
    const { headers } = await force(resource, `&reason=${encodeURIComponent('ops: "it hangs" 🔒')}`);
    const { items } = await audit(`surface=lock&target=${encodeURIComponent(`lockstore/${resource}`)}`);
    expect(items).toEqual([
      expect.objectContaining({
        actor: 'manager',
        address: '127.0.0.1',
        requestId: headers['x-request-id'],
        action: 'lock-forced',
        outcome: 'done',
        reason: 'ops: "it hangs" 🔒',
        details: {
          owner: 'nul\u0001 é',
          fence: held.fence,
          grantedAt: held.grantedAt,
          expiresAt: held.expiresAt,
        },
      }),
    ]);
  });

  it('ends nothing that the audit log cannot take', async () => {
    const resource = fresh();
    const held = await by.token.grant(resource, 'me');
    await app.sql(`ALTER TABLE audit_event ADD CONSTRAINT no_room CHECK (target <> 'lockstore/${resource}') NOT VALID`);
    try {
      expect((await force(resource)).status).toBe(500);
      expect((await by.token.get(resource)).json).toEqual(held);
    } finally {
      await app.sql(`ALTER TABLE audit_event DROP CONSTRAINT no_room`);
    }
    expect((await force(resource)).status).toBe(200);
  });

  it('is 404 for a lock that nobody holds, and then not audited', async () => {
    const resource = fresh();
    expectProblem(await force(resource), 404, 'lock-not-held');
    expect((await audit(`target=${encodeURIComponent(`lockstore/${resource}`)}`)).items).toEqual([]);
  });

  it.each([
    ['', 'reason'],
    ['&reason=', 'reason'],
    ['&reason=++', 'reason'],
    [`&reason=${'x'.repeat(1001)}`, 'reason'],
    ['&reason=x&owner=me', 'force'],
  ])('with %s is refused and changes nothing', async (query, parameter) => {
    const resource = fresh();
    const held = await by.token.grant(resource, 'me');
    expectProblem(await force(resource, query), 400, 'invalid-argument', parameter);
    expect((await by.token.get(resource)).json).toEqual(held);
  });

  it('by others is refused, and that is audited too', async () => {
    const resource = fresh();
    const held = await by.token.grant(resource, 'me');
    const refused = await by.editor.delete(resource, '?force=true&reason=x');
    expectProblem(refused, 403, 'forbidden');
    expect((await by.token.get(resource)).json).toEqual(held);
    const isListed = async (): Promise<boolean> =>
      (await audit('actor=editor&surface=native&limit=1000')).items.some(
        ({ requestId, outcome }) => requestId === refused.headers['x-request-id'] && outcome === 'refused',
      );
    while (!(await isListed()));
  });
});
