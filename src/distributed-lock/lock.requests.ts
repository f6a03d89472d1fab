import { isAllowed } from '../auth/native-access.js';
import { type ApiRequest } from '../http/api-request.js';
import { decodePathSegment } from '../http/query-string.js';
import { type LeaseAuthor } from '../lease/lease.js';
import { type LockStore, type LockStores } from '../lease/lock-stores.js';
import { invalidArgument, unknownLockStore, unsupportedMediaType } from '../problem/catalogue.js';
import { checkNewResource, checkResource } from './rules/lock-names.js';

/** How our own surface spells what the lock service asks for: the only place that reads these paths and headers. */

const JSON_TYPE = 'application/json';

/**
 * The store that the path names.
 *
 * @throws 404 where there is none
 */
export function storeFrom(request: ApiRequest, stores: LockStores): LockStore {
  const store = stores.find(decodePathSegment(request.params['store']!));
  if (!store) throw unknownLockStore();
  return store;
}

/** The resource that the path names, decoded once. */
export const resourceFrom = (request: ApiRequest): string =>
  checkResource(decodePathSegment(request.params['resource']!));

/** The same for a new lock, whose name is bounded. */
export const newResourceFrom = (request: ApiRequest): string =>
  checkNewResource(decodePathSegment(request.params['resource']!));

/** The body, which is needed and must call itself JSON; what is in it is the rules' business. */
export function jsonBodyFrom(request: ApiRequest): Buffer {
  const [type = ''] = (request.header('content-type') ?? '').split(';');
  // Without a body its type says nothing; that it is missing does.
  if (request.body.length > 0 && type.trim().toLowerCase() !== JSON_TYPE) throw unsupportedMediaType();
  return request.body;
}

/**
 * The key together with the principal that sent it, since whoever repeats a request is told its grant: somebody else's request with the
 * same key is another one. A principal's name alone could be that of one of another kind.
 *
 * @throws Problem `invalid-argument` unless it is 1 to 255 visible characters of ASCII
 */
export function idempotencyKeyFrom(request: ApiRequest): string | null {
  const key = request.header('idempotency-key');
  if (key === undefined) return null;
  const { kind, name } = request.principal;
  // No key has a blank.
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return `${key} ${kind} ${name}`;
  throw invalidArgument('Idempotency-Key', '1 to 255 visible characters of ASCII.');
}

export const fenceHeaderFrom = (request: ApiRequest): string | undefined => request.header('lock-fence');

/** A route asks for one right only; a release that is forced needs this one as well. */
export const mayForce = ({ principal }: ApiRequest): boolean => isAllowed(principal, 'force');

export const authorFrom = ({ principal, id }: ApiRequest): LeaseAuthor => ({ actor: principal.name, requestId: id });
