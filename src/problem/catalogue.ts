import { Problem, type ProblemOptions } from './problem.js';

/**
 * Every problem the service can answer with, by the name that its `type` ends in. `hasBody: false` marks those that Azure's contract
 * (section 8) answers with an empty body; surfaces that always carry a body ignore the mark.
 */

/** 400: a member of the request is not what the contract allows. Azure contract section 8, "General 400 shape". */
export const invalidArgument = (parameter: string, detail = '', title?: string): Problem =>
  new Problem('invalid-argument', 400, {
    title: title ?? `Invalid request parameter '${parameter}'`,
    parameter,
    detail,
  });

/** 400 without a body: the request's path itself is unacceptable (`%25`, bytes that are not UTF-8). Azure contract section 3. */
export const malformedPath = (): Problem =>
  new Problem('malformed-path', 400, { title: 'The request path is malformed', hasBody: false });

/** 400, and the connection ends: two `Host` or two `Authorization` lines, of which others on the way may have read the other one. */
export const ambiguousRequest = (): Problem =>
  new Problem('ambiguous-request', 400, {
    title: 'Host or Authorization is given more than once',
    headers: [['Connection', 'close']],
    hasBody: false,
  });

/** 401: missing or wrong credentials; `challenges` are the values of the `WWW-Authenticate` lines, one line each. */
export const unauthorized = (challenges: readonly string[]): Problem =>
  new Problem('unauthorized', 401, {
    title: 'Valid credentials are required',
    headers: challenges.map((challenge) => ['WWW-Authenticate', challenge] as const),
    hasBody: false,
  });

/** 403: known caller without the right to do this. */
export const forbidden = (): Problem =>
  new Problem('forbidden', 403, { title: 'The caller is not allowed to do this', hasBody: false });

/** 404: no such route or resource. */
export const notFound = (): Problem => new Problem('not-found', 404, { title: 'Not found', hasBody: false });

/** 405: the path exists, the verb does not. */
export const methodNotAllowed = (allowed: readonly string[]): Problem =>
  new Problem('method-not-allowed', 405, {
    title: 'Method not allowed',
    headers: [['Allow', allowed.join(', ')]],
    hasBody: false,
  });

/** 409: write to a read-only key-value. "Modifing" is the real service's spelling and clients compare it: leave it. */
export const keyLocked = (key: string): Problem =>
  new Problem('key-locked', 409, {
    title: `Modifing key '${key}' is not allowed`,
    parameter: key,
    detail: 'The key is read-only. To allow modification unlock it first.',
  });

/**
 * 409: the fence of `Lock-Fence` is not, or no longer, that of the lock's holder. Nothing was written.
 *
 * @param fence the last one granted, decimal text: the holder's while somebody holds the lock. Null when none was ever granted, or the
 *   lock was forgotten after a day of rest
 */
export const staleFence = (fence: string | null): Problem =>
  new Problem('stale-fence', 409, {
    title: 'The fence is not current',
    detail: 'Lock-Fence names a fence that is not, or no longer, that of the holder of the lock.',
    members: { fence },
  });

/** 409: a snapshot has this name already. The text is the real service's. */
export const alreadyExists = (): Problem =>
  new Problem('already-exists', 409, { title: 'The resource already exists.', detail: '' });

/** 409: what failed can be neither archived nor recovered. The text is the real service's. */
export const invalidState = (): Problem =>
  new Problem('invalid-state', 409, {
    title: 'Target resource state invalid.',
    detail: 'The target resource is not in a valid state to perform the requested operation.',
  });

/** 404: no lock store of this name is configured. */
export const unknownLockStore = (): Problem => new Problem('not-found', 404, { title: 'There is no such lock store' });

/** 404: a release or a force of a lock that nobody holds. */
export const lockNotHeld = (): Problem => new Problem('lock-not-held', 404, { title: 'Nobody holds the lock' });

/** 409: somebody else has the lock, after waiting for it as well. */
export const lockHeld = (): Problem => new Problem('lock-held', 409, { title: 'The lock is held' });

/** 409: a renewal of a lock that expired, was released, was taken by another, or was never the caller's. */
export const lockLost = (): Problem =>
  new Problem('lock-lost', 409, { title: 'The lock is not, or no longer, held by this owner with this fence' });

/** 409: a release by another than the holder. */
export const lockHeldByOther = (): Problem =>
  new Problem('lock-held-by-other', 409, { title: 'The lock is held by another owner or with another fence' });

/** 412: a condition of the request does not hold. */
export const preconditionFailed = (): Problem =>
  new Problem('precondition-failed', 412, { title: 'A condition of the request does not hold', hasBody: false });

/** 413: item or body over the surface's limit. */
export const payloadTooLarge = (): Problem =>
  new Problem('payload-too-large', 413, { title: 'The request is too large', hasBody: false });

/** 414: the request line is longer than the service reads. */
export const uriTooLong = (): Problem =>
  new Problem('uri-too-long', 414, { title: 'The request target is too long', hasBody: false });

/** 415: media type of the request body is not one that the route reads. */
export const unsupportedMediaType = (): Problem =>
  new Problem('unsupported-media-type', 415, { title: 'Unsupported media type', hasBody: false });

/** 416: `Range: items=` that selects nothing; `total` is the number of items there are. */
export const rangeNotSatisfiable = (total: number): Problem =>
  new Problem('range-not-satisfiable', 416, {
    title: 'The requested range cannot be satisfied',
    headers: [['Content-Range', `items */${total}`]],
    hasBody: false,
  });

/** 429: the line for a lock is full, or that of the whole process. */
export const tooManyWaiters = (): Problem =>
  new Problem('too-many-waiters', 429, { title: 'Too many callers wait for this lock', headers: retryAfter(1000) });

/** 431: more header bytes or lines than the service reads. */
export const headersTooLarge = (): Problem =>
  new Problem('headers-too-large', 431, { title: 'The request headers are too large', hasBody: false });

/** 500: a defect of ours. Nothing of the cause is shown. */
export const serverError = (cause: unknown): Problem =>
  new Problem('server-error', 500, { title: 'The server met an unexpected condition', cause });

const retryAfter = (ms: number): readonly (readonly [string, string])[] => [
  ['Retry-After', String(Math.max(1, Math.ceil(ms / 1000)))],
  ['retry-after-ms', String(ms)],
];

/** 429: wrong credentials too often from one address; right ones still pass. */
export const tooManyFailedLogins = (retryAfterMs: number): Problem =>
  new Problem('too-many-failed-logins', 429, {
    title: 'Too many failed logins',
    detail: 'Wrong credentials came from this address too often.',
    headers: retryAfter(retryAfterMs),
  });

/** 503: not executed, because the database is away or busy or the service is draining; safe to send again after `retryAfterMs`. */
export const unavailable = (retryAfterMs = 500, options: Pick<ProblemOptions, 'cause'> = {}): Problem =>
  new Problem('unavailable', 503, {
    title: 'The service cannot answer right now',
    headers: retryAfter(retryAfterMs),
    hasBody: false,
    ...options,
  });

/**
 * 503: not executed, because more requests wait for the database than may. One object for all: under overload nothing is left for a stack
 * trace and a line of the log each; `throttled_total` counts them.
 */
export const OVERLOADED = unavailable();

/** 503: the connection to the database was lost after the statement was sent, so nobody can say whether it took effect (P13). */
export const outcomeUnknown = (cause: unknown): Problem =>
  new Problem('outcome-unknown', 503, {
    title: 'The outcome of the request is unknown',
    detail: 'The change may or may not have been made. Read the resource before sending it again.',
    headers: retryAfter(1000),
    cause,
  });
