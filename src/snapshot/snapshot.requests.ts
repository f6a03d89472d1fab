import { type AzureRequest } from '../http/azure/azure-request.js';
import { isJsonBody, isMergePatchBody } from '../http/azure/media-type.js';
import { parseStringFilter } from '../key-value/rules/string-filter.js';
import { invalidArgument, unsupportedMediaType } from '../problem/catalogue.js';
import { parseSnapshotBody, parseStatusBody } from './rules/snapshot-input.js';
import { checkSnapshotName } from './rules/snapshot-name.js';
import { parseStatusFilter } from './rules/status-filter.js';
import { type SnapshotInput, type SnapshotListFilter } from './snapshot.js';

/** How the Azure surface spells what the snapshot service asks for: the only place that reads these parameters. */

export const snapshotNameFrom = (request: AzureRequest): string =>
  checkSnapshotName('name', request.pathParameter('name'));

/** The snapshot that `?snapshot=` names. */
export function snapshotParameterFrom(request: AzureRequest): string {
  const name = request.query.first('snapshot');
  if (name === undefined) throw invalidArgument('snapshot');
  return checkSnapshotName('snapshot', name);
}

export function snapshotInputFrom(request: AzureRequest): SnapshotInput {
  if (!isJsonBody(request.header('content-type'))) throw unsupportedMediaType();
  return parseSnapshotBody(request.body, {
    tagFilters: request.apiVersion.has('tagFilterOnLists'),
    description: request.apiVersion.has('description'),
  });
}

export function statusFrom(request: AzureRequest): 'ready' | 'archived' {
  if (!isMergePatchBody(request.header('content-type'))) throw unsupportedMediaType();
  return parseStatusBody(request.body);
}

export const snapshotFilterFrom = (request: AzureRequest): SnapshotListFilter => ({
  name: parseStringFilter('name', request.query.first('name')),
  statuses: parseStatusFilter(request.query.first('status')),
});
