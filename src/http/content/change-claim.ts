/**
 * With which right a request changes content that may be locked. Only `LockTokenGuard` makes one, and everything that changes content
 * demands one: a route without `@ChangesContent` has none to give.
 */
export interface ChangeClaim {
  /** Id of the user who changes. */
  readonly user: string;
  /** What `Lock-Token` says, without brackets and scheme; null when there is none. Compared as text: it may be anything. */
  readonly token: string | null;
  /** `X-Plone-Unlock: true`: the lock is released in the transaction of the change. */
  readonly releaseAfter: boolean;
}
