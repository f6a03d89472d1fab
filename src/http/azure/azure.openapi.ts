import { type Parameter, type Schema } from '../../openapi/describe.decorator.js';
import { SUPPORTED_API_VERSIONS } from './api-version.js';

/** Pieces of the OpenAPI document that every route of the Azure surface shares. */

export interface Response {
  description: string;
  content: Record<string, { schema: Schema }>;
}

/** Name of the security scheme of signed requests in the document. */
export const HMAC_SCHEME = 'hmac';

export const query = (name: string, description: string): Parameter => ({
  name,
  in: 'query',
  description,
  schema: { type: 'string' },
});
export const header = (name: string, description: string): Parameter => ({
  name,
  in: 'header',
  description,
  schema: { type: 'string' },
});

export const API_VERSION: Parameter = {
  ...query('api-version', 'Version of the API that the request is written for.'),
  required: true,
  schema: { type: 'string', enum: [...SUPPORTED_API_VERSIONS] },
};
export const acceptDatetime = header('Accept-Datetime', 'Answers the state as of this instant (RFC 1123 or ISO 8601).');
export const conditionHeaders = [
  header('If-Match', 'Only when the current entity tag is this one, or `*` for any.'),
  header('If-None-Match', 'Only when the current entity tag is another, or `*` for only when there is none.'),
];

export const azureProblem = (description: string): Response => ({
  description,
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        properties: {
          type: { type: 'string', format: 'uri' },
          title: { type: 'string' },
          name: { type: 'string' },
          detail: { type: 'string' },
          status: { type: 'integer' },
        },
      },
    },
  },
});
