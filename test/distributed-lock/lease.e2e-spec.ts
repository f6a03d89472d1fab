import { randomUUID } from 'node:crypto';
import { DistributedLockService } from '../../src/distributed-lock/distributed-lock.service';
import { type LeaseRequest } from '../../src/lease/lease';
import { type LeaseKey, leaseKey, LeaseRepository } from '../../src/lease/lease.repository';
import { LockStore } from '../../src/lease/lock-stores';
import { WaitingLine } from '../../src/lease/waiting-line';
import { outcomeUnknown } from '../../src/problem/catalogue';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

let app: TestApp;
let strict: TestApp;
let pooled: TestApp;
beforeAll(async () => {
  app = await startApp();
  strict = await startApp({ LOCK_DELAY_MS: '3600000', BIND_OWNER_TO_PRINCIPAL: 'true' }, app);
  pooled = await startApp({ DB_POOLER: 'true' }, app);
});
afterAll(async () => {
  await pooled.close();
  await strict.close();
  await app.close();
});
afterEach(() => {
  jest.restoreAllMocks();
});

const STORE = new LockStore('lockstore', 'lock.postgres', 'v1', 'lock||latchkey||');
const MINUTE = 60_000;
const NEVER = new AbortController().signal;

const service = (where: TestApp = app): DistributedLockService =>
  where.app.get(DistributedLockService, { strict: false });
const leases = (where: TestApp = app): LeaseRepository => where.app.get(LeaseRepository, { strict: false });
const line = (): WaitingLine => app.app.get(WaitingLine, { strict: false });
const author = (actor = 'test') => ({ actor, requestId: randomUUID() });
const request = (owner: string, ttlMs = MINUTE, idempotencyKey: string | null = null): LeaseRequest => ({
  owner,
  ttlMs,
  metadata: null,
  idempotencyKey,
});
const claim = (owner: string) => ({ owner, fence: null });
const take = (resource: string, owner: string, ttlMs = MINUTE) =>
  service().tryAcquire(STORE, resource, request(owner, ttlMs), author());
const release = (resource: string, owner: string) => service().release(STORE, resource, claim(owner), author());
const wait = (resource: string, owner: string, signal = NEVER, where = app) =>
  service(where).acquire(STORE, resource, request(owner), MINUTE, author(), signal);
const keyOf = (resource: string): LeaseKey => leaseKey(STORE.storedKey(resource));
const waitersOf = async (resource: string): Promise<number> =>
  (await app.sql(`SELECT FROM lease_ticket WHERE key_digest = $1`, [keyOf(resource).digest])).length;
const expire = (resource: string, inMs = 0) =>
  app.sql(`UPDATE lease SET expires_at = clock_timestamp() + $2 * interval '1 ms' WHERE key_digest = $1`, [
    keyOf(resource).digest,
    inMs,
  ]);
const isOver = async (resource: string): Promise<boolean> => (await service().find(STORE, resource))?.isHeld === false;
/** A place in line at a process of which nothing else is known but that it lives. @returns the process */
const queueElsewhere = async (resource: string, owner: string): Promise<string> => {
  const elsewhere = randomUUID();
  await leases().beat(elsewhere, MINUTE);
  await leases().enqueue(keyOf(resource), request(owner), author(), elsewhere, 0, 10);
  return elsewhere;
};

describe('a renewal', () => {
  it('revives nothing that expired while it waited for the row', async () => {
    await take('renewed', 'me', 200);
    await app.sql('BEGIN');
    await app.sql(`SELECT FROM lease WHERE key_digest = $1 FOR SHARE`, [keyOf('renewed').digest]);
    const renewed = service().renew(STORE, 'renewed', claim('me'), MINUTE, author());
    await waitFor(async () => {
      const [{ waits, isOver }] = (await app.sql(
        `SELECT (SELECT count(*)::int FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()) AS waits,
                expires_at <= clock_timestamp() AS "isOver" FROM lease WHERE key_digest = $1`,
        [keyOf('renewed').digest],
      )) as [{ waits: number; isOver: boolean }];
      return waits === 1 && isOver;
    });
    await app.sql('COMMIT');
    expect(await renewed).toBeNull();
  });
});

describe('LOCK_DELAY_MS', () => {
  it('keeps an expired lock from others, but not from its former owner, nor a released one from anybody', async () => {
    await take('delayed', 'first');
    await expire('delayed');
    const other = await service(strict).tryAcquire(STORE, 'delayed', request('second'), author());
    expect(other.isGranted).toBe(false);
    const same = await service(strict).tryAcquire(STORE, 'delayed', request('first'), author());
    expect(same.isGranted).toBe(true);
    expect(await release('delayed', 'first')).toBe('released');
    const next = await service(strict).tryAcquire(STORE, 'delayed', request('second'), author());
    expect(next.isGranted).toBe(true);
  });

  it('keeps it from those who wait as well', async () => {
    await take('delayed line', 'first');
    const gone = new AbortController();
    const waiting = wait('delayed line', 'second', gone.signal, strict).catch(() => 'gave up');
    await waitFor(async () => (await waitersOf('delayed line')) === 1);
    await expire('delayed line');
    const turn = await strict.app.get(WaitingLine, { strict: false }).settle(keyOf('delayed line'));
    expect(turn.state).toBe('held');
    gone.abort();
    expect(await waiting).toBe('gave up');
  });
});

describe('BIND_OWNER_TO_PRINCIPAL', () => {
  it('lets only the principal that took a lock release and renew it', async () => {
    const { isGranted } = await service(strict).tryAcquire(STORE, 'bound', request('me'), author('anna'));
    expect(isGranted).toBe(true);
    expect(await service(strict).renew(STORE, 'bound', claim('me'), MINUTE, author('bert'))).toBeNull();
    expect(await service(strict).release(STORE, 'bound', claim('me'), author('bert'))).toBe('held-by-other');
    expect(await service(strict).renew(STORE, 'bound', claim('me'), MINUTE, author('anna'))).not.toBeNull();
    expect(await service(strict).release(STORE, 'bound', claim('me'), author('anna'))).toBe('released');
  });
});

describe('a place in the line', () => {
  it('is given up when the caller goes away, and the next one moves up', async () => {
    await take('left', 'holder');
    const gone = new AbortController();
    const first = wait('left', 'first', gone.signal).catch(() => 'gave up');
    await waitFor(async () => (await waitersOf('left')) === 1);
    const second = wait('left', 'second');
    await waitFor(async () => (await waitersOf('left')) === 2);
    gone.abort();
    expect(await first).toBe('gave up');
    expect(await waitersOf('left')).toBe(1);
    await release('left', 'holder');
    expect((await second).lease.owner).toBe('second');
  });

  it('is taken again when it was lost, as after a pause in which the process seemed dead', async () => {
    await take('lost', 'holder');
    const waiting = wait('lost', 'waiter');
    await waitFor(async () => (await waitersOf('lost')) === 1);
    await app.sql(`DELETE FROM lease_ticket WHERE key_digest = $1`, [keyOf('lost').digest]);
    await waitFor(async () => (await waitersOf('lost')) === 1);
    await release('lost', 'holder');
    expect((await waiting).isGranted).toBe(true);
  });

  it('that nobody waits on any more gives its grant back', async () => {
    await take('ghost', 'holder');
    await leases().beat(line().replicaId, MINUTE);
    const place = await leases().enqueue(keyOf('ghost'), request('ghost'), author(), line().replicaId, 0, 10);
    expect(place!.ticket).not.toBeNull();
    await release('ghost', 'holder');
    await waitFor(async () => (await service().find(STORE, 'ghost'))?.isHeld === false);
    expect((await take('ghost', 'next')).isGranted).toBe(true);
  });

  it('is served where no call can be heard', async () => {
    await take('unheard', 'holder');
    const waiting = wait('unheard', 'waiter', NEVER, pooled);
    await waitFor(async () => (await waitersOf('unheard')) === 1);
    await release('unheard', 'holder');
    expect((await waiting).lease.owner).toBe('waiter');
  });

  it('outlives an expiry that nobody told of', async () => {
    await take('silent', 'holder');
    const waiting = wait('silent', 'waiter');
    await waitFor(async () => (await waitersOf('silent')) === 1);
    await expire('silent');
    expect((await waiting).isGranted).toBe(true);
  });

  it('taken at the moment at which the line before it came to its end is served', async () => {
    await take('continued', 'holder');
    const first = wait('continued', 'first');
    await waitFor(async () => (await waitersOf('continued')) === 1);
    let open!: () => void;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const beating = jest.spyOn(line() as unknown as { sayAlive(): Promise<void> }, 'sayAlive');
    beating.mockReturnValueOnce(opened);
    const second = wait('continued', 'second');
    await release('continued', 'holder');
    await first;
    open();
    await waitFor(async () => (await waitersOf('continued')) === 1);
    // One look may be due from the time of the line before, and does not count.
    const looking = jest.spyOn(leases(), 'look');
    await waitFor(() => looking.mock.calls.length > 0);
    await looking.mock.results[0]!.value;
    // At another process, so that nothing tells this one but a call and its own looks at the line.
    await service(pooled).release(STORE, 'continued', claim('first'), author());
    expect((await second).lease.owner).toBe('second');
  });

  it('of which its process does not know gives its grant back when another process calls', async () => {
    await take('unknown', 'holder');
    await leases().beat(line().replicaId, MINUTE);
    await leases().enqueue(keyOf('unknown'), request('ghost'), author(), line().replicaId, 0, 10);
    await service(pooled).release(STORE, 'unknown', claim('holder'), author());
    await waitFor(
      async () => (await service(pooled).tryAcquire(STORE, 'unknown', request('next'), author())).isGranted,
    );
  });

  it.each([
    ['whose answer got lost', 'before'],
    ['that is taken after its request was answered', 'after'],
  ])('%s is given up, where no call can be heard either', async (_which, when) => {
    const resource = `unanswered ${when}`;
    await take(resource, 'holder');
    const enqueue = leases(pooled).enqueue.bind(leases(pooled));
    const findTickets = leases(pooled).findTickets.bind(leases(pooled));
    let open!: () => void;
    let opened = Promise.resolve();
    const closeSearch = (): void => void (opened = new Promise((resolve) => (open = resolve)));
    const find = jest.spyOn(leases(pooled), 'findTickets').mockImplementation(async (...call) => {
      await opened;
      return findTickets(...call);
    });
    // So that the ticket is seen before it is searched for.
    if (when === 'before') closeSearch();
    let late!: () => Promise<unknown>;
    jest.spyOn(leases(pooled), 'enqueue').mockImplementationOnce(async (...call) => {
      late = () => enqueue(...call);
      if (when === 'before') await late();
      throw outcomeUnknown(new Error('the connection is cut'));
    });
    await expect(wait(resource, 'lost', NEVER, pooled)).rejects.toMatchObject({ kind: 'outcome-unknown' });
    if (when === 'after') {
      await waitFor(() => find.mock.calls.length > 1);
      closeSearch();
      // A search that is under way already is to find nothing.
      await Promise.all(find.mock.results.map(({ value }) => value as Promise<unknown>));
      await late();
    }
    expect(await waitersOf(resource)).toBe(1);
    open();
    await waitFor(async () => (await waitersOf(resource)) === 0);
    await release(resource, 'holder');
    expect((await take(resource, 'next')).isGranted).toBe(true);
  });

  it('that cannot be given up keeps no other one from being looked at', async () => {
    await take('stuck', 'holder');
    const gone = new AbortController();
    const leaving = wait('stuck', 'gone', gone.signal).catch(() => 'gave up');
    await waitFor(async () => (await waitersOf('stuck')) === 1);
    await take('looked at', 'holder');
    const waiting = wait('looked at', 'waiter');
    await waitFor(async () => (await waitersOf('looked at')) === 1);
    const leave = leases().leave.bind(leases());
    jest.spyOn(leases(), 'leave').mockRejectedValue(new Error('the row is locked'));
    gone.abort();
    expect(await leaving).toBe('gave up');
    await expire('looked at');
    expect((await waiting).isGranted).toBe(true);
    jest.spyOn(leases(), 'leave').mockImplementation(leave);
    await waitFor(async () => (await waitersOf('stuck')) === 0);
  });

  it('of a dead process does not keep a try from the lock', async () => {
    await take('deserted', 'holder');
    await leases().enqueue(keyOf('deserted'), request('dead'), author(), randomUUID(), 0, 10);
    await release('deserted', 'holder');
    expect((await take('deserted', 'next')).isGranted).toBe(true);
  });

  it('of a living process does', async () => {
    await take('guarded', 'holder');
    await queueElsewhere('guarded', 'waiter');
    await release('guarded', 'holder');
    expect((await take('guarded', 'pusher')).isGranted).toBe(false);
  });
});

describe('a repeated request', () => {
  it('owns the grant: who finds the first caller gone does not give it back', async () => {
    const repeated = request('me', MINUTE, 'key');
    await take('repeated', 'holder');
    const replica = randomUUID();
    await leases().beat(replica, MINUTE);
    const place = await leases().enqueue(keyOf('repeated'), repeated, author(), replica, 0, 10);
    const none = { owner: null, fence: null };
    await leases().releaseToNext(keyOf('repeated'), claim('holder'), null, author(), replica, 0);

    const again = await service().tryAcquire(STORE, 'repeated', repeated, author());
    expect(again.isGranted).toBe(true);
    const late = await leases().releaseToNext(keyOf('repeated'), none, null, author(), replica, 0, place!.ticket);
    expect(late.verdict).toBe('held-by-other');
    expect((await service().find(STORE, 'repeated'))!.fence).toBe(again.lease.fence);
  });

  it('is answered while it stands in line behind itself, wherever that is', async () => {
    const repeated = request('me', MINUTE, 'twin');
    const acquire = (where: TestApp) => service(where).acquire(STORE, 'twins', repeated, MINUTE, author(), NEVER);
    await take('twins', 'holder');
    const twins = [acquire(app), acquire(app), acquire(pooled)];
    await waitFor(async () => (await waitersOf('twins')) === 3);
    await release('twins', 'holder');
    const outcomes = await Promise.all(twins);
    const { fence } = (await service().find(STORE, 'twins'))!;
    expect(outcomes.map(({ isGranted, lease }) => [isGranted, lease.fence])).toEqual(twins.map(() => [true, fence]));
    expect(await waitersOf('twins')).toBe(0);
  });

  it('waits on when the grant of its twin is over before it is told', async () => {
    const repeated = request('me', MINUTE, 'late twin');
    await take('late twin', 'holder');
    const waiting = service().acquire(STORE, 'late twin', repeated, MINUTE, author(), NEVER);
    await waitFor(async () => (await waitersOf('late twin')) === 1);
    const leave = leases().leave.bind(leases());
    jest.spyOn(leases(), 'leave').mockImplementationOnce(async (...call) => {
      const answer = await leave(...call);
      await release('late twin', 'me');
      await take('late twin', 'other');
      return answer;
    });
    await app.sql(`UPDATE lease SET owner = 'me', idempotency_key = 'late twin' WHERE key_digest = $1`, [
      keyOf('late twin').digest,
    ]);
    await waitFor(async () => (await service().find(STORE, 'late twin'))?.owner === 'other');
    await waitFor(async () => (await waitersOf('late twin')) === 1);
    await release('late twin', 'other');
    expect(await waiting).toMatchObject({ isGranted: true, lease: { owner: 'me' } });
  });

  it('is a stranger with another key, owner, or none', async () => {
    const first = await service().tryAcquire(STORE, 'known', request('me', MINUTE, 'key'), author());
    const outcomes = await Promise.all(
      [request('me', MINUTE, 'other'), request('you', MINUTE, 'key'), request('me')].map((asked) =>
        service().tryAcquire(STORE, 'known', asked, author()),
      ),
    );
    expect(outcomes.map(({ isGranted }) => isGranted)).toEqual([false, false, false]);
    const same = await service().tryAcquire(STORE, 'known', request('me', 1, 'key'), author());
    expect(same).toMatchObject({
      isGranted: true,
      lease: { fence: first.lease.fence, expiresAt: first.lease.expiresAt },
    });
  });
});

describe('a refused try', () => {
  const refusedBy = async (resource: string) =>
    (await service().acquire(STORE, resource, request('pusher'), 0, author(), NEVER)).lease;

  it('shows who took the lock while the try looked at the line', async () => {
    await take('passed on', 'holder');
    const elsewhere = await queueElsewhere('passed on', 'waiter');
    await release('passed on', 'holder');
    const settle = leases().settle.bind(leases());
    jest.spyOn(leases(), 'settle').mockImplementationOnce(async (key, replica, delayMs) => {
      await settle(key, elsewhere, 0);
      return settle(key, replica, delayMs);
    });
    expect(await refusedBy('passed on')).toMatchObject({ isHeld: true, owner: 'waiter' });
  });

  it('shows who takes the lock a moment later', async () => {
    await take('being passed on', 'holder');
    const elsewhere = await queueElsewhere('being passed on', 'waiter');
    await release('being passed on', 'holder');
    const find = leases().findLease.bind(leases());
    jest.spyOn(leases(), 'findLease').mockImplementationOnce(async (key) => {
      const before = await find(key);
      await leases().settle(key, elsewhere, 0);
      return before;
    });
    expect(await refusedBy('being passed on')).toMatchObject({ isHeld: true, owner: 'waiter' });
  });

  it('shows a free lock where whose turn it is does not take it', async () => {
    await take('left lying', 'holder');
    await queueElsewhere('left lying', 'asleep');
    await release('left lying', 'holder');
    expect(await refusedBy('left lying')).toMatchObject({ isHeld: false, owner: null, waiters: 1 });
  });
});

describe('a force', () => {
  it('ends the hold that there is, also where it began after the first look, and says so of no other', async () => {
    await take('changing', 'first');
    const force = leases().force.bind(leases());
    jest.spyOn(leases(), 'force').mockImplementationOnce(async (...call) => {
      await release('changing', 'first');
      await take('changing', 'second');
      return force(...call);
    });
    const broken = await service().force(STORE, 'changing', author(), (lease) => ({
      actor: 'test',
      address: '127.0.0.1',
      requestId: randomUUID(),
      surface: 'lock',
      action: 'lock-forced',
      target: 'lockstore/changing',
      outcome: 'done',
      reason: 'test',
      details: { owner: lease.owner, fence: lease.fence },
    }));
    const { fence, isHeld } = (await service().find(STORE, 'changing'))!;
    expect(broken).toMatchObject({ owner: 'second', fence });
    expect(isHeld).toBe(false);
    const events = await app.sql<{ details: string }>(
      `SELECT details FROM audit_event WHERE target = 'lockstore/changing'`,
    );
    expect(events.map(({ details }) => JSON.parse(details) as unknown)).toEqual([{ owner: 'second', fence }]);
  });
});

describe('a grant that is told too late', () => {
  it('is none where a look at the line found it when most of it was over', async () => {
    await take('found late', 'holder');
    const waiting = wait('found late', 'waiter');
    await waitFor(async () => (await waitersOf('found late')) === 1);
    const look = leases().look.bind(leases());
    let lateFence: string | undefined;
    jest.spyOn(leases(), 'look').mockImplementation(async (tickets) => {
      if (lateFence !== undefined) return look(tickets);
      // The grant of a settling whose answer got lost.
      await leases().releaseToNext(keyOf('found late'), claim('holder'), null, author(), line().replicaId, 0);
      await expire('found late', 4_000);
      const states = await look(tickets);
      lateFence = states[0]!.grant!.fence;
      await waitFor(() => isOver('found late'));
      return states;
    });
    const { isGranted, lease } = await waiting;
    expect(isGranted).toBe(true);
    expect(BigInt(lease.fence!)).toBeGreaterThan(BigInt(lateFence!));
    expect((await service().find(STORE, 'found late'))!.fence).toBe(lease.fence);
  });

  it('is none where it is told to a repeated request', async () => {
    const repeated = request('me', MINUTE, 'key');
    await service().tryAcquire(STORE, 'confirmed late', repeated, author());
    const confirm = leases().confirm.bind(leases());
    jest.spyOn(leases(), 'confirm').mockImplementationOnce(async (...call) => {
      await expire('confirmed late', 4_000);
      const answer = await confirm(...call);
      await waitFor(() => isOver('confirmed late'));
      return answer;
    });
    expect((await service().tryAcquire(STORE, 'confirmed late', repeated, author())).isGranted).toBe(false);
  });
});

describe('draining', () => {
  it('answers those who wait and leaves no ticket behind', async () => {
    const leaving = await startApp({}, app);
    await take('drained', 'holder');
    const waiting = wait('drained', 'waiter', NEVER, leaving);
    await waitFor(async () => (await waitersOf('drained')) === 1);
    leaving.app.get(WaitingLine, { strict: false }).drain();
    await expect(waiting).rejects.toMatchObject({ status: 503 });
    expect(await waitersOf('drained')).toBe(0);
    await expect(wait('drained', 'late', NEVER, leaving)).rejects.toMatchObject({ status: 503 });
    await leaving.close();
  });
});
