import { type Parameter, type Schema } from '../../openapi/describe.decorator.js';

/** Name of the security schemes of the content surface in the OpenAPI document. */
export const BASIC_SCHEME = 'User';
export const BEARER_SCHEME = 'Login token';

/** Where the object's path stands in an address; clients leave its slashes as they are. */
export const PATH_PARAMETER: Parameter = {
  name: 'path',
  in: 'path',
  required: true,
  description: 'Ids from the site root to the object, separated by slashes, each percent-encoded; empty for the root.',
  schema: { type: 'string' },
};

/** Path of a content route as the document shows it: the object's own path, then the view. */
export const describedContentPath = (pattern: string): string =>
  pattern === 'object' ? '/{path}' : `/{path}/${pattern.replace(/[*:](\w+)/g, '{$1}')}`;

const ERROR: Schema = {
  type: 'object',
  properties: {
    type: { type: 'string' },
    message: { type: 'string' },
    context: { type: 'string' },
    error: { type: 'object', properties: { type: { type: 'string' }, message: { type: 'string' } } },
  },
};

/** A refusal: `message` beside `type`, or both in `error`. */
export const contentError = (
  description: string,
): { description: string; content: Record<string, { schema: Schema }> } => ({
  description,
  content: { 'application/json': { schema: ERROR } },
});
