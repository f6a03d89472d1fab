import { randomUUID } from 'node:crypto';
import { leaseKey, LeaseRepository } from '../../src/lease/lease.repository';
import { PURGE } from '../../src/lease/lease.sql';
import { RetentionService } from '../../src/retention/retention.service';
import { SideTransaction } from '../support/side-transaction';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

let one: TestApp;
let other: TestApp;
beforeAll(async () => {
  one = await startApp();
  other = await startApp({}, one);
});
afterAll(async () => {
  await other.close();
  await one.close();
});

const retentionOf = ({ app }: TestApp): RetentionService => app.get(RetentionService, { strict: false });
const leasesOf = ({ app }: TestApp): LeaseRepository => app.get(LeaseRepository, { strict: false });
const author = { actor: 'test', requestId: randomUUID() };
const request = { owner: 'me', ttlMs: 60_000, metadata: null, idempotencyKey: null };

async function take(name: string): Promise<string> {
  const attempt = await leasesOf(one).tryTake(leaseKey(name), request, author, 0);
  return attempt!.lease.fence!;
}
const release = (name: string) => leasesOf(one).release(leaseKey(name), { owner: 'me', fence: null }, null, author);
const countOf = async (name: string): Promise<number> =>
  (await one.sql('SELECT FROM lease WHERE key_digest = $1', [leaseKey(name).digest])).length;

describe('a purge', () => {
  it('is done by one process at a time', async () => {
    let isAtIt = false;
    let finish!: () => void;
    const isFinished = new Promise<void>((resolve) => (finish = resolve));
    retentionOf(one).add(async function* () {
      isAtIt = true;
      await isFinished;
    });
    const purging = retentionOf(one).purge();
    await waitFor(() => isAtIt);
    expect(await retentionOf(other).purge()).toBeNull();
    finish();
    expect(await purging).not.toBeNull();
    expect(await retentionOf(other).purge()).not.toBeNull();
  });

  it('stops when its own lease is lost', async () => {
    const seen: number[] = [];
    retentionOf(one).add(async function* () {
      for (let batch = 1; batch <= 3; batch++) {
        if (batch === 2) await one.sql(`UPDATE lease SET expires_at = clock_timestamp() WHERE owner IS NOT NULL`);
        seen.push(batch);
        yield { test: 1 };
      }
    });
    expect(await retentionOf(one).purge()).toMatchObject({ test: 2 });
    expect(seen).toEqual([1, 2]);
  });

  it('forgets leases a day after their last use, and none that is held, waited for, or younger', async () => {
    for (const name of ['idle', 'held', 'awaited', 'young']) await take(name);
    for (const name of ['idle', 'young']) await release(name);
    await leasesOf(one).enqueue(leaseKey('awaited'), request, author, randomUUID(), 0, 10);
    const digests = ['idle', 'held', 'awaited'].map((name) => leaseKey(name).digest);
    await one.sql(`UPDATE lease SET touched_at = touched_at - interval '25 hours' WHERE key_digest = ANY($1)`, [
      digests,
    ]);
    await one.sql(`UPDATE lease SET expires_at = expires_at - interval '25 hours' WHERE key_digest = $1`, [
      leaseKey('awaited').digest,
    ]);
    await retentionOf(other).purge();
    expect(await Promise.all(['idle', 'held', 'awaited', 'young'].map(countOf))).toEqual([0, 1, 1, 1]);
  });

  describe('never lets a fence fall back, not even on a database restored under a lower timeline,', () => {
    const high = '9000000000000000000';
    beforeEach(async () => {
      await take('restored');
      await one.sql(`UPDATE lease SET fence = $2 WHERE key_digest = $1`, [leaseKey('restored').digest, high]);
      await release('restored');
    });
    const rest = () =>
      one.sql(`UPDATE lease SET touched_at = touched_at - interval '25 hours' WHERE key_digest = $1`, [
        leaseKey('restored').digest,
      ]);

    it('for a lock that is taken later', async () => {
      expect(BigInt(await take('restored'))).toBeGreaterThan(BigInt(high));
      await release('restored');
      await rest();
      await retentionOf(one).purge();
      expect(await countOf('restored')).toBe(0);
      expect(BigInt(await take('restored'))).toBeGreaterThan(BigInt(high) + 1n);
      await release('restored');
    });

    it('for a lock that is taken while it goes', async () => {
      await one.sql(`UPDATE lease_floor SET fence = 0`);
      await rest();
      const purge = await SideTransaction.begin(one, PURGE.text, [Buffer.alloc(0), 1000]);
      const late = take('restored');
      await waitFor(() => purge.isWaitedFor());
      await purge.end('COMMIT');
      expect(BigInt(await late)).toBeGreaterThan(BigInt(high));
    });
  });
});
