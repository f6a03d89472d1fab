import { type OperationDescription, type Schema } from '../openapi/describe.decorator.js';

/** What the OpenAPI document says of `@lock`; kept beside the controller so that it stays short. */

type Responses = NonNullable<OperationDescription['responses']>;

const text: Schema = { type: 'string' };
const flag: Schema = { type: 'boolean' };
const TIMEOUT: Schema = {
  type: 'integer',
  minimum: 1,
  default: 600,
  description: 'Seconds; above 86,400 it is cut to that.',
};

const LOCK: Schema = {
  type: 'object',
  required: ['locked', 'stealable'],
  description: 'Unlocked it has the members `locked` and `stealable` only.',
  properties: {
    locked: flag,
    stealable: { ...flag, description: 'Whether other editors may end it by force.' },
    creator: { ...text, description: 'Id of the holder.' },
    creator_name: text,
    creator_url: text,
    created: { ...text, format: 'date-time', description: 'Of the lock or its last refresh.' },
    time: {
      type: 'number',
      description: 'The same in seconds since 1970; with `CONTENT_LOCK_TIME=iso` equal to `created`.',
    },
    timeout: { type: 'integer', description: 'Seconds from `created` on.' },
    token: { ...text, format: 'uuid', description: 'For `Lock-Token`; shown to the holder only.' },
    name: text,
  },
};

const lock = (description: string): Responses[string] => ({
  description,
  content: { 'application/json': { schema: LOCK } },
});
const ERRORS: Responses = {
  401: { description: 'Missing or wrong credentials.' },
  404: { description: 'There is no such object.' },
};
const INVALID = { description: 'The body is not what the contract allows.' };
const PREFER = {
  name: 'Prefer',
  in: 'header',
  description: '`handling=strict` refuses where the answer is otherwise 200 with the lock of its holder.',
  schema: text,
} as const;

const body = (properties: Record<string, Schema>): OperationDescription['body'] => ({
  mediaTypes: ['application/json'],
  schema: { type: 'object', properties },
});

export const GET_LOCK: OperationDescription = {
  summary: 'Look at the lock of an object',
  responses: { 200: lock('The lock.'), ...ERRORS },
};

export const TAKE_LOCK: OperationDescription = {
  summary: 'Lock an object',
  description:
    'Who holds it already gets the same token, and the time starts again. With `force` a lock is taken from whoever holds it, in one step.',
  parameters: [PREFER],
  body: body({ timeout: TIMEOUT, stealable: { ...flag, default: true }, force: { ...flag, default: false } }),
  responses: {
    200: lock('The lock: the caller’s, or that of whoever holds it, which has no token then.'),
    400: INVALID,
    ...ERRORS,
    403: { description: 'No right to modify; or force against a lock that is not stealable.' },
    423: { description: 'Somebody else holds it, and strict handling was asked for.' },
  },
};

export const REFRESH_LOCK: OperationDescription = {
  summary: 'Refresh one’s lock',
  description: 'The time starts again; token and options stay. A lock that ran out is not taken anew.',
  body: body({ timeout: TIMEOUT }),
  responses: {
    200: lock('The lock, or that there is none.'),
    400: INVALID,
    ...ERRORS,
    403: { description: 'No right to modify; or somebody else holds the lock.' },
  },
};

export const UNLOCK: OperationDescription = {
  summary: 'Unlock an object',
  description: 'Without `force`, the lock of somebody else stays as it is.',
  parameters: [PREFER],
  body: body({ force: { ...flag, default: false } }),
  responses: {
    200: lock('The lock as it is now.'),
    400: INVALID,
    ...ERRORS,
    403: {
      description:
        'No right to modify; force against a lock that is not stealable; or not the holder, under strict handling.',
    },
  },
};

export const RELEASE_BY_TOKEN: OperationDescription = {
  summary: 'Unlock an object by its token alone',
  description: 'For beacons of a page that closes. Credentials are not looked at.',
  body: { mediaTypes: ['text/plain'], schema: { ...text, description: 'The token.' } },
  responses: {
    204: { description: 'The token has no lock any more, whether it had one or not.' },
    400: { description: 'There is no token in the body.' },
    404: ERRORS['404']!,
  },
};
