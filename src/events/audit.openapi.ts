import { type OperationDescription, type Parameter, type Schema } from '../openapi/describe.decorator.js';
import { DEFAULT_LIMIT, MAX_LIMIT } from '../http/native/page-query.js';

const query = (name: string, description: string, schema: Schema = { type: 'string' }): Parameter => ({
  name,
  in: 'query',
  description,
  schema,
});
const text: Schema = { type: 'string' };
const optionalText: Schema = { type: 'string', nullable: true };

const STATE: Schema = {
  type: 'object',
  nullable: true,
  description: 'A key-value before or after the change; null when there was none, and on other surfaces.',
  properties: {
    value: optionalText,
    contentType: optionalText,
    tags: { type: 'object', additionalProperties: optionalText },
    description: optionalText,
    locked: { type: 'boolean' },
  },
};

const ITEM: Schema = {
  type: 'object',
  properties: {
    id: text,
    at: { type: 'string', format: 'date-time' },
    actor: text,
    address: text,
    requestId: { type: 'string', format: 'uuid', nullable: true },
    surface: text,
    action: text,
    target: text,
    outcome: text,
    reason: optionalText,
    before: STATE,
    after: STATE,
    details: { type: 'object', nullable: true },
  },
};

export const READ_AUDIT_LOG: OperationDescription = {
  summary: 'Who changed, forced, broke or was refused what',
  description:
    'Newest first. `next` is the value for `after`, null at the end. A page with filters may have fewer items than `limit`, even none, ' +
    'while `next` is not null: go on until it is. Whatever was committed before the first page was asked for is listed exactly once.',
  parameters: [
    query('since', 'Only what happened at this instant or later: ISO 8601 with a zone, or a day in UTC.'),
    query('actor', 'Only what this actor did, exactly.'),
    query('surface', 'Only what happened on this surface, exactly, such as `config`.'),
    query(
      'target',
      'Only what happened to this target, exactly, or with a `*` at the end to every target that begins so. The target of a key-value ' +
        'is its key and, where it has a label, a line feed (`%0A`) and the label.',
    ),
    query('after', 'Goes on behind this place: `next` of the page before. Anything else is the first page.'),
    query('limit', 'Items at most.', { type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }),
  ],
  responses: {
    200: {
      description: 'A page of the log.',
      content: {
        'application/json': {
          schema: {
            type: 'object',
            properties: { items: { type: 'array', items: ITEM }, next: { type: 'string', nullable: true } },
          },
        },
      },
    },
    400: { description: 'A parameter cannot be read.' },
    401: { description: 'Missing or wrong credentials.' },
    403: { description: 'The caller is no manager.' },
  },
};
