import { type Answer, emptyAnswer } from '../http/answer.js';
import { type AzureRequest } from '../http/azure/azure-request.js';
import { encodeTarget } from '../http/query-string.js';
import { pageOutcome, readOutcome } from '../precondition/condition.js';
import { preconditionFailed } from '../problem/catalogue.js';
import { negotiate } from '../http/azure/media-type.js';
import { type KeyValue } from './key-value.js';
import { type Page } from './key-value.service.js';
import { type AsOf } from './rules/accept-datetime.js';
import { encodeTokenText } from './rules/continuation-token.js';
import { nextLink } from './rules/next-link.js';
import { pageEtag, type PageMark } from './rules/page-etag.js';
import { parseSelect } from './rules/select.js';
import { httpDate, isoSeconds } from './rules/utc-time.js';

/** What the media types of this API begin with. */
export const VENDOR = 'application/vnd.microsoft.appconfig.';
const ITEM_TYPE = `${VENDOR}kv+json`;
const LIST_TYPE = `${VENDOR}kvset+json`;

/** Fields of a key-value in the order in which the real service sends them (contract section 2.7). Wire-stable. */
const FIELDS = ['etag', 'key', 'label', 'content_type', 'value', 'tags', 'locked', 'last_modified'] as const;
const FIELDS_WITH_DESCRIPTION = [...FIELDS, 'description'] as const;
type Field = (typeof FIELDS_WITH_DESCRIPTION)[number];

/** JSON text of one field. Tags are stored as the JSON text that is sent. */
const FIELD_TEXT: Readonly<Record<Field, (item: KeyValue) => string>> = {
  etag: ({ etag }) => `"${etag}"`,
  key: ({ key }) => JSON.stringify(key),
  label: ({ label }) => (label === '' ? 'null' : JSON.stringify(label)),
  content_type: ({ contentType }) => JSON.stringify(contentType),
  value: ({ value }) => JSON.stringify(value),
  tags: ({ tags }) => tags,
  locked: ({ locked }) => String(locked),
  last_modified: ({ modifiedAt }) => `"${isoSeconds(modifiedAt)}"`,
  description: ({ description }) => JSON.stringify(description),
};

/** How the request wants its items written: the fields of its version, less what `$select` leaves out. */
function fieldsOf(request: AzureRequest): readonly Field[] {
  const fields = request.apiVersion.has('description') ? FIELDS_WITH_DESCRIPTION : FIELDS;
  const selected = selectedFrom(request, fields);
  return selected ? fields.filter((field) => selected.has(field)) : fields;
}

/** `fields` is what very old clients call `$select` (contract section 2.3). */
export const selectedFrom = (request: AzureRequest, known: readonly string[]): ReadonlySet<string> | null =>
  parseSelect(request.query.first('$select') ?? request.query.first('fields'), known);

function itemText(item: KeyValue, fields: readonly Field[]): string {
  let text = '{';
  for (const field of fields) text += `${text.length > 1 ? ',' : ''}"${field}":${FIELD_TEXT[field](item)}`;
  return `${text}}`;
}

/** Headers of an answer about the past (contract section 6), `rel="next"` first where there is one. */
function linkHeaders(request: AzureRequest, next: string | null, asOf: AsOf | null): string[] {
  const links: string[] = [];
  if (next !== null) links.push(`<${next}>; rel="next"`);
  if (asOf) links.push(`<${encodeTarget(request.target)}>; rel="original"`);
  const headers = links.length > 0 ? ['Link', links.join(', ')] : [];
  if (asOf) headers.push('Memento-Datetime', asOf.memento);
  return headers;
}

/** The representation of one key-value, as PUT, DELETE and the locks answer it. */
export function keyValueAnswer(request: AzureRequest, item: KeyValue): Answer {
  return {
    status: 200,
    headers: [
      'Content-Type',
      negotiate(request.header('accept'), ITEM_TYPE),
      'ETag',
      `"${item.etag}"`,
      'Last-Modified',
      httpDate(item.modifiedAt),
    ],
    body: itemText(item, fieldsOf(request)),
  };
}

/** GET and HEAD of one key-value, present or not, under the request's condition. */
export function foundAnswer(request: AzureRequest, item: KeyValue | null, asOf: AsOf | null): Answer {
  const links = asOf ? linkHeaders(request, null, asOf) : [];
  switch (readOutcome(request.condition, item?.etag ?? null)) {
    case 'not-found':
      return emptyAnswer(404, links);
    case 'precondition-failed':
      throw preconditionFailed();
    case 'not-modified':
      return emptyAnswer(304, ['ETag', `"${item!.etag}"`, ...links]);
    case 'proceed': {
      const answer = keyValueAnswer(request, item!);
      answer.headers.push(...links);
      return answer;
    }
  }
}

/** Contract section 2.10: nothing was there to delete. Wire-stable, content type included. */
export const nothingDeletedAnswer = (): Answer => emptyAnswer(204, ['Content-Type', `${ITEM_TYPE}; charset=utf-8`]);

/** @param position text of the continuation token behind an item */
export function pageMark(page: Page<KeyValue>, position: (last: KeyValue) => string): PageMark {
  const next = page.isFull ? position(page.items.at(-1)!) : null;
  const tags = page.items.map((item) => item.etag);
  return { etag: pageEtag(tags, next), next };
}

/**
 * The answer to a request whose condition its page does not meet: 304, or a refusal. Null when the page itself is the answer.
 *
 * @param path of the collection, such as `/kv`
 * @throws Problem `precondition-failed`
 */
export function unchangedAnswer(request: AzureRequest, path: string, mark: PageMark, asOf: AsOf | null): Answer | null {
  const outcome = pageOutcome(request.condition, mark.etag);
  if (outcome === 'proceed') return null;
  if (outcome === 'precondition-failed') throw preconditionFailed();
  // The link stays on a 304: it is the client's only way on to the next page (contract section 4.5).
  return emptyAnswer(304, [...etagHeader(request, mark), ...linkHeaders(request, nextPage(request, path, mark), asOf)]);
}

/** A page of key-values or revisions under the request's condition. */
export function pageAnswer(
  request: AzureRequest,
  path: string,
  page: Page<KeyValue>,
  mark: PageMark,
  asOf: AsOf | null,
): Answer {
  const unchanged = unchangedAnswer(request, path, mark, asOf);
  if (unchanged) return unchanged;
  const next = nextPage(request, path, mark);
  const etag = etagHeader(request, mark);
  const fields = fieldsOf(request);
  const items = page.items.map((item) => itemText(item, fields)).join(',');
  return {
    status: 200,
    headers: [
      'Content-Type',
      negotiate(request.header('accept'), LIST_TYPE),
      ...etag,
      ...linkHeaders(request, next, asOf),
    ],
    body: envelope(etag.length > 0 ? mark.etag : null, items, next),
  };
}

const nextPage = (request: AzureRequest, path: string, { next }: PageMark): string | null =>
  next === null ? null : nextLink(path, request.query, encodeTokenText(next), request.apiVersion.text);

const etagHeader = (request: AzureRequest, { etag }: PageMark): string[] =>
  request.apiVersion.has('pageEtags') ? ['ETag', `"${etag}"`] : [];

/** Items of `/revisions` selected by `Range` (contract section 4.7). */
export function rangeAnswer(
  request: AzureRequest,
  items: readonly KeyValue[],
  first: number,
  total: number,
  asOf: AsOf | null,
): Answer {
  const fields = fieldsOf(request);
  return {
    status: 206,
    headers: [
      'Content-Type',
      negotiate(request.header('accept'), LIST_TYPE),
      'Content-Range',
      `items ${first}-${first + items.length - 1}/${total}`,
      ...linkHeaders(request, null, asOf),
    ],
    body: envelope(null, items.map((item) => itemText(item, fields)).join(','), null),
  };
}

/**
 * A page of `/keys` or `/labels`; '' stands for no label. These have no entity tag in any version.
 *
 * @param position text of the continuation token behind a name
 */
export function namesAnswer(
  request: AzureRequest,
  collection: 'keys' | 'labels',
  page: Page<string>,
  position: (last: string) => string,
  asOf: AsOf | null,
): Answer {
  const next = page.isFull
    ? nextLink(`/${collection}`, request.query, position(page.items.at(-1)!), request.apiVersion.text)
    : null;
  const selected = selectedFrom(request, ['name']);
  const item = (name: string): string =>
    selected && !selected.has('name') ? '{}' : `{"name":${name === '' ? 'null' : JSON.stringify(name)}}`;
  const vendor = `${VENDOR}${collection === 'keys' ? 'keyset' : 'labelset'}+json`;
  return {
    status: 200,
    headers: ['Content-Type', negotiate(request.header('accept'), vendor), ...linkHeaders(request, next, asOf)],
    body: envelope(null, page.items.map(item).join(','), next),
  };
}

/** Contract section 4.6: the tag first, and `@nextLink` absent rather than null on the last page. */
export function envelope(etag: string | null, items: string, next: string | null): string {
  const head = etag === null ? '' : `"etag":"${etag}",`;
  const tail = next === null ? '' : `,"@nextLink":${JSON.stringify(next)}`;
  return `{${head}"items":[${items}]${tail}}`;
}
