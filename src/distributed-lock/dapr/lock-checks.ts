import { type ReleaseOutcome } from '../distributed-lock.service.js';
import { KEY_SEPARATOR, type LockStore, type LockStores } from '../../lease/lock-stores.js';
import { toProblem } from '../../problem/to-problem.js';

/** The gRPC status codes that Dapr's lock calls answer with. */
export const GrpcCode = { INVALID_ARGUMENT: 3, FAILED_PRECONDITION: 9, INTERNAL: 13 } as const;

/** Why a call is not carried out, in both spellings of the wire (distributed-lock contract section 2). */
export interface LockRefusal {
  readonly errorCode: string;
  readonly httpStatus: number;
  readonly grpcCode: number;
  readonly message: string;
}

/** What a caller of either transport wants to lock. Absent text is '', an absent expiry 0, as protobuf has it. */
export interface LockCall {
  readonly storeName: string;
  readonly resourceId: string;
  readonly lockOwner: string;
  readonly expiryInSeconds: number;
}

export type UnlockCall = Omit<LockCall, 'expiryInSeconds'>;

/** Either the store to work on, or the first check that failed. */
export type Checked =
  { readonly store: LockStore; readonly refusal?: never } | { readonly refusal: LockRefusal; readonly store?: never };

/** WIRE-STABLE, order and texts: expiry, any store, resource, owner, this store, pipes. The first that fails answers. */
export function checkLock(call: LockCall, stores: LockStores): Checked {
  if (!(call.expiryInSeconds > 0)) {
    return { refusal: malformed(`ExpiryInSeconds is not positive in lock store ${call.storeName}`) };
  }
  return checkNames(call, stores, lockFailed);
}

/** WIRE-STABLE: as `checkLock`, without an expiry. */
export function checkUnlock(call: UnlockCall, stores: LockStores): Checked {
  return checkNames(call, stores, unlockFailed);
}

/** @param cause a short public sentence: never SQL, never a stack */
export function lockFailed(cause: string): LockRefusal {
  return {
    errorCode: 'ERR_TRY_LOCK',
    httpStatus: 500,
    grpcCode: GrpcCode.INTERNAL,
    message: `failed to try acquiring lock: ${cause}`,
  };
}

/** @param cause as for `lockFailed` */
export function unlockFailed(cause: string): LockRefusal {
  return {
    errorCode: 'ERR_UNLOCK',
    httpStatus: 500,
    grpcCode: GrpcCode.INTERNAL,
    message: `failed to release lock: ${cause}`,
  };
}

/** What a caller may know of why a store failed: what the problem is called, and nothing of its cause. */
export function publicCause(error: unknown): string {
  const { title } = toProblem(error);
  return title.charAt(0).toLowerCase() + title.slice(1);
}

function checkNames(
  { storeName, resourceId, lockOwner }: UnlockCall,
  stores: LockStores,
  failed: (cause: string) => LockRefusal,
): Checked {
  if (stores.all.length === 0) return { refusal: NOT_CONFIGURED };
  if (resourceId === '') return { refusal: malformed(`ResourceId is empty in lock store ${storeName}`) };
  if (lockOwner === '') return { refusal: malformed(`LockOwner is empty in lock store ${storeName}`) };
  const store = stores.find(storeName);
  if (!store) return { refusal: notFound(storeName) };
  if (resourceId.includes(KEY_SEPARATOR)) {
    return { refusal: failed(`input key/keyPrefix '${resourceId}' can't contain '${KEY_SEPARATOR}'`) };
  }
  return { store };
}

const NOT_CONFIGURED: LockRefusal = {
  errorCode: 'ERR_LOCK_STORE_NOT_CONFIGURED',
  httpStatus: 500,
  grpcCode: GrpcCode.FAILED_PRECONDITION,
  message: 'lock store is not configured',
};

function malformed(message: string): LockRefusal {
  return { errorCode: 'ERR_MALFORMED_REQUEST', httpStatus: 400, grpcCode: GrpcCode.INVALID_ARGUMENT, message };
}

function notFound(storeName: string): LockRefusal {
  return {
    errorCode: 'ERR_LOCK_STORE_NOT_FOUND',
    httpStatus: 400,
    grpcCode: GrpcCode.INVALID_ARGUMENT,
    message: `lock store ${storeName} not found`,
  };
}

/** WIRE-STABLE: numbers of Dapr's `UnlockResponse.Status`. */
export const UNLOCK_STATUS: Readonly<Record<ReleaseOutcome, number>> = {
  released: 0,
  'not-held': 1,
  'held-by-other': 2,
};
