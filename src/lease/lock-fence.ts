import { invalidArgument } from '../problem/catalogue.js';
import { KEY_SEPARATOR } from './lock-stores.js';

/** What a `Lock-Fence` header names: a lock and the fence under which the caller holds it. */
export interface LockFence {
  readonly store: string;
  readonly resource: string;
  /** Decimal text, 1 to 2^63 - 1, without leading zeros. */
  readonly fence: string;
}

const MAX_FENCE = 2n ** 63n - 1n;

/**
 * A character of a path segment (RFC 3986 §3.3), but for `;`, which ends the resource. Without comma and blank, which join repeated header
 * lines to one: such a header is refused like any other that says more than one thing.
 */
const SEGMENT = String.raw`((?:[\w.~!$&'()*+=:@-]|%[\dA-Fa-f]{2})+)`;
const LOCK_FENCE = new RegExp(`^${SEGMENT}/${SEGMENT};([1-9]\\d{0,18})$`);

/**
 * Reads `{store}/{resource};{fence}` (native API section 5). Store and resource are percent-encoded as in the path of the lock itself.
 *
 * @param header field value; several lines are joined by `, ` before (as node:http does)
 * @throws 400 that names `Lock-Fence`: a caller that asks for protection must never write without it
 */
export function parseLockFence(header: string): LockFence {
  const [, rawStore, rawResource, fence] = LOCK_FENCE.exec(header) ?? [];
  const store = decode(rawStore);
  const resource = decode(rawResource);
  if (store === null || resource === null || BigInt(fence!) > MAX_FENCE) {
    throw invalidLockFence('Expected one {store}/{percent-encoded resource};{fence}.');
  }
  // Else the resource could reach the keys of another store.
  if (resource.includes(KEY_SEPARATOR)) throw invalidLockFence(`The resource must not contain '${KEY_SEPARATOR}'.`);
  return { store, resource, fence: fence! };
}

export const invalidLockFence = (detail: string): Error => invalidArgument('Lock-Fence', detail);

/** Null when there is nothing, or its bytes are not UTF-8. */
function decode(raw: string | undefined): string | null {
  if (raw === undefined) return null;
  try {
    return decodeURIComponent(raw);
  } catch {
    return null;
  }
}
