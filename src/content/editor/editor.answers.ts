import { type Answer } from '../../http/answer.js';

/** What is shown depends on who asks, and changes at once with the content. */
export const viewAnswer = (json: object): Answer => ({
  status: 200,
  headers: [
    'Content-Type',
    'application/json; charset=utf-8',
    'Cache-Control',
    'private, no-cache',
    'Vary',
    'Authorization',
  ],
  body: JSON.stringify(json),
});
