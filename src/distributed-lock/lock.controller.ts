import { Delete, Get, Patch, Post, Put } from '@nestjs/common';
import { NativeAuthGuard } from '../auth/native-auth.guard.js';
import { type AuditEvent, auditTextStart } from '../events/audit-event.js';
import { AuditLog } from '../events/audit-log.js';
import { type Answer } from '../http/answer.js';
import { ApiRequest } from '../http/api-request.js';
import { Needs, SurfaceController } from '../http/surface-controller.decorator.js';
import { type Lease } from '../lease/lease.js';
import { type LockStore, LockStores } from '../lease/lock-stores.js';
import { Describe } from '../openapi/describe.decorator.js';
import { forbidden, lockHeldByOther, lockLost, lockNotHeld } from '../problem/catalogue.js';
import { DistributedLockService } from './distributed-lock.service.js';
import { checkedAnswer, grantedAnswer, heldAnswer, lockAnswer, locksAnswer, releasedAnswer } from './lock.answers.js';
import { ACQUIRE_LOCK, CHECK_FENCE, GET_LOCK, LIST_LOCKS, RELEASE_LOCK, RENEW_LOCK } from './lock.openapi.js';
import {
  authorFrom,
  fenceHeaderFrom,
  idempotencyKeyFrom,
  jsonBodyFrom,
  mayForce,
  newResourceFrom,
  resourceFrom,
  storeFrom,
} from './lock.requests.js';
import { parseAcquireBody, parseCheckBody, parseRenewBody } from './rules/lock-input.js';
import { parseForce, parseForceReason, parseLockPageQuery, parseReleaseClaim } from './rules/lock-query.js';

/** Locks under `/api/v1/lock-stores/{store}/locks` (native API contract section 1): the rows of Dapr's two calls, and more verbs. */
@SurfaceController('native', NativeAuthGuard)
export class LockController {
  constructor(
    private readonly locks: DistributedLockService,
    private readonly stores: LockStores,
    private readonly auditLog: AuditLog,
  ) {}

  @Get('api/v1/lock-stores/:store/locks')
  @Describe(LIST_LOCKS)
  @Needs('inspect')
  async list(request: ApiRequest): Promise<Answer> {
    const store = storeFrom(request, this.stores);
    const { filter, after, limit } = parseLockPageQuery(request.query);
    return locksAnswer(store, await this.locks.list(store, filter, after, limit));
  }

  @Get('api/v1/lock-stores/:store/locks/:resource')
  @Describe(GET_LOCK)
  @Needs('inspect')
  async find(request: ApiRequest): Promise<Answer> {
    const store = storeFrom(request, this.stores);
    const resource = resourceFrom(request);
    return lockAnswer(store, resource, await this.locks.find(store, resource));
  }

  @Put('api/v1/lock-stores/:store/locks/:resource')
  @Describe(ACQUIRE_LOCK)
  @Needs('lock')
  async acquire(request: ApiRequest): Promise<Answer> {
    const store = storeFrom(request, this.stores);
    const resource = newResourceFrom(request);
    const { waitMs, ...wanted } = parseAcquireBody(jsonBodyFrom(request));
    const lease = { ...wanted, idempotencyKey: idempotencyKeyFrom(request) };
    const author = authorFrom(request);
    const peer = request.watchPeer();
    try {
      const outcome = await this.locks.acquire(store, resource, lease, waitMs, author, peer.signal);
      return (outcome.isGranted ? grantedAnswer : heldAnswer)(store, resource, outcome.lease);
    } finally {
      peer.stop();
    }
  }

  @Patch('api/v1/lock-stores/:store/locks/:resource')
  @Describe(RENEW_LOCK)
  @Needs('lock')
  async renew(request: ApiRequest): Promise<Answer> {
    const store = storeFrom(request, this.stores);
    const resource = resourceFrom(request);
    const { ttlMs, ...claim } = parseRenewBody(jsonBodyFrom(request));
    const lease = await this.locks.renew(store, resource, claim, ttlMs, authorFrom(request));
    if (!lease) throw lockLost();
    return lockAnswer(store, resource, lease);
  }

  @Delete('api/v1/lock-stores/:store/locks/:resource')
  @Describe(RELEASE_LOCK)
  @Needs('lock')
  async release(request: ApiRequest): Promise<Answer> {
    const isForced = parseForce(request.query);
    // Rights before existence: who may not force learns nothing of store and lock.
    if (isForced && !mayForce(request)) {
      this.auditLog.refused(request, 'native');
      throw forbidden();
    }
    const store = storeFrom(request, this.stores);
    const resource = resourceFrom(request);
    if (isForced) return this.force(request, store, resource);
    const claim = parseReleaseClaim(request.query, fenceHeaderFrom(request));
    switch (await this.locks.release(store, resource, claim, authorFrom(request))) {
      case 'released':
        return releasedAnswer();
      case 'not-held':
        throw lockNotHeld();
      case 'held-by-other':
        throw lockHeldByOther();
    }
  }

  @Post('api/v1/lock-stores/:store/locks/:resource/check')
  @Describe(CHECK_FENCE)
  @Needs('inspect')
  async check(request: ApiRequest): Promise<Answer> {
    const store = storeFrom(request, this.stores);
    const resource = resourceFrom(request);
    const fence = parseCheckBody(jsonBodyFrom(request));
    return checkedAnswer(fence, await this.locks.find(store, resource));
  }

  private async force(request: ApiRequest, store: LockStore, resource: string): Promise<Answer> {
    const reason = parseForceReason(request.query, fenceHeaderFrom(request));
    const target = `${store.name}/${resource}`;
    const broken = await this.locks.force(store, resource, authorFrom(request), (lease) =>
      forcedEvent(request, target, reason, lease),
    );
    if (!broken) throw lockNotHeld();
    return lockAnswer(store, resource, broken);
  }
}

/** What the audit log says: who took it, from whom, and why. */
function forcedEvent(request: ApiRequest, target: string, reason: string, broken: Lease): AuditEvent {
  const { fence, grantedAt, expiresAt } = broken;
  return {
    actor: request.principal.name,
    address: request.remoteAddress,
    requestId: request.id,
    surface: 'lock',
    action: 'lock-forced',
    target,
    outcome: 'done',
    reason,
    // Dapr's owners may have millions of characters.
    details: { owner: auditTextStart(broken.owner!), fence, grantedAt, expiresAt },
  };
}
