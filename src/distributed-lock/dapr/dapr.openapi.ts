import { type OperationDescription, type Parameter, type Schema } from '../../openapi/describe.decorator.js';

/** What the OpenAPI document says of Dapr's routes. */

const STORE: Parameter = {
  name: 'storeName',
  in: 'path',
  required: true,
  description: 'Name of the lock store: `metadata.name` of its component file, `lockstore` where there is none.',
  schema: { type: 'string' },
};
const HOLDER: Record<string, Schema> = {
  resourceId: { type: 'string', minLength: 1, description: 'What to lock; without two pipes in a row.' },
  lockOwner: { type: 'string', minLength: 1, description: 'Who holds it: the only proof at unlock.' },
};
const EXPIRY: Schema = {
  type: 'integer',
  format: 'int32',
  minimum: 1,
  description: 'Seconds until it expires by itself.',
};

const ERROR: Schema = {
  type: 'object',
  required: ['errorCode', 'message'],
  properties: { errorCode: { type: 'string' }, message: { type: 'string' } },
};
const json = (
  description: string,
  schema: Schema,
): { description: string; content: Record<string, { schema: Schema }> } => ({
  description,
  content: { 'application/json': { schema } },
});
const failure = (description: string): ReturnType<typeof json> => json(description, ERROR);
const single = (name: string, schema: Schema): Schema => ({
  type: 'object',
  required: [name],
  properties: { [name]: schema },
});

const REFUSALS = {
  400: failure('The body, the ids or the expiry are wrong, or there is no such store.'),
  500: failure('The store failed; with `Retry-After` it is worth another try.'),
};

export const TRY_LOCK: OperationDescription = {
  summary: 'Try to take a lock',
  description:
    'Answers at once. A lock that is held is refused to everybody, its holder included. Any content type is read as JSON.',
  parameters: [STORE],
  body: {
    mediaTypes: ['application/json'],
    schema: {
      type: 'object',
      required: ['resourceId', 'lockOwner', 'expiryInSeconds'],
      properties: { ...HOLDER, expiryInSeconds: EXPIRY },
    },
  },
  responses: {
    200: json('Whether the caller holds the lock now.', single('success', { type: 'boolean' })),
    ...REFUSALS,
  },
};

export const UNLOCK: OperationDescription = {
  summary: 'Release a lock',
  parameters: [STORE],
  body: {
    mediaTypes: ['application/json'],
    schema: { type: 'object', required: ['resourceId', 'lockOwner'], properties: HOLDER },
  },
  responses: {
    200: json(
      '0: released. 1: nobody holds it. 2: somebody else holds it.',
      single('status', { type: 'integer', enum: [0, 1, 2] }),
    ),
    ...REFUSALS,
  },
};

const health = (summary: string): OperationDescription => ({
  summary,
  responses: { 204: { description: 'Yes.' }, 500: failure('No; the message says why.') },
});

export const HEALTHZ: OperationDescription = {
  ...health('Is the service ready, as Dapr asks it?'),
  parameters: [
    { name: 'appid', in: 'query', description: 'Fails when `APP_ID` is another.', schema: { type: 'string' } },
  ],
};
export const OUTBOUND_HEALTHZ = health('Are the lock stores ready?');

const TEXT: Schema = { type: 'string' };
export const GET_METADATA: OperationDescription = {
  summary: 'What Dapr’s clients ask before their first call',
  responses: {
    200: json('App id, versions, lock stores and labels.', {
      type: 'object',
      properties: {
        id: TEXT,
        runtimeVersion: TEXT,
        components: {
          type: 'array',
          items: { type: 'object', properties: { name: TEXT, type: TEXT, version: TEXT } },
        },
        extended: { type: 'object', additionalProperties: TEXT },
        actorRuntime: { type: 'object', properties: { runtimeStatus: TEXT, hostReady: { type: 'boolean' } } },
      },
    }),
  },
};
export const PUT_METADATA: OperationDescription = {
  summary: 'Set a label that the metadata shows',
  parameters: [
    { name: 'key', in: 'path', required: true, description: 'At most 512 characters.', schema: { type: 'string' } },
  ],
  body: { mediaTypes: ['text/plain'], schema: { type: 'string', description: 'At most 64 KB.' } },
  responses: { 204: { description: 'It is set.' }, 400: failure('Key, value or number of labels are too large.') },
};
