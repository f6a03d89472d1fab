import { Post } from '@nestjs/common';
import { type Answer } from '../../http/answer.js';
import { daprJsonAnswer } from '../../http/dapr/dapr-json.js';
import { DaprProblem } from '../../http/dapr/dapr-problem.js';
import { DaprRequest } from '../../http/dapr/dapr-request.js';
import { Needs, SurfaceController } from '../../http/surface-controller.decorator.js';
import { type LeaseAuthor } from '../../lease/lease.js';
import { LockStores } from '../../lease/lock-stores.js';
import { Describe } from '../../openapi/describe.decorator.js';
import { toProblem } from '../../problem/to-problem.js';
import { DistributedLockService } from '../distributed-lock.service.js';
import { TRY_LOCK, UNLOCK } from './dapr.openapi.js';
import { lockCallFrom, unlockCallFrom } from './dapr-lock.requests.js';
import {
  checkLock,
  checkUnlock,
  lockFailed,
  type LockRefusal,
  publicCause,
  UNLOCK_STATUS,
  unlockFailed,
} from './lock-checks.js';

/**
 * Dapr's two lock calls (contract sections 1 to 3). Losing is an answer of 200. `v1.0-alpha` is not Dapr's; its own reference page
 * prints it by mistake, and what people paste from there should work.
 */
@SurfaceController('dapr')
export class DaprLockController {
  constructor(
    private readonly locks: DistributedLockService,
    private readonly stores: LockStores,
  ) {}

  @Post(['v1.0-alpha1/lock/:storeName', 'v1.0-alpha/lock/:storeName'])
  @Describe(TRY_LOCK)
  @Needs('surface')
  async tryLock(request: DaprRequest): Promise<Answer> {
    const call = lockCallFrom(request);
    const { store, refusal } = checkLock(call, this.stores);
    if (refusal) throw refused(refusal);
    const lease = { owner: call.lockOwner, ttlMs: call.expiryInSeconds * 1000, metadata: null, idempotencyKey: null };
    const taking = this.locks.tryAcquire(store, call.resourceId, lease, authorOf(request));
    const { isGranted } = await orRefused(taking, lockFailed);
    return daprJsonAnswer(200, { success: isGranted });
  }

  @Post(['v1.0-alpha1/unlock/:storeName', 'v1.0-alpha/unlock/:storeName'])
  @Describe(UNLOCK)
  @Needs('surface')
  async unlock(request: DaprRequest): Promise<Answer> {
    const call = unlockCallFrom(request);
    const { store, refusal } = checkUnlock(call, this.stores);
    if (refusal) throw refused(refusal);
    const claim = { owner: call.lockOwner, fence: null };
    const releasing = this.locks.release(store, call.resourceId, claim, authorOf(request));
    return daprJsonAnswer(200, { status: UNLOCK_STATUS[await orRefused(releasing, unlockFailed)] });
  }
}

const authorOf = ({ principal, id }: DaprRequest): LeaseAuthor => ({ actor: principal.name, requestId: id });

/** The log gets the code alone: the message may quote ids of megabytes. */
function refused({ errorCode, httpStatus, message }: LockRefusal): DaprProblem {
  return new DaprProblem(errorCode, httpStatus, message, { cause: new Error(`refused with ${errorCode}`) });
}

/**
 * Waits for the store. Dapr names every failure of a store 500 with the cause in the message, also one that others would see as a 503
 * (reliability promise P13); its `Retry-After` stays, for it is the only sign that the call may be sent again.
 */
async function orRefused<T>(work: Promise<T>, failed: (cause: string) => LockRefusal): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const { errorCode, httpStatus, message } = failed(publicCause(error));
    const { headers, cause } = toProblem(error);
    throw new DaprProblem(errorCode, httpStatus, message, { headers, cause: cause ?? error });
  }
}
