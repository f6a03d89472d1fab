import { hash } from 'node:crypto';
import { type Answer, emptyAnswer } from '../http/answer.js';
import { type AzureRequest } from '../http/azure/azure-request.js';
import { negotiate } from '../http/azure/media-type.js';
import { envelope, selectedFrom, VENDOR } from '../key-value/key-value.answers.js';
import { httpDate, isoSeconds } from '../key-value/rules/utc-time.js';
import { type Page } from '../key-value/key-value.service.js';
import { encodeNameToken } from '../key-value/rules/continuation-token.js';
import { nextLink } from '../key-value/rules/next-link.js';
import { readOutcome } from '../precondition/condition.js';
import { preconditionFailed } from '../problem/catalogue.js';
import { type Snapshot } from './snapshot.js';

const ITEM_TYPE = `${VENDOR}snapshot+json`;
const LIST_TYPE = `${VENDOR}snapshotset+json`;
const OPERATION_TYPE = 'application/json; charset=utf-8';

/** Fields of a snapshot in the order in which the real service sends them (contract section 10.1). Wire-stable. */
const FIELDS = [
  'etag',
  'name',
  'status',
  'filters',
  'composition_type',
  'created',
  'expires',
  'size',
  'items_count',
  'tags',
  'retention_period',
] as const;
const FIELDS_WITH_DESCRIPTION = [...FIELDS, 'description'] as const;
type Field = (typeof FIELDS_WITH_DESCRIPTION)[number];

/** JSON text of one field; null for one that is not there. Tags are stored as the JSON text that is sent. */
const FIELD_TEXT: Readonly<Record<Field, (snapshot: Snapshot, request: AzureRequest) => string | null>> = {
  etag: ({ etag }) => `"${etag}"`,
  name: ({ name }) => JSON.stringify(name),
  status: ({ status }) => `"${status}"`,
  filters: ({ filters }, { apiVersion }) =>
    JSON.stringify(
      filters.map(({ key, label, tags }) =>
        apiVersion.has('tagFilterOnLists') ? { key, label, tags } : { key, label },
      ),
    ),
  composition_type: ({ compositionType }) => `"${compositionType}"`,
  created: ({ createdAt }) => `"${isoSeconds(createdAt)}"`,
  expires: ({ expires }) => expires && `"${expires}"`,
  size: ({ sizeInBytes }) => String(sizeInBytes),
  items_count: ({ itemsCount }) => String(itemsCount),
  tags: ({ tags }) => tags,
  retention_period: ({ retentionInSeconds }) => String(retentionInSeconds),
  description: ({ description }) => JSON.stringify(description),
};

/** What a new snapshot says of itself until it is asked again: clients begin to poll on `provisioning` (contract section 10.2). */
const PROVISIONING = { status: '"provisioning"', size: '0', items_count: '0' } as const;

/** How the request wants its snapshots written: the fields of its version, less what `$select` leaves out. */
function fieldsOf(request: AzureRequest): readonly Field[] {
  const fields = request.apiVersion.has('description') ? FIELDS_WITH_DESCRIPTION : FIELDS;
  const selected = selectedFrom(request, fields);
  return selected ? fields.filter((field) => selected.has(field)) : fields;
}

function snapshotText(
  request: AzureRequest,
  snapshot: Snapshot,
  fields: readonly Field[],
  instead: Partial<Record<Field, string>> = {},
): string {
  const members = fields.flatMap((field) => {
    const text = instead[field] ?? FIELD_TEXT[field](snapshot, request);
    return text === null ? [] : [`"${field}":${text}`];
  });
  return `{${members.join(',')}}`;
}

/** `{path}?snapshot={name}&api-version={version}`, as clients follow it. */
const targetOf = (request: AzureRequest, path: string, name: string): string =>
  `${path}?snapshot=${encodeURIComponent(name)}&api-version=${encodeURIComponent(request.apiVersion.text)}`;

const headersOf = (request: AzureRequest, { name, etag, createdAt }: Snapshot): string[] => [
  'ETag',
  `"${etag}"`,
  // A snapshot's content is that of its creation: archiving leaves the time alone.
  'Last-Modified',
  httpDate(createdAt),
  'Link',
  `<${targetOf(request, '/kv', name)}>; rel="items"`,
];

/** The representation of one snapshot, as GET and PATCH answer it. */
export function snapshotAnswer(request: AzureRequest, snapshot: Snapshot): Answer {
  return {
    status: 200,
    headers: ['Content-Type', negotiate(request.header('accept'), ITEM_TYPE), ...headersOf(request, snapshot)],
    body: snapshotText(request, snapshot, fieldsOf(request)),
  };
}

/**
 * The answer to a creation (contract section 10.2): still in the making, although it is over, with the address to ask how it went.
 *
 * @param origin scheme and authority that the client used; .NET, Java, Go and JavaScript poll the address as it is
 */
export function createdAnswer(request: AzureRequest, snapshot: Snapshot, origin: string): Answer {
  const answer = snapshotAnswer(request, snapshot);
  answer.status = 201;
  answer.headers.push('Operation-Location', `${origin}${targetOf(request, '/operations', snapshot.name)}`);
  answer.body = snapshotText(request, snapshot, fieldsOf(request), PROVISIONING);
  return answer;
}

/** GET and HEAD of one snapshot, present or not, under the request's condition. */
export function foundSnapshotAnswer(request: AzureRequest, snapshot: Snapshot | null): Answer {
  switch (readOutcome(request.condition, snapshot?.etag ?? null)) {
    case 'not-found':
      return emptyAnswer(404);
    case 'precondition-failed':
      throw preconditionFailed();
    case 'not-modified':
      return emptyAnswer(304, headersOf(request, snapshot!));
    case 'proceed':
      return snapshotAnswer(request, snapshot!);
  }
}

/** A page of snapshots; it has no entity tag in any version (contract section 10.4). */
export function snapshotsAnswer(request: AzureRequest, page: Page<Snapshot>): Answer {
  const next = page.isFull
    ? nextLink('/snapshots', request.query, encodeNameToken(page.items.at(-1)!.name), request.apiVersion.text)
    : null;
  const fields = fieldsOf(request);
  const items = page.items.map((snapshot) => snapshotText(request, snapshot, fields)).join(',');
  return {
    status: 200,
    headers: [
      'Content-Type',
      negotiate(request.header('accept'), LIST_TYPE),
      ...(next === null ? [] : ['Link', `<${next}>; rel="next"`]),
    ],
    body: envelope(null, items, next),
  };
}

/** The one way in which a creation fails here; the text is the real service's. */
const QUOTA_EXCEEDED = {
  code: 'QuotaExceeded',
  message: 'The allotted quota for snapshot creation has been surpassed.',
};

/** How the making of a snapshot went (contract section 10.4); it is never under way, for it is one statement. */
export function operationAnswer({ name, status }: Snapshot): Answer {
  const isFailed = status === 'failed';
  return {
    status: 200,
    headers: ['Content-Type', OPERATION_TYPE],
    body: JSON.stringify({
      // As the emulator derives it; clients only carry it along.
      id: hash('sha256', Buffer.from(name, 'utf16le'), 'base64url'),
      status: isFailed ? 'Failed' : 'Succeeded',
      error: isFailed ? QUOTA_EXCEEDED : null,
    }),
  };
}
