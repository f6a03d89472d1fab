import { READ_ONLY_KEY, READ_WRITE_KEY } from '../support/start-app';
import { AzureHttp } from '../support/azure-http';
import { type RawAnswer, RawConnection, valueOf } from '../support/raw-http';
import { type SurfaceName } from './answer-shapes';
import { basic, SECRETS } from './callers';

/** Who sends a bad request: somebody with every right, somebody who may only read, or nobody known. */
export type Sender = 'master' | 'reader' | 'nobody';

/** One request, byte by byte: every text is latin1, one character for each byte. */
export interface BadRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  /** Bytes per chunk; without it the length is declared. */
  readonly chunkBytes?: number;
  readonly sender: Sender;
}

/** Longer than anything here may take: who does not answer by then hangs. */
const PATIENCE_MS = 15_000;

const SEGMENTS: Readonly<Record<string, SurfaceName>> = Object.fromEntries(
  (
    [
      ['azure', ['kv', 'keys', 'labels', 'locks', 'revisions', 'snapshots', 'operations']],
      ['dapr', ['v1.0', 'v1.0-alpha1', 'v1.0-alpha']],
      ['native', ['api', 'console', 'docs', 'openapi.json', 'healthz', 'readyz', 'metrics']],
    ] as const
  ).flatMap(([surface, segments]) => segments.map((segment) => [segment, surface])),
);

/** As interface.md section 3 has it: the first segment that is not empty, raw. */
export function surfaceOf(target: string): SurfaceName {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '').split('?', 1)[0]!;
  const segment = path.split('/').find((each) => each !== '') ?? '';
  return Object.hasOwn(SEGMENTS, segment) ? SEGMENTS[segment]! : 'content';
}

const signers = { master: new AzureHttp(0, READ_WRITE_KEY), reader: new AzureHttp(0, READ_ONLY_KEY) };

function credentials({ method, target, body, sender }: BadRequest, host: string): Record<string, string> {
  if (sender === 'nobody') return {};
  switch (surfaceOf(target)) {
    case 'azure':
      return signers[sender].sign(method, target, Buffer.from(body ?? '', 'latin1'), host);
    case 'dapr':
      return { 'dapr-api-token': SECRETS.lockToken };
    default:
      return sender === 'master'
        ? { authorization: basic('mia', SECRETS.passwords.manager) }
        : { authorization: basic('rita', SECRETS.passwords.reader) };
  }
}

/** The request as it stands on the wire, credentials included. */
export function wireText(request: BadRequest, port: number): string {
  const { method, target, headers, body, chunkBytes } = request;
  const host = `127.0.0.1:${port}`;
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`];
  const own = Object.entries(credentials(request, host));
  for (const [name, value] of [...own, ...headers]) lines.push(`${name}: ${value}`);
  if (body === undefined) return `${lines.join('\r\n')}\r\n\r\n`;
  lines.push(chunkBytes === undefined ? `Content-Length: ${body.length}` : 'Transfer-Encoding: chunked');
  return `${lines.join('\r\n')}\r\n\r\n${chunkBytes === undefined ? body : chunked(body, chunkBytes)}`;
}

function chunked(body: string, size: number): string {
  const chunks: string[] = [];
  for (let start = 0; start < body.length; start += size) {
    const chunk = body.slice(start, start + size);
    chunks.push(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  }
  return `${chunks.join('')}0\r\n\r\n`;
}

/** Sends requests one after the other, on one connection for as long as the service keeps it. */
export class BadClient {
  private connection: RawConnection | undefined;

  constructor(private readonly port: number) {}

  /** @returns the answer, or null when the service ended the connection without one */
  async send(text: string, method: string): Promise<RawAnswer | null> {
    const connection = (this.connection ??= await RawConnection.open(this.port));
    connection.send(text);
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<'none'>((resolve) => (timer = setTimeout(() => resolve('none'), PATIENCE_MS)));
    const answer = await Promise.race([connection.answer(method).catch(() => null), patience]);
    clearTimeout(timer);
    if (answer === 'none') {
      this.close();
      throw new Error(`no answer after ${PATIENCE_MS} ms`);
    }
    const isOver = answer === null || connection.hasEnded || valueOf(answer, 'connection') === 'close';
    if (isOver) this.close();
    else if (connection.unread !== '') throw new Error(`two answers to one request: ${connection.unread}`);
    return answer;
  }

  close(): void {
    this.connection?.destroy();
    this.connection = undefined;
  }
}

/** Bytes of a refused body that are read for politeness; with more of it on the way, the answer may be lost (`src/http/request-body.ts`). */
const MAX_DISCARDED_BYTES = 1024 * 1024;

/** Whether its sender may see a reset in place of the refusal. */
export const mayBeCutOff = ({ body = '' }: BadRequest): boolean => body.length > MAX_DISCARDED_BYTES;
