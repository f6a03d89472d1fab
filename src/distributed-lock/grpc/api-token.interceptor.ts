import { Metadata, type ServerInterceptor, ServerInterceptingCall, status } from '@grpc/grpc-js';
import { type FailedLogins } from '../../auth/failed-logins.js';
import { SharedSecret } from '../../auth/shared-secret.js';
import { Problem } from '../../problem/problem.js';
import { statusWithErrorInfo } from './error-info.js';
import { loggedCall } from './grpc-call.js';

const TOKEN_KEY = 'dapr-api-token';
const UNAUTHORIZED = 'Unauthorized';
const MISSING = 'missing api token in request metadata';
const TOO_MANY = 'wrong api tokens came from this address too often';
const MISMATCH = 'authentication error: api token mismatch';

/**
 * Lets only calls with the token reach a method, or the answer that there is no such method (distributed-lock contract section 5). Wrong
 * tokens that come too often from one address are RESOURCE_EXHAUSTED, gRPC's word for 429: the contract knows of no limit.
 */
export function apiTokenInterceptor(token: string, failedLogins: FailedLogins): ServerInterceptor {
  const expected = new SharedSecret(token);
  const fault = (metadata: Metadata): string | undefined => {
    const [given] = metadata.get(TOKEN_KEY);
    if (given === undefined) return MISSING;
    return expected.equals(String(given)) ? undefined : MISMATCH;
  };
  /** Whether there were too many of them. */
  const isLimited = (metadata: Metadata, path: string, peer: string): boolean => {
    try {
      failedLogins.record(loggedCall(metadata, path, peer), { surface: 'lock', credentials: 'dapr-api-token' });
      return false;
    } catch (error) {
      if (error instanceof Problem && error.status === 429) return true;
      throw error;
    }
  };
  return (method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const message = fault(metadata);
            if (message === undefined) return pass(metadata);
            // A method that never gets the metadata never starts to read: nothing of the request is looked at.
            if (message === MISMATCH && isLimited(metadata, method.path, call.getPeer())) {
              call.sendStatus({ code: status.RESOURCE_EXHAUSTED, details: TOO_MANY });
            } else call.sendStatus({ code: status.UNAUTHENTICATED, details: UNAUTHORIZED, metadata: details(message) });
          },
        }),
    });
}

/** WIRE-STABLE */
function details(message: string): Metadata {
  const metadata = new Metadata();
  metadata.set(
    'grpc-status-details-bin',
    statusWithErrorInfo(status.UNAUTHENTICATED, UNAUTHORIZED, {
      reason: UNAUTHORIZED,
      domain: 'dapr.io',
      metadata: { 'http.code': '401', 'http.error_message': message },
    }),
  );
  return metadata;
}
