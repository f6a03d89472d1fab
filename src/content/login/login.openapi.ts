import { contentError, PATH_PARAMETER } from '../../http/content/content.openapi.js';
import { type OperationDescription } from '../../openapi/describe.decorator.js';

const TOKEN = {
  description: 'A login token, good for twelve hours as `Bearer`.',
  content: {
    'application/json': {
      schema: { type: 'object' as const, required: ['token'], properties: { token: { type: 'string' as const } } },
    },
  },
};
const ROOT_PATH = { ...PATH_PARAMETER, description: 'Empty: only the site root has this view.' };
const TOO_MANY = contentError('Wrong credentials came from this address too often; right ones still pass.');

export const LOG_IN: OperationDescription = {
  summary: 'Log in',
  description: 'The body is JSON whatever its media type says; credentials in the header are not looked at.',
  parameters: [ROOT_PATH],
  body: {
    mediaTypes: ['application/json'],
    schema: {
      type: 'object',
      required: ['login', 'password'],
      properties: { login: { type: 'string' }, password: { type: 'string' } },
    },
  },
  responses: {
    200: TOKEN,
    400: contentError('The body is no JSON object, or does not name both.'),
    401: contentError('They are wrong.'),
    429: TOO_MANY,
  },
};

export const RENEW_LOGIN: OperationDescription = {
  summary: 'Get a login token with its full lifetime before it',
  description: 'For whoever the `Authorization` header says, which names the token that is to be replaced.',
  parameters: [ROOT_PATH],
  responses: { 200: TOKEN, 401: contentError('Nobody is logged in, or no longer.'), 429: TOO_MANY },
};

export const LOG_OUT: OperationDescription = {
  summary: 'Log out',
  description: 'Tokens stay good until they expire: the client throws its own away.',
  parameters: [ROOT_PATH],
  responses: { 204: { description: 'Nothing is kept of a login.' } },
};
