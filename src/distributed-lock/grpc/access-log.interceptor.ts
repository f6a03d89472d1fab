import { type Metadata, type ServerInterceptor, ServerInterceptingCall, status } from '@grpc/grpc-js';
import { type AccessLog } from '../../logging/access-log.js';
import { type Metrics } from '../../metrics/metrics.js';
import { loggedCall } from './grpc-call.js';

/** One line per call, as the dispatcher writes for HTTP; its status is gRPC's code. A call that the client gave up is 1, CANCELLED. */
export function accessLogInterceptor(accessLog: AccessLog, metrics: Metrics): ServerInterceptor {
  return (method, call) => {
    const startedAt = performance.now();
    let metadata: Metadata | undefined;
    const write = (code: number): void => {
      if (metadata) {
        metrics.grpcCalls.inc({ code: String(code) });
        accessLog.write(loggedCall(metadata, method.path, call.getPeer()), code, startedAt);
      }
      metadata = undefined;
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (received, pass) => {
            metadata = received;
            pass(received);
          },
          onCancel: () => write(status.CANCELLED),
        }),
      sendStatus: (sent, next) => {
        write(sent.code ?? status.UNKNOWN);
        next(sent);
      },
    });
  };
}
