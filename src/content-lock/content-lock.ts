/** A lock that somebody holds. */
export interface ContentLock {
  readonly uid: string;
  /** Id of the user. */
  readonly holder: string;
  /** For its holder's eyes only. */
  readonly token: string;
  /** Of the lock or its last refresh: `2026-01-31T23:59:59`, UTC, whole seconds. */
  readonly created: string;
  /** The same instant in seconds since 1970. */
  readonly createdEpoch: number;
  /** Lifetime in seconds from `created` on. */
  readonly timeout: number;
  /** Whether other editors may take it by force. */
  readonly isStealable: boolean;
}

/** What the caller of `POST @lock` asks for; null keeps what the caller's own lock has, or takes the default. */
export interface LockOptions {
  /** Seconds. */
  readonly timeout: number | null;
  readonly stealable: boolean | null;
  /** Takes a lock from whoever holds it, in one step. */
  readonly force: boolean;
}

/** Somebody who asks for a lock, or to end one. */
export interface LockUser {
  readonly name: string;
  /** Whether the user may end locks that are not stealable. */
  readonly mayBreak: boolean;
}

/** Ends of an operation on a lock. `held` and `not-stealable`: by somebody else, and nothing was changed. */
export type TakeOutcome = 'taken' | 'renewed' | 'stolen' | 'held' | 'not-stealable';
export type RefreshOutcome = 'refreshed' | 'held' | 'free';
export type ReleaseOutcome = 'released' | 'free' | 'forced' | 'held' | 'not-stealable';

export interface LockResult<Outcome> {
  readonly outcome: Outcome;
  /** The lock as it was when this was decided; null when there is none now. */
  readonly lock: ContentLock | null;
  /** Somebody else's lock that was met: it stands in the way, or it was ended. */
  readonly former: ContentLock | null;
}

/** A lock with its object, as the board lists it. */
export interface ListedLock {
  readonly uid: string;
  /** `/news/today`; `/` for the site root. */
  readonly path: string;
  readonly title: string;
  readonly holder: string;
  /** ISO 8601 in UTC. */
  readonly created: string;
  readonly expiresAt: string;
  /** Seconds. */
  readonly timeout: number;
  readonly isStealable: boolean;
}
