import { LeaseRepository } from '../../src/lease/lease.repository';
import { atOnce } from '../support/at-once';
import { startApp, type TestApp } from '../support/start-app';
import { DaprClient } from './dapr-client';
import { expectProblem, expire, NativeHttp } from './native-http';

const MEMBERS = [
  'store',
  'resource',
  'state',
  'owner',
  'fence',
  'grantedAt',
  'expiresAt',
  'ttlMs',
  'renewals',
  'waiters',
  'metadata',
];
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

let app: TestApp;
let locks: NativeHttp;
let count = 0;
/** A resource that no other test uses. */
const fresh = (): string => `resource ${++count}/é🔒`;
const above = (fence: string | null, other: string | null): boolean => BigInt(fence!) > BigInt(other!);
/** Microseconds between two times of the database, which JavaScript's dates would cut. */
const microseconds = (text: string): number => Date.parse(text) * 1000 + Number(text.slice(23, 26));

beforeAll(async () => {
  app = await startApp();
  locks = new NativeHttp(app.port);
});
afterAll(() => app.close());

describe('PUT', () => {
  it('grants a free lock with 201 and answers it whole', async () => {
    const resource = fresh();
    const answer = await locks.put(resource, { owner: 'me', ttlMs: 30_000, metadata: { why: 'test' } });
    expect(answer.status).toBe(201);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
    });
    expect(Object.keys(answer.json)).toEqual(MEMBERS);
    const { fence, grantedAt, expiresAt, ...rest } = answer.json;
    expect(rest).toEqual({
      store: 'lockstore',
      resource,
      state: 'held',
      owner: 'me',
      ttlMs: 30_000,
      renewals: 0,
      waiters: 0,
      metadata: { why: 'test' },
    });
    expect(fence).toMatch(/^[1-9]\d*$/);
    expect([grantedAt, expiresAt]).toEqual([expect.stringMatching(TIME), expect.stringMatching(TIME)]);
    // The database looks at its clock once for each.
    const length = microseconds(expiresAt) - microseconds(grantedAt);
    expect(length).toBeGreaterThanOrEqual(30_000_000);
    expect(length).toBeLessThan(30_050_000);
  });

  it('gives metadata back as it was sent, to everybody', async () => {
    const resource = fresh();
    const metadata = '{ "2": 1.0, "1": 12345678901234567890, "nul": "\\u0000", "ü": [{}, null] }';
    const put = await locks.put(resource, `{"owner":"me","metadata":${metadata},"ttlMs":60000}`);
    const refused = await locks.put(resource, { owner: 'other', ttlMs: 1 });
    const answers = [put, refused, await locks.get(resource), await locks.list(`?owner=me&limit=1000`)];
    for (const { text } of answers) expect(text).toContain(`"metadata":${metadata}}`);
  });

  it('refuses a lock that another holds with 409 and shows it', async () => {
    const resource = fresh();
    const held = await locks.grant(resource, 'first');
    const answer = await locks.put(resource, { owner: 'second', ttlMs: 1000 });
    expectProblem(answer, 409, 'lock-held');
    expect(answer.json.lock).toEqual(held);
  });

  it('refuses its own holder, who is to renew', async () => {
    const resource = fresh();
    const held = await locks.grant(resource, 'me');
    const again = await locks.put(resource, { owner: 'me', ttlMs: 90_000 });
    expectProblem(again, 409, 'lock-held');
    expect((await locks.get(resource)).json).toEqual(held);
  });

  it('grants to one of twenty that ask at once', async () => {
    const resource = fresh();
    const answers = await atOnce(20, (index) => locks.put(resource, { owner: `o${index}`, ttlMs: 60_000 }));
    const [granted, ...more] = answers.filter(({ status }) => status === 201);
    expect(more).toEqual([]);
    const refused = answers.filter((answer) => answer !== granted);
    expect(refused.map(({ status, json }) => [status, json.lock.fence])).toEqual(
      refused.map(() => [409, granted!.json.fence]),
    );
  });

  it('takes names and times at their bounds', async () => {
    const longest = '🔒'.repeat(512);
    const { status, json } = await locks.put(longest, { owner: longest, ttlMs: 86_400_000, waitMs: 60_000 });
    expect([status, json.resource, json.owner, json.ttlMs]).toEqual([201, longest, longest, 86_400_000]);
    const shortest = await locks.put('a', { owner: '|', ttlMs: 1, waitMs: 0 });
    // An answer that took longer than the lease lasts is no success.
    expect([201, 409]).toContain(shortest.status);
  });

  it('gives fences that rise through release, expiry, force and purge', async () => {
    const resource = fresh();
    const fences = [(await locks.grant(resource, 'a')).fence];
    await locks.delete(resource, '?owner=a');
    fences.push((await locks.grant(resource, 'b')).fence);
    await expire(app, resource);
    fences.push((await locks.grant(resource, 'c')).fence);
    const forced = await startApp({ CMS_USERS: 'boss:password of boss:manager' }, app);
    try {
      await new NativeHttp(forced.port).as('boss', 'password of boss').delete(resource, '?force=true&reason=test');
    } finally {
      await forced.close();
    }
    fences.push((await locks.grant(resource, 'd')).fence);
    await locks.delete(resource, '?owner=d');
    await app.sql(
      `UPDATE lease SET touched_at = touched_at - interval '2 days', expires_at = expires_at - interval '2 days'`,
    );
    await app.app.get(LeaseRepository).purgeIdle(Buffer.alloc(0), 100_000);
    expect((await locks.get(resource)).json.fence).toBeNull();
    fences.push((await locks.grant(resource, 'e')).fence);
    for (let i = 1; i < fences.length; i++) expect(above(fences[i]!, fences[i - 1]!)).toBe(true);
  });
});

describe('Idempotency-Key', () => {
  const key = (value: string) => ({ headers: { 'Idempotency-Key': value } });

  it('answers the same grant again while it is held, and does not extend it', async () => {
    const resource = fresh();
    const first = await locks.put(resource, { owner: 'me', ttlMs: 60_000 }, key('k1'));
    for (const waitMs of [0, 5000]) {
      const again = await locks.put(resource, { owner: 'me', ttlMs: 80_000_000, waitMs }, key('k1'));
      expect([again.status, again.json]).toEqual([201, first.json]);
    }
  });

  it('means nothing with another owner or key', async () => {
    const resource = fresh();
    await locks.put(resource, { owner: 'me', ttlMs: 60_000 }, key('k1'));
    expectProblem(await locks.put(resource, { owner: 'me', ttlMs: 60_000 }, key('k2')), 409, 'lock-held');
    expectProblem(await locks.put(resource, { owner: 'other', ttlMs: 60_000 }, key('k1')), 409, 'lock-held');
    expectProblem(await locks.put(resource, { owner: 'me', ttlMs: 60_000 }), 409, 'lock-held');
  });

  it('is a new grant once the lock was free', async () => {
    const resource = fresh();
    const first = await locks.put(resource, { owner: 'me', ttlMs: 60_000 }, key('k1'));
    await expire(app, resource);
    const second = await locks.put(resource, { owner: 'me', ttlMs: 60_000 }, key('k1'));
    expect(second.status).toBe(201);
    expect(above(second.json.fence, first.json.fence)).toBe(true);
  });

  it.each([1, 255])('may have %i characters', async (length) => {
    expect((await locks.put(fresh(), { owner: 'me', ttlMs: 60_000 }, key('~'.repeat(length)))).status).toBe(201);
  });

  it.each([[''], ['x'.repeat(256)], ['a b'], ['é'], ['a\tb']])('is refused when it is %j', async (value) => {
    expectProblem(
      await locks.put(fresh(), { owner: 'me', ttlMs: 1 }, key(value)),
      400,
      'invalid-argument',
      'Idempotency-Key',
    );
  });
});

describe('PATCH', () => {
  it('extends the lease; fence, grant and metadata stay', async () => {
    const resource = fresh();
    const held = await locks.grant(resource, 'me', { metadata: { a: 1 } });
    const claims = [{ fence: held.fence }, { owner: 'me' }, { owner: 'me', fence: held.fence }];
    let before = held;
    for (const claim of claims) {
      const { status, json } = await locks.patch(resource, { ...claim, ttlMs: 90_000 });
      expect(status).toBe(200);
      expect(json).toEqual({ ...held, ttlMs: 90_000, renewals: before.renewals + 1, expiresAt: json.expiresAt });
      expect(json.expiresAt > before.expiresAt!).toBe(true);
      before = json;
    }
    expect((await locks.get(resource)).json).toEqual(before);
  });

  it('never shortens the lease', async () => {
    const resource = fresh();
    const held = await locks.grant(resource, 'me');
    const { status, json } = await locks.patch(resource, { owner: 'me', ttlMs: 1 });
    expect([status, json.expiresAt, json.ttlMs, json.renewals]).toEqual([200, held.expiresAt, 60_000, 1]);
  });

  it('is 409 lock-lost for whoever does not hold it, and changes nothing', async () => {
    const resource = fresh();
    const old = await locks.grant(resource, 'me');
    await locks.delete(resource, '?owner=me');
    const held = await locks.grant(resource, 'me');
    const wrong = [
      { owner: 'you' },
      { fence: old.fence },
      { owner: 'you', fence: held.fence },
      { owner: 'me', fence: '1' },
    ];
    for (const claim of wrong) {
      expectProblem(await locks.patch(resource, { ...claim, ttlMs: 90_000 }), 409, 'lock-lost');
    }
    expect((await locks.get(resource)).json).toEqual(held);
  });

  it.each(['released', 'expired', 'never held'])(
    'is 409 lock-lost for a lock that was %s, and does not revive it',
    async (what) => {
      const resource = fresh();
      if (what !== 'never held') await locks.grant(resource, 'me');
      if (what === 'released') await locks.delete(resource, '?owner=me');
      if (what === 'expired') await expire(app, resource);
      expectProblem(await locks.patch(resource, { owner: 'me', ttlMs: 90_000 }), 409, 'lock-lost');
      expect((await locks.get(resource)).json.state).toBe('free');
    },
  );
});

describe('DELETE', () => {
  it.each(['fence', 'owner', 'both'])('releases by %s with an empty 204', async (by) => {
    const resource = fresh();
    const { fence } = await locks.grant(resource, 'me & co');
    const query = by === 'fence' ? '' : '?owner=me+%26%20co';
    const answer = await locks.delete(resource, query, by === 'owner' ? undefined : fence!);
    expect([answer.status, answer.text, answer.headers['content-type']]).toEqual([204, '', undefined]);
    expect((await locks.get(resource)).json).toMatchObject({ state: 'free', owner: null, fence });
    expectProblem(await locks.delete(resource, query, by === 'owner' ? undefined : fence!), 404, 'lock-not-held');
  });

  it('is 409 for another than the holder, who keeps it', async () => {
    const resource = fresh();
    const held = await locks.grant(resource, 'me');
    const other = String(BigInt(held.fence!) - 1n);
    for (const [query, fence] of [['?owner=you'], ['', other], ['?owner=me', other], ['?owner=you', held.fence!]]) {
      expectProblem(await locks.delete(resource, query, fence), 409, 'lock-held-by-other');
    }
    expect((await locks.get(resource)).json).toEqual(held);
  });

  it('is 404 for a lock that expired or was never held', async () => {
    const resource = fresh();
    expectProblem(await locks.delete(resource, '?owner=me'), 404, 'lock-not-held');
    await locks.grant(resource, 'me');
    await expire(app, resource);
    expectProblem(await locks.delete(resource, '?owner=me'), 404, 'lock-not-held');
  });

  it('needs to know whose lock it is', async () => {
    const resource = fresh();
    const held = await locks.grant(resource, 'me');
    for (const query of ['', '?owner=', '?force=false', '?reason=x']) {
      expectProblem(await locks.delete(resource, query), 400, 'invalid-argument', 'owner');
    }
    expect((await locks.get(resource)).json).toEqual(held);
  });
});

describe('GET', () => {
  it('shows a lock that nobody ever asked for as free', async () => {
    const resource = fresh();
    const { status, json } = await locks.get(resource);
    expect(status).toBe(200);
    expect(Object.keys(json)).toEqual(MEMBERS);
    expect(json).toEqual({
      store: 'lockstore',
      resource,
      state: 'free',
      owner: null,
      fence: null,
      grantedAt: null,
      expiresAt: null,
      ttlMs: null,
      renewals: 0,
      waiters: 0,
      metadata: null,
    });
  });

  it.each(['released', 'expired'])('shows a lock that was %s as free, with its last fence', async (what) => {
    const resource = fresh();
    const { fence } = await locks.grant(resource, 'me', { metadata: {} });
    await locks.patch(resource, { owner: 'me', ttlMs: 60_000 });
    await (what === 'released' ? locks.delete(resource, '?owner=me') : expire(app, resource));
    const free = {
      owner: null,
      grantedAt: null,
      expiresAt: null,
      ttlMs: null,
      renewals: 0,
      waiters: 0,
      metadata: null,
    };
    expect((await locks.get(resource)).json).toEqual({ store: 'lockstore', resource, state: 'free', fence, ...free });
  });

  it('answers HEAD with its headers, and 405 with what is allowed', async () => {
    const resource = fresh();
    const { headers } = await locks.get(resource);
    const head = await locks.send('HEAD', locks.path(resource));
    expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', headers['content-length']]);
    const refused = await locks.send('POST', locks.path(resource));
    expectProblem(refused, 405, 'method-not-allowed');
    expect(refused.headers.allow!.split(', ').sort()).toEqual(['DELETE', 'GET', 'HEAD', 'PATCH', 'PUT']);
  });

  it('counts those who wait', async () => {
    const resource = fresh();
    await locks.grant(resource, 'me');
    const waiting = locks.put(resource, { owner: 'you', ttlMs: 60_000, waitMs: 20_000 });
    let seen = 0;
    while ((seen = (await locks.get(resource)).json.waiters) === 0);
    expect(seen).toBe(1);
    await locks.delete(resource, '?owner=me');
    expect((await waiting).status).toBe(201);
    expect((await locks.get(resource)).json.waiters).toBe(0);
  });
});

describe('POST …/check', () => {
  it('is true for the fence of the present holder alone', async () => {
    const resource = fresh();
    expect((await locks.check(resource, { fence: '1' })).json).toEqual({ current: false, fence: null });
    const first = (await locks.grant(resource, 'me')).fence!;
    const answer = await locks.check(resource, { fence: first });
    expect([answer.status, answer.text]).toEqual([200, `{"current":true,"fence":"${first}"}`]);
    const higher = String(BigInt(first) + 1n);
    expect((await locks.check(resource, { fence: higher })).json).toEqual({ current: false, fence: first });
    await locks.delete(resource, '', first);
    expect((await locks.check(resource, { fence: first })).json).toEqual({ current: false, fence: first });
    const second = (await locks.grant(resource, 'you')).fence!;
    expect((await locks.check(resource, { fence: first })).json).toEqual({ current: false, fence: second });
    await expire(app, resource);
    expect((await locks.check(resource, { fence: second })).json).toEqual({ current: false, fence: second });
  });
});

describe('the stores', () => {
  it('are listed', async () => {
    const { status, json } = await locks.send('GET', '/api/v1/lock-stores');
    expect([status, json]).toEqual([200, { items: [{ name: 'lockstore', type: 'lock.postgres', version: 'v1' }] }]);
  });

  it('are told apart by name, exactly', async () => {
    const calls = (other: NativeHttp) => [
      other.get('a'),
      other.put('a', { owner: 'me', ttlMs: 1 }),
      other.patch('a', { owner: 'me', ttlMs: 1 }),
      other.delete('a', '?owner=me'),
      other.check('a', { fence: '1' }),
      other.list(),
    ];
    for (const name of ['other', 'LockStore', 'lockstore ', '..', 'a/b']) {
      for (const answer of await Promise.all(calls(locks.in(name)))) expectProblem(answer, 404, 'not-found');
    }
  });
});

describe('together with Dapr', () => {
  let dapr: DaprClient;
  beforeAll(() => void (dapr = new DaprClient(app.port)));

  it('sees, renews, checks and releases what Dapr locked', async () => {
    const resource = fresh();
    const locked = await dapr.lock({ resourceId: resource, lockOwner: 'daprian', expiryInSeconds: 60 });
    expect([locked.status, locked.text]).toEqual([200, '{"success":true}']);
    const { json: lock } = await locks.get(resource);
    expect(lock).toMatchObject({ state: 'held', owner: 'daprian', ttlMs: 60_000, renewals: 0, metadata: null });
    expectProblem(await locks.put(resource, { owner: 'daprian', ttlMs: 1 }), 409, 'lock-held');
    expect((await locks.patch(resource, { owner: 'daprian', ttlMs: 90_000 })).json.fence).toBe(lock.fence);
    expect((await locks.check(resource, { fence: lock.fence })).json.current).toBe(true);
    expect((await locks.delete(resource, '', lock.fence)).status).toBe(204);
    expect((await dapr.unlock({ resourceId: resource, lockOwner: 'daprian' })).text).toBe('{"status":1}');
  });

  it('lets Dapr see and release what was locked here', async () => {
    const resource = fresh();
    await locks.grant(resource, 'me');
    const tried = await dapr.lock({ resourceId: resource, lockOwner: 'daprian', expiryInSeconds: 60 });
    expect(tried.text).toBe('{"success":false}');
    expect((await dapr.unlock({ resourceId: resource, lockOwner: 'daprian' })).text).toBe('{"status":2}');
    expect((await dapr.unlock({ resourceId: resource, lockOwner: 'me' })).text).toBe('{"status":0}');
    expect((await locks.get(resource)).json.state).toBe('free');
  });

  it('reaches names that only Dapr takes', async () => {
    const resource = `nul\0${'x'.repeat(2000)}`;
    const owner = `nul\0${'y'.repeat(2000)}`;
    expect((await dapr.lock({ resourceId: resource, lockOwner: owner, expiryInSeconds: 60 })).text).toBe(
      '{"success":true}',
    );
    expectProblem(await locks.put(resource, { owner: 'me', ttlMs: 1 }), 400, 'invalid-argument', 'resource');
    const { json: lock } = await locks.get(resource);
    expect([lock.resource, lock.owner, lock.state]).toEqual([resource, owner, 'held']);
    expect((await locks.list(`?owner=${encodeURIComponent(owner)}`)).json.items).toEqual([lock]);
    expect((await locks.patch(resource, { owner, ttlMs: 90_000 })).status).toBe(200);
    expect((await locks.check(resource, { fence: lock.fence })).json.current).toBe(true);
    expect((await locks.delete(resource, `?owner=${encodeURIComponent(owner)}`)).status).toBe(204);
  });
});
