import { API_VERSION, conditionHeaders } from '../http/azure/azure.openapi.js';
import { KEY, KEY_VALUE_ANSWER, LABEL } from '../key-value/key-value.openapi.js';
import { type OperationDescription } from '../openapi/describe.decorator.js';

const operation = (summary: string): OperationDescription => ({
  summary,
  parameters: [API_VERSION, KEY, LABEL, ...conditionHeaders],
  responses: {
    200: KEY_VALUE_ANSWER,
    404: { description: 'There is no such key-value.' },
    412: { description: 'A condition does not hold.' },
  },
});

export const LOCK_KEY_VALUE = operation('Make a key-value read-only');
export const UNLOCK_KEY_VALUE = operation('Make a key-value writable again');
