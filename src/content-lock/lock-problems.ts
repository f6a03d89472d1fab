import { type Refusal } from '../content/content-hooks.js';
import { notAllowed, raised, serviceError } from '../http/content/content-problem.js';
import { Problem } from '../problem/problem.js';

/** How the content surface refuses for the sake of a lock (content contract sections 5 and 7). Never 401: that reads as a lost login. */

/** Says that the answer is not what a client gets that asks for nothing (RFC 7240 §3). */
const STRICT_APPLIED = [['Preference-Applied', 'handling=strict']] as const;

/** 423 to a second editor who asked for strict handling; `lock` is the holder's, as this caller may see it. */
export const lockedByOther = (id: string, context: string, lock: object): Problem =>
  new Problem('resource-locked', 423, {
    title: 'The object is locked by another user',
    members: { type: 'ResourceLockedError', message: lockedMessage([id]), context, lock },
    headers: STRICT_APPLIED,
  });

/** 403: an unlock without force, of a lock that somebody else holds, where strict handling was asked for. */
export const notTheHolder = (): Problem =>
  serviceError('forbidden', 403, 'Forbidden', 'The lock is held by another user.', { headers: STRICT_APPLIED });

/** 403: a refresh of a lock that somebody else holds. */
export const refreshByOther = (): Problem => notAllowed('The lock is held by another user.');

/** 403: force against a lock that only its holder, or who may break any lock, can end. */
export const notStealable = (): Problem => notAllowed('The lock is held by another user and cannot be stolen.');

/** What a change is answered that a lock, or the memory of one, stands against. */
export function changeRefused({ verdict, change, urls }: Refusal): Problem {
  if (verdict === 'stale-token') {
    const message = 'The lock of this token ended, and another user has changed the object since.';
    return raised('precondition-failed', 412, 'PreconditionFailed', message, { context: urls[0] });
  }
  if (change === 'update') return notAllowed('Resource is locked.');
  const message = lockedMessage(urls.map(lastSegment));
  return raised('resource-locked', 423, 'ResourceLockedError', message, { context: urls[0] });
}

const lockedMessage = (ids: readonly string[]): string =>
  ids.length === 1 ? `Object "${ids[0]}" is locked.` : `Objects ${ids.map((id) => `"${id}"`).join(', ')} are locked.`;

const lastSegment = (url: string): string => decodeURIComponent(url.slice(url.lastIndexOf('/') + 1));
