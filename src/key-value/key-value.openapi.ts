import {
  acceptDatetime,
  API_VERSION,
  azureProblem,
  conditionHeaders,
  header,
  query,
  type Response,
} from '../http/azure/azure.openapi.js';
import { type OperationDescription, type Parameter, type Schema } from '../openapi/describe.decorator.js';

/** What the OpenAPI document says of the key-value routes; kept beside the controllers so that these stay one line a route. */

const VENDOR = 'application/vnd.microsoft.appconfig.';

const KEY_VALUE: Schema = {
  type: 'object',
  required: ['etag', 'key', 'label', 'content_type', 'value', 'tags', 'locked', 'last_modified'],
  properties: {
    etag: { type: 'string', description: 'Changes with every change of the key-value.' },
    key: { type: 'string' },
    label: { type: 'string', nullable: true },
    content_type: { type: 'string', nullable: true },
    value: { type: 'string', nullable: true },
    tags: { type: 'object', additionalProperties: { type: 'string', nullable: true } },
    locked: { type: 'boolean' },
    last_modified: { type: 'string', format: 'date-time' },
    description: { type: 'string', nullable: true, description: 'From api-version 2026-04-01.' },
  },
};
export const page = (item: Schema): Schema => ({
  type: 'object',
  required: ['items'],
  properties: {
    etag: { type: 'string', description: 'Of the page, from api-version 2023-10-01; key-values and revisions only.' },
    items: { type: 'array', maxItems: 100, items: item },
    '@nextLink': { type: 'string', description: 'Relative link to the next page; absent on the last one.' },
  },
});
const NAME: Schema = { type: 'object', properties: { name: { type: 'string', nullable: true } } };

export const KEY: Parameter = {
  name: 'key',
  in: 'path',
  required: true,
  description: 'Any text without control characters; `/` may be written as itself or as `%2F`.',
  schema: { type: 'string' },
};
export const LABEL = query('label', 'Absent, empty or `%00` means no label.');
export const SELECT = query('$select', 'Fields of the items, comma separated.');
export const AFTER = query('after', 'Continuation token of a `next` link.');
const TAGS: Parameter = {
  ...query('tags', '`name=value`, at most five, all of which must hold.'),
  schema: { type: 'array', items: { type: 'string' } },
};
const FILTERS = [
  query('key', 'Exact, `prefix*`, `*`, or up to five alternatives separated by commas; `\\` escapes.'),
  query('label', 'As `key`; `%00` matches key-values without a label.'),
  TAGS,
];

export const ok = (description: string, schema: Schema, mediaType: string): Response => ({
  description,
  content: { [`${VENDOR}${mediaType}+json`]: { schema } },
});
/** The representation of one key-value. */
export const KEY_VALUE_ANSWER = ok('The key-value as it is now.', KEY_VALUE, 'kv');
export const PRECONDITION_FAILED = { description: 'A condition does not hold.' };
export const NOT_MODIFIED = { description: 'The representation is the one that `If-None-Match` names.' };
export const MISSING = { description: 'There is none.' };
const REFUSED = azureProblem('The key-value is read-only, or the fence is not current (`stale-fence`).');
const LOCK_FENCE = header(
  'Lock-Fence',
  '`{store}/{percent-encoded resource};{fence}`: only while this fence is that of the holder of the lock.',
);

export const LIST_KEY_VALUES: OperationDescription = {
  summary: 'List key-values',
  description: 'Ordered by key, then label, in pages of 100.',
  parameters: [API_VERSION, ...FILTERS, SELECT, AFTER, acceptDatetime, ...conditionHeaders],
  responses: {
    200: ok('A page of key-values.', page(KEY_VALUE), 'kvset'),
    304: NOT_MODIFIED,
    412: PRECONDITION_FAILED,
  },
};

export const GET_KEY_VALUE: OperationDescription = {
  summary: 'Get one key-value',
  parameters: [API_VERSION, KEY, LABEL, TAGS, SELECT, acceptDatetime, ...conditionHeaders],
  responses: {
    200: ok('The key-value.', KEY_VALUE, 'kv'),
    304: NOT_MODIFIED,
    404: MISSING,
    412: PRECONDITION_FAILED,
  },
};

export const PUT_KEY_VALUE: OperationDescription = {
  summary: 'Create or replace a key-value',
  description:
    'What the body leaves out becomes empty. A put that alters nothing changes neither entity tag nor history.',
  parameters: [API_VERSION, KEY, LABEL, ...conditionHeaders, LOCK_FENCE],
  body: {
    mediaTypes: [`${VENDOR}kv+json`, 'application/json'],
    schema: {
      type: 'object',
      properties: {
        value: { type: 'string', nullable: true },
        content_type: { type: 'string', nullable: true },
        tags: { type: 'object', additionalProperties: { type: 'string', nullable: true } },
        description: { type: 'string', nullable: true },
      },
    },
  },
  responses: {
    200: KEY_VALUE_ANSWER,
    409: REFUSED,
    412: PRECONDITION_FAILED,
    413: { description: 'Larger than `MAX_ITEM_BYTES`.' },
    415: { description: 'The body is of another media type.' },
  },
};

export const DELETE_KEY_VALUE: OperationDescription = {
  summary: 'Delete a key-value',
  parameters: [API_VERSION, KEY, LABEL, ...conditionHeaders, LOCK_FENCE],
  responses: {
    200: ok('The key-value as it was.', KEY_VALUE, 'kv'),
    204: { description: 'There was none.' },
    409: REFUSED,
    412: PRECONDITION_FAILED,
  },
};

const listNames = (what: 'keys' | 'labels'): OperationDescription => ({
  summary: `List ${what}`,
  description: `The distinct ${what} of live key-values, in pages of 100.`,
  parameters: [API_VERSION, query('name', 'Filter, as for key-values.'), SELECT, AFTER, acceptDatetime],
  responses: { 200: ok(`A page of ${what}.`, page(NAME), what === 'keys' ? 'keyset' : 'labelset') },
});
export const LIST_KEYS = listNames('keys');
export const LIST_LABELS = listNames('labels');

export const LIST_REVISIONS: OperationDescription = {
  summary: 'List revisions',
  description: 'Every state that key-values had: by key, then label, newest first.',
  parameters: [
    API_VERSION,
    ...FILTERS,
    SELECT,
    AFTER,
    acceptDatetime,
    header('Range', '`items=first-last`, zero-based.'),
    ...conditionHeaders,
  ],
  responses: {
    200: ok('A page of revisions.', page(KEY_VALUE), 'kvset'),
    206: ok('The items of the range.', page(KEY_VALUE), 'kvset'),
    304: NOT_MODIFIED,
    412: PRECONDITION_FAILED,
    416: { description: 'The range selects nothing.' },
  },
};
