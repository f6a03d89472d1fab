import { contentError } from '../http/content/content.openapi.js';
import { type OperationDescription, type Parameter, type Schema } from '../openapi/describe.decorator.js';
import { MAX_DESCRIPTION_LENGTH, MAX_TITLE_LENGTH } from './rules/content-input.js';

const text: Schema = { type: 'string' };

const OBJECT: Schema = {
  type: 'object',
  properties: {
    '@id': text,
    '@type': text,
    UID: text,
    id: text,
    title: { ...text, maxLength: MAX_TITLE_LENGTH },
    description: { ...text, maxLength: MAX_DESCRIPTION_LENGTH },
    created: { type: 'string', format: 'date-time' },
    modified: { type: 'string', format: 'date-time' },
    review_state: text,
    is_folderish: { type: 'boolean' },
    items: { type: 'array', items: { type: 'object' } },
    items_total: { type: 'integer' },
    batching: { type: 'object' },
    parent: { type: 'object' },
    '@components': { type: 'object' },
  },
  additionalProperties: true,
};

const json = (description: string, schema: Schema): object => ({
  description,
  content: { 'application/json': { schema } },
});

const QUERY: readonly Parameter[] = [
  { name: 'b_start', in: 'query', description: 'Items of a folder to pass over.', schema: { type: 'integer' } },
  { name: 'b_size', in: 'query', description: 'Items at most, 25 when left out.', schema: { type: 'integer' } },
  { name: 'include_items', in: 'query', description: '`false` leaves the items out.', schema: { type: 'boolean' } },
  { name: 'fullobjects', in: 'query', description: 'Items with all they have.', schema: { type: 'boolean' } },
];
const LOCK_TOKEN: Parameter = {
  name: 'Lock-Token',
  in: 'header',
  description: 'Token of the lock that the caller holds.',
  schema: text,
};
const IF_MATCH: Parameter = {
  name: 'If-Match',
  in: 'header',
  description: 'Only if the object still has this version.',
  schema: text,
};
const SOURCES: OperationDescription['body'] = {
  mediaTypes: ['application/json'],
  schema: {
    type: 'object',
    required: ['source'],
    properties: { source: { oneOf: [text, { type: 'array', items: text }] } },
  },
};
const PLACEMENTS = json('Where each source was and where it, or its copy, is now.', {
  type: 'array',
  items: { type: 'object', properties: { source: text, target: text } },
});
const NOT_FOUND = contentError('There is no such object.');

export const GET_OBJECT: OperationDescription = {
  summary: 'Show an object of the content tree',
  parameters: QUERY,
  responses: {
    200: json('The object.', OBJECT),
    304: { description: 'As the client has it.' },
    404: NOT_FOUND,
  } as never,
};

export const ADD_OBJECT: OperationDescription = {
  summary: 'Add a Document or a Folder to a folder',
  body: { mediaTypes: ['application/json'], schema: { ...OBJECT, required: ['@type'] } },
  responses: {
    201: json('The new object.', OBJECT),
    400: contentError('The type is missing, the id is taken, or a member is not what it must be.'),
    403: contentError('A type that cannot be added here, or a UID from somebody who is no manager.'),
    404: NOT_FOUND,
  } as never,
};

export const CHANGE_OBJECT: OperationDescription = {
  summary: 'Change an object',
  description:
    'Members that are left out stay; null clears. `id` renames, `ordering` moves a child among its siblings.',
  parameters: [LOCK_TOKEN, IF_MATCH],
  body: { mediaTypes: ['application/json'], schema: OBJECT },
  responses: {
    200: json('The object, for `Prefer: return=representation`.', OBJECT),
    204: { description: 'Changed.' },
    400: contentError('A member is not what it must be.'),
    403: contentError('The object is locked.'),
    404: NOT_FOUND,
    412: contentError('The object has another version, or the token is of a lock after which others changed it.'),
  } as never,
};

export const REMOVE_OBJECT: OperationDescription = {
  summary: 'Delete an object with everything in it',
  parameters: [LOCK_TOKEN, IF_MATCH],
  responses: {
    204: { description: 'Deleted.' },
    404: NOT_FOUND,
    412: contentError('The object has another version.'),
    423: contentError('The object, or one in it, is locked.'),
  },
};

export const MOVE_OBJECTS: OperationDescription = {
  summary: 'Move objects into a folder',
  parameters: [LOCK_TOKEN],
  body: SOURCES,
  responses: {
    200: PLACEMENTS,
    400: contentError('A folder would come to lie in itself.'),
    404: NOT_FOUND,
    423: contentError('A source is locked.'),
  } as never,
};

export const COPY_OBJECTS: OperationDescription = {
  summary: 'Copy objects into a folder',
  body: SOURCES,
  responses: { 200: PLACEMENTS, 400: contentError('More than one copy may hold.'), 404: NOT_FOUND } as never,
};
