import { malformedRequest } from '../../http/dapr/dapr-problem.js';
import { type DaprRequest } from '../../http/dapr/dapr-request.js';
import { type LockCall, type UnlockCall } from './lock-checks.js';
import { type Fields, type Message, readMessage } from './protobuf-json.js';
import { ProtobufJsonError } from './protobuf-json-tokenizer.js';

/** Members of Dapr's messages (contract section 4). Those of the one call are unknown, and so ignored, in the other. */
const UNLOCK_FIELDS = { storeName: 'string', resourceId: 'string', lockOwner: 'string' } as const;
const LOCK_FIELDS = { ...UNLOCK_FIELDS, expiryInSeconds: 'int32' } as const;

const NO_MESSAGE = Buffer.from('{}');

/** What a lock request asks for, not yet checked. The store in the path wins over one in the body. */
export function lockCallFrom(request: DaprRequest): LockCall {
  return { ...messageFrom(request, LOCK_FIELDS), storeName: request.pathParameter('storeName') };
}

/** What an unlock request asks for, not yet checked. */
export function unlockCallFrom(request: DaprRequest): UnlockCall {
  return { ...messageFrom(request, UNLOCK_FIELDS), storeName: request.pathParameter('storeName') };
}

/** The body as a message, whatever its content type says; no body at all is an empty message (contract section 1). */
function messageFrom<F extends Fields>({ body }: DaprRequest, fields: F): Message<F> {
  try {
    return readMessage(body.length === 0 ? NO_MESSAGE : body, fields);
  } catch (error) {
    if (!(error instanceof ProtobufJsonError)) throw error;
    throw malformedRequest(`failed deserializing HTTP body: proto: ${error.message}`);
  }
}
