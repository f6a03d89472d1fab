import { type OperationDescription, type Parameter, type Schema } from '../openapi/describe.decorator.js';
import { DEFAULT_LIMIT, MAX_LIMIT } from '../http/native/page-query.js';

/** What the OpenAPI document says of our own lock routes; kept beside the controllers so that these stay short. */

type Responses = NonNullable<OperationDescription['responses']>;

const text: Schema = { type: 'string' };
const optionalTime: Schema = { type: 'string', format: 'date-time', nullable: true };
const TTL: Schema = {
  type: 'integer',
  minimum: 1,
  maximum: 86_400_000,
  description: 'Length of the lease in milliseconds, from the moment of the grant or renewal.',
};
const FENCE: Schema = { type: 'string', pattern: '^(0|[1-9][0-9]{0,18})$' };

const LOCK: Schema = {
  type: 'object',
  properties: {
    store: text,
    resource: text,
    state: { type: 'string', enum: ['held', 'free'] },
    owner: { type: 'string', nullable: true, description: 'Null when free.' },
    fence: { ...FENCE, nullable: true, description: 'The last one granted; null when there was none.' },
    grantedAt: optionalTime,
    expiresAt: optionalTime,
    ttlMs: { type: 'integer', nullable: true },
    renewals: { type: 'integer', description: 'By the present holder.' },
    waiters: { type: 'integer', description: 'Callers that wait for it.' },
    metadata: { type: 'object', nullable: true, description: 'As the holder sent it; null when free.' },
  },
};
const PROBLEM: Schema = {
  type: 'object',
  description: 'RFC 9457',
  properties: { type: text, title: text, status: { type: 'integer' }, detail: text, parameter: text },
};

const json = (description: string, schema: Schema): Responses[string] => ({
  description,
  content: { 'application/json': { schema } },
});
const problem = (description: string, schema = PROBLEM): Responses[string] => ({
  description,
  content: { 'application/problem+json': { schema } },
});

const INVALID = problem('`invalid-argument` or `malformed-path`: the request is not what the contract allows.');
const REFUSED: Responses = {
  400: INVALID,
  401: problem('Missing or wrong credentials.'),
  403: problem('The caller lacks the right to do this.'),
};
const NO_STORE = problem('There is no such lock store.');
const WRONG_TYPE = problem('The body is not `application/json`.');

const path = (name: string, description: string): Parameter => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: text,
});
const query = (name: string, description: string, schema: Schema = text): Parameter => ({
  name,
  in: 'query',
  description,
  schema,
});
const STORE = path('store', 'Name of the lock store.');
const RESOURCE = path('resource', 'What is locked: one segment, percent-encoded, `/` as `%2F`.');
const NEW_RESOURCE = path('resource', `${RESOURCE.description} 1 to 512 characters without "||" and U+0000.`);

const body = (properties: Record<string, Schema>, required: string[]): OperationDescription['body'] => ({
  mediaTypes: ['application/json'],
  schema: { type: 'object', required, properties },
});

export const LIST_LOCK_STORES: OperationDescription = {
  summary: 'List the lock stores',
  responses: {
    200: json('All stores that are configured.', {
      type: 'object',
      properties: {
        items: { type: 'array', items: { type: 'object', properties: { name: text, type: text, version: text } } },
      },
    }),
    401: REFUSED['401']!,
    403: REFUSED['403']!,
  },
};

export const LIST_LOCKS: OperationDescription = {
  summary: 'List the locks of a store',
  description: 'In one order for all pages. Free locks stay listed for a day.',
  parameters: [
    STORE,
    query('prefix', 'Only resources that begin so, literally.'),
    query('owner', 'Only locks that this owner holds, exactly.'),
    query('state', 'Only held or only free ones.', { type: 'string', enum: ['held', 'free'] }),
    query('after', 'Goes on behind this place: `next` of the page before. Anything else is the first page.'),
    query('limit', 'Items at most.', { type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }),
  ],
  responses: {
    200: json('A page of locks; `next` is null on the last one.', {
      type: 'object',
      properties: { items: { type: 'array', items: LOCK }, next: { type: 'string', nullable: true } },
    }),
    ...REFUSED,
    404: NO_STORE,
  },
};

export const GET_LOCK: OperationDescription = {
  summary: 'Look at a lock',
  description: 'A resource that was never locked is free.',
  parameters: [STORE, RESOURCE],
  responses: { 200: json('The lock.', LOCK), ...REFUSED, 404: NO_STORE },
};

export const ACQUIRE_LOCK: OperationDescription = {
  summary: 'Acquire a lock, waiting in line if asked to',
  description: 'Who closes the connection while waiting gives up the place in the line.',
  parameters: [
    STORE,
    NEW_RESOURCE,
    {
      name: 'Idempotency-Key',
      in: 'header',
      description:
        '1 to 255 visible characters of ASCII. Sent again by the same caller and owner while the lock is held, it is answered with the same grant.',
      schema: text,
    },
  ],
  body: body(
    {
      owner: { type: 'string', minLength: 1, maxLength: 512 },
      ttlMs: TTL,
      waitMs: {
        type: 'integer',
        minimum: 0,
        maximum: 60_000,
        default: 0,
        description: 'Milliseconds to wait at most.',
      },
      metadata: { type: 'object', nullable: true, description: 'Given back as sent; at most 16,384 bytes of JSON.' },
    },
    ['owner', 'ttlMs'],
  ),
  responses: {
    201: json('The lock, now held by the caller.', LOCK),
    ...REFUSED,
    404: NO_STORE,
    409: problem('`lock-held`, also after waiting.', {
      ...PROBLEM,
      properties: { type: text, title: text, status: { type: 'integer' }, lock: LOCK },
    }),
    413: problem('The body is larger than 1 MB.'),
    415: WRONG_TYPE,
    429: problem('`too-many-waiters`: the line is full; `Retry-After` says when to come again.'),
    503: problem('The service is stopping, or cannot reach its database.'),
  },
};

export const RENEW_LOCK: OperationDescription = {
  summary: 'Renew a lock',
  description: 'Extends the lease and never shortens it; the fence stays. Needs `fence`, `owner`, or both.',
  parameters: [STORE, RESOURCE],
  body: body({ owner: text, fence: FENCE, ttlMs: TTL }, ['ttlMs']),
  responses: {
    200: json('The lock.', LOCK),
    ...REFUSED,
    404: NO_STORE,
    409: problem('`lock-lost`: expired, released, taken, or never held so.'),
    415: WRONG_TYPE,
  },
};

export const RELEASE_LOCK: OperationDescription = {
  summary: 'Release a lock, one’s own or by force',
  description:
    'One’s own needs `Lock-Fence`, `owner`, or both. `force=true` ends whatever hold there is; it needs `reason` and role manager.',
  parameters: [
    STORE,
    RESOURCE,
    { name: 'Lock-Fence', in: 'header', description: 'Fence of the holder.', schema: FENCE },
    query('owner', 'Owner text of the holder.'),
    query('force', 'Takes the lock from whoever holds it.', { type: 'boolean', default: false }),
    query('reason', 'Why it is forced, for the audit log: 1 to 1,000 characters.'),
  ],
  responses: {
    200: json('Forced: the lock as it was held.', LOCK),
    204: { description: 'Released.' },
    ...REFUSED,
    404: problem('`lock-not-held`, or there is no such lock store.'),
    409: problem('`lock-held-by-other`.'),
  },
};

export const CHECK_FENCE: OperationDescription = {
  summary: 'Check whether a fence is current',
  description: 'May a write with this fence still be accepted? The answer holds for the moment in which it was made.',
  parameters: [STORE, RESOURCE],
  body: body({ fence: FENCE }, ['fence']),
  responses: {
    200: json('`current` is true only for the present holder’s fence; `fence` is the last one granted.', {
      type: 'object',
      properties: { current: { type: 'boolean' }, fence: { ...FENCE, nullable: true } },
    }),
    ...REFUSED,
    404: NO_STORE,
    415: WRONG_TYPE,
  },
};
