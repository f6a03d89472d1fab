import { type ServerInterceptor, ServerInterceptingCall } from '@grpc/grpc-js';

/** Takes each message for sent as soon as it was handed over. */
class PromptCall extends ServerInterceptingCall {
  override sendMessage(message: unknown, callback: () => void): void {
    super.sendMessage(message, () => undefined);
    callback();
  }
}

/**
 * Lets the status follow its message at once. grpc-js waits until the message was written to the socket, so that each answer costs two
 * writes, and a turn of the event loop between them. A message that could not be written ends its stream in either case.
 */
export const promptStatusInterceptor: ServerInterceptor = (_method, call) => new PromptCall(call);
