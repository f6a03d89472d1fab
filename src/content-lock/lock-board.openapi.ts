import { type OperationDescription, type Parameter, type Schema } from '../openapi/describe.decorator.js';
import { DEFAULT_LIMIT, MAX_LIMIT } from '../http/native/page-query.js';

const text: Schema = { type: 'string' };

const LOCK: Schema = {
  type: 'object',
  properties: {
    uid: { ...text, description: 'Of the object.' },
    path: { ...text, description: 'Of the object; `/` for the site root.' },
    title: text,
    holder: { ...text, description: 'Id of the user.' },
    created: { ...text, format: 'date-time', description: 'Of the lock or its last refresh.' },
    timeout: { type: 'integer', description: 'Seconds from `created` on.' },
    expiresAt: { ...text, format: 'date-time', description: 'In lists.' },
    stealable: { type: 'boolean', description: 'Whether any editor may end it by force.' },
  },
};
const query = (name: string, description: string, schema: Schema = text): Parameter => ({
  name,
  in: 'query',
  description,
  schema,
});
const json = (description: string, schema: Schema) => ({ description, content: { 'application/json': { schema } } });
const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: { type: 'object' } as Schema } },
});
const REFUSED = {
  400: problem('`invalid-argument`: the request is not what the contract allows.'),
  401: problem('Missing or wrong credentials.'),
  403: problem('The caller lacks the right to do this.'),
};

export const LIST_CONTENT_LOCKS: OperationDescription = {
  summary: 'List the locks on content',
  description: 'Those in force, in one order for all pages. For users with role editor or manager.',
  parameters: [
    query('path-prefix', 'Only objects whose path begins so, literally.'),
    query('holder', 'Only locks of this user.'),
    query('after', 'Goes on behind this place: `next` of the page before. Anything else is the first page.'),
    query('limit', 'Items at most.', { type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }),
  ],
  responses: {
    200: json('A page of locks; `next` is null on the last one.', {
      type: 'object',
      properties: { items: { type: 'array', items: LOCK }, next: { type: 'string', nullable: true } },
    }),
    ...REFUSED,
  },
};

export const BREAK_CONTENT_LOCK: OperationDescription = {
  summary: 'Break a lock on content',
  description: 'Whoever holds it, stealable or not. For users with role manager.',
  parameters: [
    { name: 'uid', in: 'path', required: true, description: 'UID of the object.', schema: text },
    { ...query('reason', 'Why, for the audit log: 1 to 1,000 characters.'), required: true },
  ],
  responses: {
    200: json('The lock as it was.', LOCK),
    ...REFUSED,
    404: problem('`lock-not-held`: nobody holds it, or there is no such object.'),
  },
};
