import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';
import { AccessLog } from '../../logging/access-log.js';
import { GrpcCode, type LockRefusal, publicCause } from '../dapr/lock-checks.js';
import { type GrpcCall, loggedCall } from './grpc-call.js';

/**
 * Characters of a message that are sent. It travels as a header, of which clients read some ten thousand bytes in all, and may quote an id
 * of megabytes.
 */
const MAX_MESSAGE_LENGTH = 1_000;

/** A call that ends with a status other than OK: a code and a bare text, without details (distributed-lock contract section 4). */
export class GrpcStatus extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message.length > MAX_MESSAGE_LENGTH ? `${message.slice(0, MAX_MESSAGE_LENGTH).toWellFormed()}…` : message);
    this.name = 'GrpcStatus';
  }

  static of({ grpcCode, message }: LockRefusal): GrpcStatus {
    return new GrpcStatus(grpcCode, message);
  }
}

/** The only way out for errors of gRPC methods. What nobody planned is INTERNAL and shows nothing of its cause. */
@Catch()
export class GrpcStatusFilter implements ExceptionFilter {
  constructor(private readonly accessLog: AccessLog) {}

  catch(error: unknown, host: ArgumentsHost): Observable<never> {
    if (error instanceof GrpcStatus) return throwError(() => ({ code: error.code, details: error.message }));
    const [, , call] = host.getArgs<[unknown, unknown, GrpcCall]>();
    this.accessLog.failure(loggedCall(call.metadata, call.getPath(), call.getPeer()), error);
    return throwError(() => ({ code: GrpcCode.INTERNAL, details: publicCause(error) }));
  }
}
