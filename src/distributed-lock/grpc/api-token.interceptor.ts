import { Metadata, type ServerInterceptor, ServerInterceptingCall, status } from '@grpc/grpc-js';
import { SharedSecret } from '../../auth/shared-secret.js';
import { type Metrics } from '../../metrics/metrics.js';
import { statusWithErrorInfo } from './error-info.js';

const TOKEN_KEY = 'dapr-api-token';
const UNAUTHORIZED = 'Unauthorized';
const MISSING = 'missing api token in request metadata';
const MISMATCH = 'authentication error: api token mismatch';

/** Lets only calls with the token reach a method, or the answer that there is no such method (distributed-lock contract section 5). */
export function apiTokenInterceptor(token: string, metrics: Metrics): ServerInterceptor {
  const expected = new SharedSecret(token);
  const fault = (metadata: Metadata): string | undefined => {
    const [given] = metadata.get(TOKEN_KEY);
    if (given === undefined) return MISSING;
    return expected.equals(String(given)) ? undefined : MISMATCH;
  };
  return (_method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const message = fault(metadata);
            if (message === MISMATCH) metrics.authFailures.inc();
            if (message === undefined) pass(metadata);
            // A method that never gets the metadata never starts to read: nothing of the request is looked at.
            else call.sendStatus({ code: status.UNAUTHENTICATED, details: UNAUTHORIZED, metadata: details(message) });
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
