/**
 * One lease as the database shows it: who holds a stored key, since when and until when. Times are ISO 8601 in UTC with microseconds, by
 * the database's clock alone.
 */
export interface Lease {
  /** What `LockStore.storedKey` made of a store and a resource. */
  readonly storedKey: string;
  /** Whether somebody holds it at the moment of the statement: taken, not released, not expired. */
  readonly isHeld: boolean;
  /** Text that the holder gave; null when free. */
  readonly owner: string | null;
  /** Decimal text of the last fence granted; it only rises. Null when never granted, or forgotten after a day of rest. */
  readonly fence: string | null;
  readonly grantedAt: string | null;
  readonly expiresAt: string | null;
  /** Length of the lease as asked for at its grant or at the renewal that last extended it; null when free. */
  readonly ttlMs: number | null;
  /** How often the present holder renewed. */
  readonly renewals: number;
  /** Callers that wait for it. */
  readonly waiters: number;
  /** JSON text of an object that the holder attached, as sent; null when none. */
  readonly metadata: string | null;
  /** What tells the request of the grant from others, null when it had no `Idempotency-Key`. */
  readonly idempotencyKey: string | null;
}

/** Who asks, for the row's last actor and the audit log. */
export interface LeaseAuthor {
  /** Name of the principal. */
  readonly actor: string;
  readonly requestId: string;
}

/** What a caller wants to hold. */
export interface LeaseRequest {
  readonly owner: string;
  /** Whole milliseconds, at least 1. */
  readonly ttlMs: number;
  readonly metadata: string | null;
  /** Equal for a request and its repetitions, and for no other; null for one that is not to be repeated. */
  readonly idempotencyKey: string | null;
}

/** Names a holder: its owner text, its fence, or both. At least one is given. */
export interface HolderClaim {
  readonly owner: string | null;
  /** Decimal text. */
  readonly fence: string | null;
}
