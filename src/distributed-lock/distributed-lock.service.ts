import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { type AuditEvent } from '../events/audit-event.js';
import { CLIENT_GONE } from '../http/request-body.js';
import { type HolderClaim, type Lease, type LeaseAuthor, type LeaseRequest } from '../lease/lease.js';
import {
  type Grant,
  type LeaseKey,
  leaseKey,
  type LeasePosition,
  LeaseRepository,
  type Verdict,
} from '../lease/lease.repository.js';
import { type LockStore } from '../lease/lock-stores.js';
import { WaitingLine } from '../lease/waiting-line.js';
import { Metrics } from '../metrics/metrics.js';
import { unavailable } from '../problem/catalogue.js';

/** Outcome of a release, in the contract's own three words (distributed-lock contract section 3). */
export type ReleaseOutcome = Verdict;

/** What came of asking for a lock. `lease` is the grant, or else the lock as its holder has it. */
export interface AcquireOutcome {
  readonly isGranted: boolean;
  readonly lease: Lease;
}

/** Before each further look for who has a lock that a try saw free and was refused: the next in line takes it within moments. */
const LOOK_AGAIN_AFTER_MS = [0, 25, 75];
/** How often a try is repeated that found the lease free and yet came too late; each time somebody else got it. */
const MAX_ATTEMPTS = 4;

/** How often a force looks for the hold to end, where a fast line passes it on in between: two short statements each time. */
const MAX_FORCES = 20;

/** The rules of distributed locks, apart from how any surface spells them. All surfaces work on the same rows. */
@Injectable()
export class DistributedLockService {
  constructor(
    private readonly leases: LeaseRepository,
    private readonly line: WaitingLine,
    @Inject(Settings) private readonly settings: Settings,
    private readonly metrics: Metrics,
  ) {}

  /** Takes the lock if it is free and nobody waits for it; never waits, and never extends what the same owner holds already. */
  async tryAcquire(
    store: LockStore,
    resource: string,
    request: LeaseRequest,
    author: LeaseAuthor,
  ): Promise<AcquireOutcome> {
    return this.counted(await this.tryKey(leaseKey(store.storedKey(resource)), request, author));
  }

  /**
   * Takes the lock, waiting in line for at most `waitMs`.
   *
   * @param signal aborted when the caller went away: its place in the line is given up, and a grant that came too late is released
   * @throws 429 when too many wait already, 503 while the service drains
   */
  async acquire(
    store: LockStore,
    resource: string,
    request: LeaseRequest,
    waitMs: number,
    author: LeaseAuthor,
    signal: AbortSignal,
  ): Promise<AcquireOutcome> {
    const key = leaseKey(store.storedKey(resource));
    // Where others wait here already, a try could only be refused.
    if (waitMs === 0 || !this.line.hasWaiters(key)) {
      const outcome = await this.tryKey(key, request, author);
      if (waitMs === 0 || outcome.isGranted) return this.counted(await this.withHolder(key, outcome));
    }
    const until = performance.now() + waitMs;
    for (;;) {
      const grant = await this.line.wait(key, request, author, until - performance.now(), signal);
      if (signal.aborted) {
        this.metrics.lockAcquires.inc({ result: 'gone' });
        throw CLIENT_GONE;
      }
      if (grant !== null && grant !== 'own')
        return this.counted({ isGranted: true, lease: toLease(key, request, grant) });
      const outcome = await this.tryKey(key, request, author);
      // A grant of the caller's own may be over before it is told once more; the time to wait goes on.
      const mayWait = grant === 'own' && performance.now() < until;
      if (outcome.isGranted || !mayWait) return this.counted(await this.withHolder(key, outcome), 'timed-out');
    }
  }

  /** Extends a lease that is still held; never shortens it. Null when it is lost: expired, released, taken or never held. */
  renew(
    store: LockStore,
    resource: string,
    claim: HolderClaim,
    ttlMs: number,
    author: LeaseAuthor,
  ): Promise<Lease | null> {
    return this.leases.renew(leaseKey(store.storedKey(resource)), claim, this.boundTo(author), ttlMs);
  }

  async release(store: LockStore, resource: string, claim: HolderClaim, author: LeaseAuthor): Promise<ReleaseOutcome> {
    const key = leaseKey(store.storedKey(resource));
    if (!this.line.hasWaiters(key)) {
      const verdict = await this.leases.release(key, claim, this.boundTo(author), author);
      if (verdict !== 'has-waiters') return verdict;
    }
    return this.releaseToNext(key, claim, this.boundTo(author), author);
  }

  /**
   * Ends whatever hold there is. Gives the lock as it was; null when nobody held it.
   *
   * @param eventOf what the audit log is to say of it
   * @throws 503 when it changed hands all the time, and nothing was ended
   */
  async force(
    store: LockStore,
    resource: string,
    author: LeaseAuthor,
    eventOf: (broken: Lease) => AuditEvent,
  ): Promise<Lease | null> {
    const key = leaseKey(store.storedKey(resource));
    const { replicaId } = this.line;
    const { lockDelayMs } = this.settings;
    for (let attempt = 0; attempt < MAX_FORCES; attempt++) {
      const lease = await this.leases.findLease(key);
      if (!lease?.isHeld) return null;
      // Only the hold that was seen, so that the answer and the event tell of the one that was ended. If it passed on, the next is.
      const sentAt = performance.now();
      const event = eventOf(lease);
      const { verdict, turn } = await this.leases.force(key, lease.fence!, author, replicaId, lockDelayMs, event);
      this.line.follow(key, turn, sentAt);
      if (verdict === 'not-held') return null;
      if (verdict === 'held-by-other') continue;
      this.metrics.locksForced.inc({ kind: 'distributed' });
      return lease;
    }
    throw unavailable();
  }

  /** The lock as it is; null when it was never asked for. */
  find(store: LockStore, resource: string): Promise<Lease | null> {
    return this.leases.findLease(leaseKey(store.storedKey(resource)));
  }

  /**
   * A page of the store's locks in the order of their resources.
   *
   * @param after the `next` of the page before, null for the first
   */
  async list(
    store: LockStore,
    filter: { prefix: string; owner: string | null; state: 'held' | 'free' | null },
    after: string | null,
    limit: number,
  ): Promise<{ items: Lease[]; next: string | null }> {
    const from = after === null ? null : parsePosition(after);
    const rows = await this.leases.listPage(store.prefix, filter, from, limit + 1);
    const items = rows.slice(0, limit);
    const isLast = rows.length <= limit;
    return { items: items.map(({ lease }) => lease), next: isLast ? null : positionText(items.at(-1)!.position) };
  }

  private async tryKey(key: LeaseKey, request: LeaseRequest, author: LeaseAuthor): Promise<AcquireOutcome> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const sentAt = performance.now();
      const found = await this.leases.tryTake(key, request, author, this.settings.lockDelayMs);
      if (found === null) continue;
      const { kind, lease } = found;
      if (kind === 'granted') {
        // An answer that took longer than the lease lasts is no success (fault F7).
        const isInTime = performance.now() - sentAt < request.ttlMs;
        if (found.hadExpired) this.metrics.locksExpired.inc();
        return this.inTime(isInTime, lease);
      }
      if (kind === 'refused') {
        if (!isSameGrant(lease, request)) return { isGranted: false, lease };
        const confirmedAt = performance.now();
        const confirmed = await this.leases.confirm(key, lease.fence!);
        if (!confirmed) continue;
        return this.inTime(performance.now() - confirmedAt < confirmed.remainingMs, confirmed.lease);
      }
      const turn = await this.line.settle(key);
      // Those who waited may all be gone; then the lease is whoever's comes first.
      if (turn.state !== 'free') return { isGranted: false, lease };
    }
    // Others had it at moments of this call, so no is a true answer, whoever has it now.
    const lease = await this.leases.findLease(key);
    if (!lease) throw unavailable();
    return { isGranted: false, lease };
  }

  /** A refused try with the lock as its holder has it: the try itself may have seen it free, for those who wait for it. */
  private async withHolder(key: LeaseKey, outcome: AcquireOutcome): Promise<AcquireOutcome> {
    let { lease } = outcome;
    for (const ms of LOOK_AGAIN_AFTER_MS) {
      if (lease.isHeld) break;
      if (ms > 0) await pause(ms);
      lease = (await this.leases.findLease(key)) ?? lease;
      if (lease.waiters === 0) break;
    }
    return { ...outcome, lease };
  }

  private inTime(isInTime: boolean, lease: Lease): AcquireOutcome {
    if (!isInTime) this.metrics.lateGrants.inc();
    return { isGranted: isInTime, lease };
  }

  private counted(outcome: AcquireOutcome, otherwise: 'held' | 'timed-out' = 'held'): AcquireOutcome {
    this.metrics.lockAcquires.inc({ result: outcome.isGranted ? 'granted' : otherwise });
    return outcome;
  }

  private async releaseToNext(
    key: LeaseKey,
    claim: HolderClaim,
    boundTo: string | null,
    author: LeaseAuthor,
  ): Promise<Verdict> {
    const sentAt = performance.now();
    const { replicaId } = this.line;
    const delayMs = this.settings.lockDelayMs;
    const { verdict, turn } = await this.leases.releaseToNext(key, claim, boundTo, author, replicaId, delayMs);
    this.line.follow(key, turn, sentAt);
    return verdict;
  }

  /** With `BIND_OWNER_TO_PRINCIPAL` the owner's text is not proof enough. */
  private boundTo({ actor }: LeaseAuthor): string | null {
    return this.settings.bindOwnerToPrincipal ? actor : null;
  }
}

/** The same `Idempotency-Key` and owner while held: the answer to the first request is given again (reliability §4.8). */
function isSameGrant(lease: Lease, { owner, idempotencyKey }: LeaseRequest): boolean {
  return idempotencyKey !== null && lease.isHeld && lease.owner === owner && lease.idempotencyKey === idempotencyKey;
}

/** A grant that came to one who waited, as the database has it. */
function toLease(key: LeaseKey, request: LeaseRequest, grant: Grant): Lease {
  const { fence, grantedAt, expiresAt, waiters } = grant;
  const { owner, ttlMs, metadata, idempotencyKey } = request;
  const held = { storedKey: key.storedKey, isHeld: true, renewals: 0 };
  return { ...held, owner, fence, grantedAt, expiresAt, ttlMs, waiters, metadata, idempotencyKey };
}

const positionText = ({ start, digest }: LeasePosition): string =>
  `${start.toString('base64url')}.${digest.toString('base64url')}`;

const POSITION = /^([\w-]*)\.([\w-]{43})$/;

/** @returns null, which is the first page, for what no `next` was (reliability §5) */
function parsePosition(text: string): LeasePosition | null {
  const [, start, digest] = POSITION.exec(text) ?? [];
  if (start === undefined || digest === undefined) return null;
  return { start: Buffer.from(start, 'base64url'), digest: Buffer.from(digest, 'base64url') };
}
