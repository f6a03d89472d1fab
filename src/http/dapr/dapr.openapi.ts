/** Pieces of the OpenAPI document that the routes of the Dapr surface share. */

/** Name of the security scheme of the token in the document. */
export const DAPR_TOKEN_SCHEME = 'daprApiToken';

export const INVALID_API_TOKEN = {
  description: 'Missing or wrong token.',
  content: { 'text/plain': { schema: { type: 'string' as const } } },
};
