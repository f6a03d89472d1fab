import { type AzureRequest } from '../http/azure/azure-request.js';
import { leaseKey } from '../lease/lease.repository.js';
import { invalidLockFence, parseLockFence } from '../lease/lock-fence.js';
import { type LockStores } from '../lease/lock-stores.js';
import { type Author, type Fence } from './key-value.js';
import { type KeyValueFilter } from './key-value-list.sql.js';
import { type KeyValueName } from './key-value.service.js';
import { type AsOf, parseAcceptDatetime } from './rules/accept-datetime.js';
import { normaliseLabel } from './rules/key-value-input.js';
import { parseStringFilter } from './rules/string-filter.js';
import { parseTagFilters, type TagCondition } from './rules/tag-filter.js';

/** How the Azure surface spells what the service asks for: the only place that reads these parameters. */

/** Key from the path, decoded once; label from the query, literal (contract sections 2.8, 3). */
export function nameFrom(request: AzureRequest): KeyValueName {
  return { key: request.pathParameter('key'), label: normaliseLabel(request.query.first('label')) };
}

export function authorFrom(request: AzureRequest): Author {
  return { actor: request.principal.name, address: request.remoteAddress, requestId: request.id };
}

/** What `Lock-Fence` binds a write to; null without the header (native API section 5). */
export function fenceFrom(request: AzureRequest, stores: LockStores): Fence | null {
  const header = request.header('lock-fence');
  if (header === undefined) return null;
  const { store, resource, fence } = parseLockFence(header);
  const found = stores.find(store);
  if (!found) throw invalidLockFence('There is no lock store of this name.');
  return { digest: leaseKey(found.storedKey(resource)).digest, fence };
}

/** Tag conditions, where the request's version knows them; ignored in older ones (contract sections 1, 4.3). */
export function tagsFrom(
  request: AzureRequest,
  capability: 'tagFilterOnLists' | 'tagFilterOnKeyValue',
): TagCondition[] {
  return request.apiVersion.has(capability) ? parseTagFilters(request.query.all('tags')) : [];
}

export function filterFrom(request: AzureRequest, asOf: AsOf | null): KeyValueFilter {
  return {
    key: parseStringFilter('key', request.query.first('key')),
    label: parseStringFilter('label', request.query.first('label')),
    tags: tagsFrom(request, 'tagFilterOnLists'),
    before: asOf?.exclusiveEndMs ?? null,
  };
}

/** The instant that `Accept-Datetime` asks for; null for now, for the future and for what cannot be read (contract section 6). */
export function asOfFrom(request: AzureRequest, nowMs: number): AsOf | null {
  return parseAcceptDatetime(request.header('accept-datetime'), nowMs);
}

/** A continuation token, decoded; null when there is none or it cannot be read, which means page one (contract section 4.5). */
export function cursorFrom<T>(request: AzureRequest, decode: (token: string) => T | null): T | null {
  const token = request.query.first('after');
  return token === undefined ? null : decode(token);
}
