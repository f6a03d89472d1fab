import { Inject, Injectable } from '@nestjs/common';
import { type Logger } from 'pino';
import { LOGGER } from './logger.js';

/** What the log shows of a request. Never a header's value but the client's own request id: headers carry credentials. */
interface LoggedRequest {
  readonly id: string;
  readonly method: string;
  readonly target: string;
  readonly remoteAddress: string;
  readonly principal?: { readonly name: string };
  header(name: string): string | undefined;
}

/** One line per request, at `info`, and one per unplanned failure, at `error`, joined by the request id. */
@Injectable()
export class AccessLog {
  private readonly isEnabled: boolean;

  constructor(@Inject(LOGGER) private readonly logger: Logger) {
    this.isEnabled = logger.isLevelEnabled('info');
  }

  /** @param startedAt `performance.now()` when the request arrived */
  write(request: LoggedRequest, status: number, startedAt: number): void {
    if (!this.isEnabled) return;
    this.logger.info({
      requestId: request.id,
      clientRequestId: request.header('x-ms-client-request-id'),
      method: request.method,
      target: request.target,
      status,
      ms: Math.round((performance.now() - startedAt) * 10) / 10,
      actor: request.principal?.name,
      address: request.remoteAddress,
    });
  }

  failure(request: LoggedRequest, error: unknown): void {
    this.logger.error(
      { requestId: request.id, method: request.method, target: request.target, err: error },
      'request failed',
    );
  }
}
