import { type HolderClaim } from '../../lease/lease.js';
import { parseLimit, parseReason } from '../../http/native/page-query.js';
import { type QueryString } from '../../http/query-string.js';
import { invalidArgument } from '../../problem/catalogue.js';
import { parseFence } from './fence.js';
import { checkOwner } from './lock-names.js';

/** What a page of locks is asked for. An empty parameter counts as absent, and of a repeated one the first counts. */
export interface LockPageQuery {
  readonly filter: { readonly prefix: string; readonly owner: string | null; readonly state: 'held' | 'free' | null };
  readonly after: string | null;
  readonly limit: number;
}

/** @throws Problem `invalid-argument` that names the parameter; `after` is judged by whoever made it */
export function parseLockPageQuery(query: QueryString): LockPageQuery {
  return {
    filter: {
      prefix: query.first('prefix') ?? '',
      owner: query.first('owner') ?? null,
      state: parseState(query.first('state')),
    },
    after: query.first('after') ?? null,
    limit: parseLimit(query),
  };
}

/** Whether a release is to be forced. Anything but the two words is refused: a misspelt force must not pass for a plain release. */
export function parseForce(query: QueryString): boolean {
  const force = query.first('force') ?? 'false';
  if (force === 'true' || force === 'false') return force === 'true';
  throw invalidArgument('force', '"true" or "false".');
}

/**
 * Why the holder is to lose the lock.
 *
 * @param fence value of the header `Lock-Fence`. A force ends whatever hold there is, so one that also names the holder says two things
 */
export function parseForceReason(query: QueryString, fence: string | undefined): string {
  if (fence !== undefined || query.first('owner') !== undefined) {
    throw invalidArgument('force', 'A force names no holder: leave out `owner` and `Lock-Fence`.');
  }
  return parseReason(query);
}

/**
 * Whose lock is to be released.
 *
 * @param fence value of the header `Lock-Fence`
 */
export function parseReleaseClaim(query: QueryString, fence: string | undefined): HolderClaim {
  const owner = query.first('owner');
  if (owner === undefined && fence === undefined) {
    throw invalidArgument('owner', 'Name the holder: `Lock-Fence`, `owner`, or both.');
  }
  return {
    owner: owner === undefined ? null : checkOwner(owner),
    fence: fence === undefined ? null : parseFence('Lock-Fence', fence),
  };
}

function parseState(text: string | undefined): 'held' | 'free' | null {
  if (text === undefined) return null;
  if (text === 'held' || text === 'free') return text;
  throw invalidArgument('state', '"held" or "free".');
}
