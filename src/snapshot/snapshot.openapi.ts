import { API_VERSION, azureProblem, conditionHeaders, query, type Response } from '../http/azure/azure.openapi.js';
import { AFTER, MISSING, NOT_MODIFIED, ok, page, PRECONDITION_FAILED, SELECT } from '../key-value/key-value.openapi.js';
import { type OperationDescription, type Parameter, type Schema } from '../openapi/describe.decorator.js';

/** What the OpenAPI document says of the snapshot routes. */

const TAGS: Schema = { type: 'object', additionalProperties: { type: 'string', nullable: true } };
const FILTERS: Schema = {
  type: 'array',
  minItems: 1,
  maxItems: 3,
  items: {
    type: 'object',
    required: ['key'],
    properties: {
      key: { type: 'string', description: 'Filter, as for key-values.' },
      label: { type: 'string', nullable: true, description: 'Filter, as for key-values; null means no label.' },
      tags: { type: 'array', items: { type: 'string' }, description: '`name=value`, from api-version 2023-11-01.' },
    },
  },
};
const COMPOSITION: Schema = {
  type: 'string',
  enum: ['key', 'key_label'],
  description: 'One item for each key (the last filter wins), or for each key and label.',
};
const RETENTION: Schema = {
  type: 'integer',
  minimum: 3600,
  maximum: 7_776_000,
  default: 2_592_000,
  description: 'Seconds that an archived snapshot stays.',
};
const DESCRIPTION: Schema = { type: 'string', nullable: true, description: 'From api-version 2026-04-01.' };

const SNAPSHOT: Schema = {
  type: 'object',
  properties: {
    etag: { type: 'string', description: 'Changes with every change of the snapshot.' },
    name: { type: 'string' },
    status: { type: 'string', enum: ['provisioning', 'ready', 'archived', 'failed'] },
    filters: FILTERS,
    composition_type: COMPOSITION,
    created: { type: 'string', format: 'date-time' },
    expires: { type: 'string', format: 'date-time', description: 'Of archived snapshots only.' },
    size: { type: 'integer', description: 'Bytes of all items.' },
    items_count: { type: 'integer' },
    tags: TAGS,
    retention_period: RETENTION,
    description: DESCRIPTION,
  },
};

const NAME: Parameter = {
  name: 'name',
  in: 'path',
  required: true,
  description: 'At most 256 characters, none of them a control character.',
  schema: { type: 'string' },
};

const snapshot = (description: string): Response => ok(description, SNAPSHOT, 'snapshot');

export const LIST_SNAPSHOTS: OperationDescription = {
  summary: 'List snapshots',
  description: 'Ordered by name, in pages of 100.',
  parameters: [
    API_VERSION,
    query('name', 'Filter, as for key-values.'),
    query('status', 'States, comma separated: `ready`, `archived`, `failed`, `provisioning`.'),
    SELECT,
    AFTER,
  ],
  responses: { 200: ok('A page of snapshots.', page(SNAPSHOT), 'snapshotset') },
};

export const GET_SNAPSHOT: OperationDescription = {
  summary: 'Get one snapshot',
  description: 'Its items are at `/kv?snapshot={name}`.',
  parameters: [API_VERSION, NAME, SELECT, ...conditionHeaders],
  responses: { 200: snapshot('The snapshot.'), 304: NOT_MODIFIED, 404: MISSING, 412: PRECONDITION_FAILED },
};

export const CREATE_SNAPSHOT: OperationDescription = {
  summary: 'Create a snapshot',
  description:
    'Keeps the key-values that the filters select, all as they were at one instant. A snapshot of more than 1 MiB fails.',
  parameters: [API_VERSION, NAME],
  body: {
    mediaTypes: ['application/vnd.microsoft.appconfig.snapshot+json', 'application/json'],
    schema: {
      type: 'object',
      required: ['filters'],
      properties: {
        filters: FILTERS,
        composition_type: COMPOSITION,
        retention_period: RETENTION,
        tags: TAGS,
        description: DESCRIPTION,
      },
    },
  },
  responses: {
    201: snapshot('Made; how it went is at the address in `Operation-Location`.'),
    409: azureProblem('The name is taken, whatever the state of the snapshot that has it.'),
    415: { description: 'The body is of another media type.' },
  },
};

export const UPDATE_SNAPSHOT: OperationDescription = {
  summary: 'Archive or recover a snapshot',
  description: 'An archived snapshot is gone when its retention period is over.',
  parameters: [API_VERSION, NAME, ...conditionHeaders],
  body: {
    mediaTypes: ['application/merge-patch+json', 'application/json'],
    schema: {
      type: 'object',
      required: ['status'],
      properties: { status: { type: 'string', enum: ['archived', 'ready'] } },
    },
  },
  responses: {
    200: snapshot('The snapshot as it is now.'),
    404: MISSING,
    409: azureProblem('The snapshot failed.'),
    412: PRECONDITION_FAILED,
    415: { description: 'The body is of another media type.' },
  },
};

export const GET_OPERATION: OperationDescription = {
  summary: 'See how the creation of a snapshot went',
  parameters: [API_VERSION, { ...query('snapshot', 'Name of the snapshot.'), required: true }],
  responses: {
    200: {
      description: 'The creation.',
      content: {
        'application/json': {
          schema: {
            type: 'object',
            properties: {
              id: { type: 'string' },
              status: { type: 'string', enum: ['Running', 'Succeeded', 'Failed'] },
              error: {
                type: 'object',
                nullable: true,
                properties: { code: { type: 'string' }, message: { type: 'string' } },
              },
            },
          },
        },
      },
    },
    404: MISSING,
  },
};
