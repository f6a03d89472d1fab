import { Inject, Injectable } from '@nestjs/common';
import { type Logger } from 'pino';
import { isoTime, lineStream, LOGGER } from './logger.js';
import { type LogStream } from './log-stream.js';

/** Asked of the system each time otherwise. */
const PID = process.pid;

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
  private readonly lines: LogStream | undefined;

  constructor(@Inject(LOGGER) private readonly logger: Logger) {
    this.isEnabled = logger.isLevelEnabled('info');
    this.lines = lineStream(logger);
  }

  /** @param startedAt `performance.now()` when the request arrived */
  write(request: LoggedRequest, status: number, startedAt: number): void {
    if (!this.isEnabled) return;
    const record = accessRecord(request, status, performance.now() - startedAt);
    if (this.lines) this.lines.write(accessLine(record));
    else this.logger.info(record);
  }

  failure(request: LoggedRequest, error: unknown): void {
    this.logger.error(
      { requestId: request.id, method: request.method, target: request.target, err: error },
      'request failed',
    );
  }
}

/** The members of a line, in their order. */
interface AccessRecord {
  readonly requestId: string;
  readonly clientRequestId: string | undefined;
  readonly method: string;
  readonly target: string;
  readonly status: number;
  readonly ms: number;
  readonly actor: string | undefined;
  readonly address: string;
}

const accessRecord = (request: LoggedRequest, status: number, ms: number): AccessRecord => ({
  requestId: request.id,
  clientRequestId: request.header('x-ms-client-request-id'),
  method: request.method,
  target: request.target,
  status,
  ms: Math.round(ms * 10) / 10,
  actor: request.principal?.name,
  address: request.remoteAddress,
});

/** The line that the logger itself would write for a record. Members that are undefined are left out. */
export function accessLine(record: AccessRecord): string {
  const { requestId, clientRequestId, method, target, status, ms, actor, address } = record;
  const client = clientRequestId === undefined ? '' : `,"clientRequestId":${JSON.stringify(clientRequestId)}`;
  const caller = actor === undefined ? '' : `,"actor":${JSON.stringify(actor)}`;
  return (
    `{"level":"info"${isoTime()},"pid":${PID},"requestId":"${requestId}"${client},"method":${JSON.stringify(method)},` +
    `"target":${JSON.stringify(target)},"status":${status},"ms":${ms}${caller},"address":"${address}"}\n`
  );
}
