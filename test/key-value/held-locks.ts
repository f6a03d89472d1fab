import { randomUUID } from 'node:crypto';
import { DistributedLockService } from '../../src/distributed-lock/distributed-lock.service';
import { leaseKey } from '../../src/lease/lease.repository';
import { type LockStore, LockStores } from '../../src/lease/lock-stores';
import { type TestApp } from '../support/start-app';

export const STORE = 'lockstore';

/** Locks of the default store, taken and given back through the service itself. */
export class HeldLocks {
  private readonly service: DistributedLockService;
  private readonly store: LockStore;

  constructor(private readonly app: TestApp) {
    this.service = app.app.get(DistributedLockService);
    this.store = app.app.get(LockStores).find(STORE)!;
  }

  /** @returns the fence */
  async acquire(resource: string, ttlMs = 60_000, owner = 'holder'): Promise<string> {
    const request = { owner, ttlMs, metadata: null, idempotencyKey: null };
    const { isGranted, lease } = await this.service.tryAcquire(this.store, resource, request, this.author());
    if (!isGranted) throw new Error(`${resource} is held by ${lease.owner}`);
    return lease.fence!;
  }

  async renew(resource: string, fence: string, ttlMs: number): Promise<boolean> {
    return (await this.service.renew(this.store, resource, { owner: null, fence }, ttlMs, this.author())) !== null;
  }

  async release(resource: string, fence: string): Promise<void> {
    const outcome = await this.service.release(this.store, resource, { owner: null, fence }, this.author());
    if (outcome !== 'released') throw new Error(`${resource}: ${outcome}`);
  }

  async force(resource: string): Promise<void> {
    await this.service.force(this.store, resource, this.author(), () => ({
      ...this.author(),
      address: '',
      surface: 'lock',
      action: 'lock-forced',
      target: resource,
      outcome: 'done',
    }));
  }

  /** Ends the lease as time does: its row only ever gets old. */
  async expire(resource: string): Promise<void> {
    const digest = this.digest(resource);
    await this.app.sql(`UPDATE lease SET expires_at = clock_timestamp() WHERE key_digest = $1`, [digest]);
  }

  digest(resource: string): Buffer {
    return leaseKey(this.store.storedKey(resource)).digest;
  }

  private author(): { actor: string; requestId: string } {
    return { actor: 'test', requestId: randomUUID() };
  }
}

/** The header that binds a write to a fence. */
export const fenced = (resource: string, fence: string, store = STORE): Record<string, string> => ({
  'Lock-Fence': `${encodeURIComponent(store)}/${encodeURIComponent(resource)};${fence}`,
});
