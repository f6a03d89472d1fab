import { type AzureRequest } from '../http/azure/azure-request.js';
import { type Author } from './key-value.js';
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
