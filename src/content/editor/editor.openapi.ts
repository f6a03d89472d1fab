import { contentError, PATH_PARAMETER } from '../../http/content/content.openapi.js';
import { type OperationDescription, type Parameter, type Schema } from '../../openapi/describe.decorator.js';

const text: Schema = { type: 'string' };
const array = (items: Schema): Schema => ({ type: 'array', items });
const object = (properties: Record<string, Schema>): Schema => ({ type: 'object', properties });

const LINK: Schema = object({ '@id': text, title: text });
const ACTION_LIST = array(object({ id: text, title: text, icon: text }));

const NOT_FOUND = contentError('There is no such object.');

const view = (
  summary: string,
  schema: Schema,
  { parameters = [], responses = {}, ...more }: Partial<OperationDescription> = {},
): OperationDescription => ({
  summary,
  ...more,
  parameters: [PATH_PARAMETER, ...parameters],
  responses: {
    200: { description: 'What was asked for.', content: { 'application/json': { schema } } },
    404: NOT_FOUND,
    ...responses,
  },
});

const DEPTH: Parameter[] = ['expand.navigation.depth', 'depth'].map((name) => ({
  name,
  in: 'query',
  description: 'Levels below the site root, 1 to 10; 1 when left out.',
  schema: { type: 'integer' },
}));
const pathPart = (name: string, description: string): Parameter => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: text,
});

export const GET_ACTIONS = view(
  'List what the caller can do with an object',
  object({
    object: ACTION_LIST,
    object_buttons: ACTION_LIST,
    user: ACTION_LIST,
    portal_tabs: ACTION_LIST,
    document_actions: ACTION_LIST,
    site_actions: ACTION_LIST,
  }),
  { description: '`object` has an action `edit` for those who may change the object, and only for them.' },
);

export const GET_BREADCRUMBS = view(
  'List the objects from the site root down to this one',
  object({ '@id': text, root: text, items: array(LINK) }),
);

export const GET_NAVIGATION = view(
  'Show the upper levels of the site',
  object({ '@id': text, items: array({ type: 'object' }) }),
  {
    description: 'Objects with `exclude_from_nav` are left out with everything in them.',
    parameters: DEPTH,
    responses: { 400: contentError('The depth is no whole number.') },
  },
);

export const GET_NAVROOT = view(
  'Show the object where the navigation begins',
  object({ '@id': text, navroot: { type: 'object' } }),
);

export const GET_SITE = view('Show what holds for the whole site', { type: 'object', additionalProperties: true });

export const LIST_TYPES = view(
  'List the types that can be added',
  array(
    object({
      '@id': text,
      id: text,
      title: text,
      addable: { type: 'boolean' },
      immediately_addable: { type: 'boolean' },
    }),
  ),
);

export const GET_TYPE = view(
  'Show the form of a type',
  object({
    title: text,
    fieldsets: array({ type: 'object' }),
    properties: { type: 'object' },
    required: array(text),
  }),
  { parameters: [pathPart('type', '`Document`, `Folder` or `Plone Site`.')] },
);

export const GET_USER = view('Show a user', object({ '@id': text, id: text, fullname: text, roles: array(text) }), {
  description: 'Users themselves and managers see more than the name and the roles.',
  parameters: [pathPart('id', 'Name of the user.')],
  responses: { 404: contentError('There is no such user.') },
});
