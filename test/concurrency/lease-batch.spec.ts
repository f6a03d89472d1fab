import { randomUUID } from 'node:crypto';
import { Database, type Statement } from '../../src/database/database';
import { type HolderClaim } from '../../src/lease/lease';
import { type Attempt, leaseKey, type LeaseKey, LeaseRepository } from '../../src/lease/lease.repository';
import { outcomeUnknown } from '../../src/problem/catalogue';
import { SideTransaction } from '../support/side-transaction';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

const KEYS = 12;
const ROUNDS = 40;

let one: TestApp;
let other: TestApp;
let leases: LeaseRepository;
let otherLeases: LeaseRepository;
beforeAll(async () => {
  one = await startApp();
  other = await startApp({}, one);
  leases = one.app.get(LeaseRepository);
  otherLeases = other.app.get(LeaseRepository);
});
afterAll(async () => {
  await other.close();
  await one.close();
});
afterEach(() => jest.restoreAllMocks());

const author = () => ({ actor: 'tester', requestId: randomUUID() });
const ask = (key: LeaseKey, owner: string, { ttlMs = 60_000, delayMs = 0, by = leases } = {}) =>
  by.tryTake(key, { owner, ttlMs, metadata: null, idempotencyKey: null }, author(), delayMs);
const giveBack = (key: LeaseKey, claim: Partial<HolderClaim>, boundTo: string | null = null, by = leases) =>
  by.release(key, { owner: null, fence: null, ...claim }, boundTo, author());

let sets = 0;
function newKeys(count: number): LeaseKey[] {
  const set = ++sets;
  return Array.from({ length: count }, (_, index) => leaseKey(`lock||batch||${set}/${index}`));
}
const kinds = (attempts: readonly (Attempt | null)[]): (string | undefined)[] => attempts.map((one) => one?.kind);
const fenceOf = (attempt: Attempt | null): bigint => BigInt(attempt!.lease.fence!);

/** Names of the statements for leases that are sent from now on; the service has others to send by itself at any time. */
function statements(): string[] {
  const sent: string[] = [];
  const note = ({ name }: Statement): void => void (name.startsWith('lease_') && sent.push(name));
  const database = one.app.get(Database);
  const query = database.query.bind(database);
  const queryTogether = database.queryTogether.bind(database);
  jest.spyOn(database, 'query').mockImplementation((statement, ...rest) => {
    note(statement);
    return query(statement, ...rest);
  });
  jest.spyOn(database, 'queryTogether').mockImplementation((statement, ...rest) => {
    note(statement);
    return queryTogether(statement, ...rest);
  });
  return sent;
}

const expire = (keys: readonly LeaseKey[]): Promise<unknown> =>
  one.sql(`UPDATE lease SET expires_at = clock_timestamp() - interval '1 ms' WHERE key_digest = ANY($1)`, [
    keys.map(({ digest }) => digest),
  ]);

describe('tries that arrive together', () => {
  it('are decided by one statement, each by its own row', async () => {
    const [fresh, free, held, own, over, wanted] = newKeys(6) as [
      LeaseKey,
      LeaseKey,
      LeaseKey,
      LeaseKey,
      LeaseKey,
      LeaseKey,
    ];
    const before = await Promise.all([free, held, own, over, wanted].map((key) => ask(key, 'former')));
    await ask(own, 'mine');
    await Promise.all([free, wanted].map((key) => giveBack(key, { owner: 'former' })));
    await expire([over]);
    await one.sql(`UPDATE lease SET waiters = 1 WHERE key_digest = $1`, [wanted.digest]);
    const sent = statements();
    const attempts = await Promise.all([
      ask(fresh, 'a'),
      ask(free, 'b'),
      ask(held, 'c'),
      ask(own, 'former'),
      ask(over, 'e'),
      ask(wanted, 'f'),
    ]);
    expect(sent).toEqual(['lease_try_many']);
    expect(kinds(attempts)).toEqual(['granted', 'granted', 'refused', 'refused', 'granted', 'has-waiters']);
    expect(attempts.map((one) => one!.lease.owner)).toEqual(['a', 'b', 'former', 'former', 'e', null]);
    expect(attempts.map((one) => one!.lease.storedKey)).toEqual(
      [fresh, free, held, own, over, wanted].map(({ storedKey }) => storedKey),
    );
    expect(attempts.map((one) => one?.kind === 'granted' && one.hadExpired)).toEqual([
      false,
      false,
      false,
      false,
      true,
      false,
    ]);
    expect(fenceOf(attempts[1])).toBeGreaterThan(fenceOf(before[0]!));
    expect(fenceOf(attempts[4])).toBeGreaterThan(fenceOf(before[3]!));
    expect(fenceOf(attempts[2])).toBe(fenceOf(before[1]!));
  });

  it('grant what several want to one of them', async () => {
    const [wanted, ...rest] = newKeys(5);
    // The row is not there at first, and then it is.
    for (let turn = 0; turn < 2; turn++) {
      const attempts = await Promise.all([
        ...Array.from({ length: 8 }, (_, index) => ask(wanted!, `owner ${index}`)),
        ...rest.map((key) => ask(key, 'neighbour')),
      ]);
      // Null: somebody else came in between; the service asks again.
      const granted = attempts.slice(0, 8).filter((one) => one?.kind === 'granted');
      expect(granted).toHaveLength(1);
      expect(kinds(attempts.slice(8))).toEqual(rest.map(() => 'granted'));
      await expire([wanted!, ...rest]);
    }
  });

  it('wait the delay after an expiry, unless the owner is the same', async () => {
    const [same, another] = newKeys(2) as [LeaseKey, LeaseKey];
    await Promise.all([ask(same, 'o'), ask(another, 'o')]);
    await expire([same, another]);
    const delayMs = 60_000;
    expect(kinds(await Promise.all([ask(same, 'o', { delayMs }), ask(another, 'p', { delayMs })]))).toEqual([
      'granted',
      'refused',
    ]);
  });

  it.each([
    [
      'is locked',
      // Only its own statement waits.
      ['lease_try_many', 'lease_try'],
      async (key: LeaseKey) =>
        SideTransaction.begin(one, `SELECT FROM lease WHERE key_digest = $1 FOR UPDATE`, [key.digest]),
    ],
    [
      'is being made',
      // The statement of all gives up soon.
      ['lease_try_many', ...Array.from({ length: KEYS }, () => 'lease_try')],
      async (key: LeaseKey) => {
        await one.sql(`DELETE FROM lease WHERE key_digest = $1`, [key.digest]);
        return SideTransaction.begin(one, `INSERT INTO lease (key_digest, stored_key) VALUES ($1, '')`, [key.digest]);
      },
    ],
  ])('do not wait for one whose row %s by somebody else', async (_what, expected, begin) => {
    const [blocked, ...rest] = newKeys(KEYS) as [LeaseKey, ...LeaseKey[]];
    await Promise.all([blocked, ...rest].map((key) => ask(key, 'former', { ttlMs: 1 })));
    await waitFor(async () => (await leases.findLease(blocked))?.isHeld === false);
    const holder = await begin(blocked);
    const sent = statements();
    let isAnswered = false;
    const late = ask(blocked, 'patient').finally(() => (isAnswered = true));
    const attempts = await Promise.all(rest.map((key) => ask(key, 'quick')));
    expect(kinds(attempts)).toEqual(rest.map(() => 'granted'));
    await waitFor(() => holder.isWaitedFor());
    expect(sent).toEqual(expected);
    expect(isAnswered).toBe(false);
    await holder.end('ROLLBACK');
    expect((await late)?.kind).toBe('granted');
  });

  it('fail each by itself when the server refuses their statement', async () => {
    const [bad, ...rest] = newKeys(4) as [LeaseKey, ...LeaseKey[]];
    const sent = statements();
    const failing = leases.tryTake(
      bad,
      { owner: 'o', ttlMs: 1000, metadata: null, idempotencyKey: null },
      { actor: 'tester', requestId: 'no uuid' },
      0,
    );
    const [failed, ...attempts] = await Promise.allSettled([failing, ...rest.map((key) => ask(key, 'o'))]);
    expect(failed.status).toBe('rejected');
    expect(attempts.map((one) => one.status === 'fulfilled' && one.value?.kind)).toEqual(rest.map(() => 'granted'));
    expect(sent).toEqual(['lease_try_many', ...rest.map(() => 'lease_try'), 'lease_try']);
  });

  it('are none of them repeated when the outcome of their statement is unknown', async () => {
    const keys = newKeys(4);
    const database = one.app.get(Database);
    const alone = jest.spyOn(database, 'query');
    const together = jest.spyOn(database, 'queryTogether').mockRejectedValue(outcomeUnknown(new Error('lost')));
    const attempts = await Promise.allSettled(keys.map((key) => ask(key, 'o')));
    expect(attempts.map((one) => one.status === 'rejected' && (one.reason as { kind: string }).kind)).toEqual(
      keys.map(() => 'outcome-unknown'),
    );
    expect(together).toHaveBeenCalledTimes(1);
    expect(alone.mock.calls.filter(([{ name }]) => name.startsWith('lease_'))).toEqual([]);
  });
});

describe('releases that arrive together', () => {
  it('are decided by one statement, each by its own row', async () => {
    const keys = newKeys(7) as [LeaseKey, LeaseKey, LeaseKey, LeaseKey, LeaseKey, LeaseKey, LeaseKey];
    const [mine, byFence, foreign, oldFence, notBound, over, wanted] = keys;
    const grants = await Promise.all(keys.map((key) => ask(key, 'o')));
    await expire([over]);
    await one.sql(`UPDATE lease SET waiters = 1 WHERE key_digest = $1`, [wanted.digest]);
    const sent = statements();
    const verdicts = await Promise.all([
      giveBack(mine, { owner: 'o' }),
      giveBack(byFence, { fence: grants[1]!.lease.fence }),
      giveBack(foreign, { owner: 'p' }),
      giveBack(oldFence, { owner: 'o', fence: '1' }),
      giveBack(notBound, { owner: 'o' }, 'somebody else'),
      giveBack(over, { owner: 'o' }),
      giveBack(wanted, { owner: 'o' }),
    ]);
    expect(sent).toEqual(['lease_release_many']);
    expect(verdicts).toEqual([
      'released',
      'released',
      'held-by-other',
      'held-by-other',
      'held-by-other',
      'not-held',
      'has-waiters',
    ]);
    const after = await Promise.all(keys.map((key) => leases.findLease(key)));
    expect(after.map((lease) => lease!.isHeld)).toEqual([false, false, true, true, true, false, true]);
    expect(after.map((lease) => lease!.fence)).toEqual(grants.map((grant) => grant!.lease.fence));
  });

  it('tell of a lock that was never asked for that it is not held', async () => {
    const [held, unknown] = newKeys(2) as [LeaseKey, LeaseKey];
    await ask(held, 'o');
    expect(await Promise.all([giveBack(held, { owner: 'o' }), giveBack(unknown, { owner: 'o' })])).toEqual([
      'released',
      'not-held',
    ]);
  });

  it('do not wait for one whose row is locked by somebody else', async () => {
    const [blocked, ...rest] = newKeys(KEYS) as [LeaseKey, ...LeaseKey[]];
    await Promise.all([blocked, ...rest].map((key) => ask(key, 'o')));
    const holder = await SideTransaction.begin(one, `SELECT FROM lease WHERE key_digest = $1 FOR UPDATE`, [
      blocked.digest,
    ]);
    const sent = statements();
    const late = giveBack(blocked, { owner: 'o' });
    expect(await Promise.all(rest.map((key) => giveBack(key, { owner: 'o' })))).toEqual(rest.map(() => 'released'));
    await waitFor(() => holder.isWaitedFor());
    // Only its own statement waits.
    expect(sent).toEqual(['lease_release_many', 'lease_release']);
    await holder.end('ROLLBACK');
    expect(await late).toBe('released');
  });
});

it('two processes that want the same many in opposite orders grant each once, with rising fences, and never block one another', async () => {
  const keys = newKeys(KEYS);
  const deadlocks = async (): Promise<unknown> =>
    (
      await one.sql(
        `SELECT deadlocks, pg_stat_clear_snapshot() FROM pg_stat_database WHERE datname = current_database()`,
      )
    )[0];
  const before = await deadlocks();
  const last = new Map<LeaseKey, bigint>();
  for (let round = 0; round < ROUNDS; round++) {
    // Rows that are there, and now and then rows that both have to make.
    const wanted = round % 4 === 0 ? newKeys(KEYS) : keys;
    const [here, there] = await Promise.all([
      Promise.all(wanted.map((key) => ask(key, 'here'))),
      Promise.all(wanted.toReversed().map((key) => ask(key, 'there', { by: otherLeases }))),
    ]);
    there.reverse();
    const holders = wanted.map((key, index) => {
      const granted = [here[index]!, there[index]!].filter((one) => one?.kind === 'granted');
      expect(granted).toHaveLength(1);
      expect(fenceOf(granted[0]!)).toBeGreaterThan(last.get(key) ?? 0n);
      last.set(key, fenceOf(granted[0]!));
      return granted[0]!.lease.owner!;
    });
    // Each given back at the other process.
    const released = wanted.map((key, index) =>
      giveBack(key, { owner: holders[index]! }, null, holders[index] === 'here' ? otherLeases : leases),
    );
    expect(await Promise.all(released)).toEqual(wanted.map(() => 'released'));
  }
  expect(await deadlocks()).toEqual(before);
});
