import { LockStore, LockStores } from '../../lease/lock-stores.js';
import { unavailable } from '../../problem/catalogue.js';
import { checkLock, checkUnlock, lockFailed, publicCause, unlockFailed } from './lock-checks.js';

const STORE = new LockStore('s', 'lock.postgres', 'v1', 'lock||app||');
const STORES = new LockStores([STORE]);
const NONE = new LockStores([]);
const VALID = { storeName: 's', resourceId: 'r', lockOwner: 'o', expiryInSeconds: 1 };
const WRONG = { storeName: 'x', resourceId: '', lockOwner: '', expiryInSeconds: 0 };

const messageOf = (call: object, stores = STORES): string | undefined =>
  checkLock({ ...VALID, ...call }, stores).refusal?.message;

describe('checkLock', () => {
  it('finds the store of a valid call', () => {
    expect(checkLock(VALID, STORES)).toEqual({ store: STORE });
  });

  // Each call is also wrong in all that is checked later.
  it.each([
    [WRONG, NONE, 'ERR_MALFORMED_REQUEST', 400, 3, 'ExpiryInSeconds is not positive in lock store x'],
    [{ ...WRONG, expiryInSeconds: 1 }, NONE, 'ERR_LOCK_STORE_NOT_CONFIGURED', 500, 9, 'lock store is not configured'],
    [{ ...WRONG, expiryInSeconds: 1 }, STORES, 'ERR_MALFORMED_REQUEST', 400, 3, 'ResourceId is empty in lock store x'],
    [
      { ...WRONG, expiryInSeconds: 1, resourceId: 'a||b' },
      STORES,
      'ERR_MALFORMED_REQUEST',
      400,
      3,
      'LockOwner is empty in lock store x',
    ],
    [
      { ...VALID, storeName: 'x', resourceId: 'a||b' },
      STORES,
      'ERR_LOCK_STORE_NOT_FOUND',
      400,
      3,
      'lock store x not found',
    ],
    [
      { ...VALID, resourceId: 'a||b' },
      STORES,
      'ERR_TRY_LOCK',
      500,
      13,
      `failed to try acquiring lock: input key/keyPrefix 'a||b' can't contain '||'`,
    ],
  ])('refuses %j', (call, stores, errorCode, httpStatus, grpcCode, message) => {
    expect(checkLock(call, stores).refusal).toEqual({ errorCode, httpStatus, grpcCode, message });
  });

  it.each([-1, -2_147_483_648, 0])('refuses an expiry of %d', (expiryInSeconds) => {
    expect(messageOf({ expiryInSeconds })).toBe('ExpiryInSeconds is not positive in lock store s');
  });

  it.each([{ lockOwner: ' ' }, { lockOwner: '||' }, { resourceId: 'a|b|' }, { expiryInSeconds: 2_147_483_647 }])(
    'takes %j',
    (call) => {
      expect(messageOf(call)).toBeUndefined();
    },
  );
});

describe('checkUnlock', () => {
  it('checks the same without an expiry', () => {
    const call = { storeName: 's', resourceId: 'r', lockOwner: 'o' };
    expect(checkUnlock(call, STORES)).toEqual({ store: STORE });
    expect(checkUnlock(call, NONE).refusal?.message).toBe('lock store is not configured');
    expect(checkUnlock({ ...call, resourceId: '||' }, STORES).refusal).toEqual({
      errorCode: 'ERR_UNLOCK',
      httpStatus: 500,
      grpcCode: 13,
      message: `failed to release lock: input key/keyPrefix '||' can't contain '||'`,
    });
  });
});

describe('a failure of the store', () => {
  it('is named with what a client may know of it', () => {
    const error = new Error('relation "lease" does not exist');
    expect(lockFailed(publicCause(error)).message).toBe(
      'failed to try acquiring lock: the server met an unexpected condition',
    );
    expect(unlockFailed(publicCause(unavailable(500, { cause: error }))).message).toBe(
      'failed to release lock: the service cannot answer right now',
    );
  });
});
