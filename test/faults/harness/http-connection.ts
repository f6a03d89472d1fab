import { connect, type Socket } from 'node:net';
import { now } from './wait';

/** What came of a request: an answer; nothing, and nothing was sent either; or nothing, while it may have been carried out. */
export type Reply =
  | {
      readonly kind: 'answer';
      readonly status: number;
      /** Names in lower case. */
      readonly headers: ReadonlyMap<string, string>;
      readonly text: string;
    }
  | { readonly kind: 'not-sent' | 'no-answer'; readonly reason: string };

export interface RequestOptions {
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** Past it the connection is given up and the outcome is unknown. */
  readonly timeoutMs?: number;
}

/** No request of the service takes longer without waiting in a line; whoever waits says so. */
const TIMEOUT_MS = 30_000;
const HEADER_END = Buffer.from('\r\n\r\n');

/**
 * One keep-alive connection, one request at a time. Costs little beside what it measures, and knows for each failure whether the
 * request had left: that decides whether its outcome is known.
 */
export class HttpConnection {
  private socket: Socket | null = null;
  private pending: Buffer = Buffer.alloc(0);
  private settle: ((reply: Reply) => void) | null = null;

  constructor(readonly port: number) {}

  async send(method: string, target: string, options: RequestOptions = {}): Promise<Reply> {
    const { headers = {}, body = '', timeoutMs = TIMEOUT_MS } = options;
    const lines = { host: `127.0.0.1:${this.port}`, ...headers };
    const length =
      body === '' && (method === 'GET' || method === 'HEAD') ? '' : `content-length: ${Buffer.byteLength(body)}\r\n`;
    const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
    const text = `${method} ${target} HTTP/1.1\r\n${head.join('')}${length}\r\n${body}`;
    const opened = await this.open(timeoutMs);
    if (opened !== null) return { kind: 'not-sent', reason: opened };
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.fail(`no answer within ${timeoutMs} ms`), timeoutMs);
      this.settle = (reply) => {
        clearTimeout(timer);
        this.settle = null;
        resolve(reply);
      };
      this.socket!.write(text);
    });
  }

  close(): void {
    this.fail('closed');
  }

  /** @returns why there is no connection; null when there is one */
  private async open(timeoutMs: number): Promise<string | null> {
    if (this.socket !== null) return null;
    this.pending = Buffer.alloc(0);
    const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true });
    const startedAt = now();
    const reason = await new Promise<string | null>((resolve) => {
      socket.setTimeout(timeoutMs, () => socket.destroy(new Error('connecting took too long')));
      socket.once('connect', () => resolve(null));
      socket.once('error', (error) => resolve(`${error.message} after ${Math.round(now() - startedAt)} ms`));
    });
    if (reason !== null) return reason;
    socket.setTimeout(0);
    socket.on('data', (chunk) => this.receive(chunk));
    socket.on('error', (error) => this.fail(error.message));
    socket.on('close', () => this.drop(socket));
    this.socket = socket;
    return null;
  }

  private drop(socket: Socket): void {
    if (this.socket === socket) this.fail('closed by the server');
  }

  private fail(reason: string): void {
    const socket = this.socket;
    this.socket = null;
    socket?.destroy();
    this.settle?.({ kind: 'no-answer', reason });
  }

  private receive(chunk: Buffer): void {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    const headEnd = this.pending.indexOf(HEADER_END);
    if (headEnd < 0) return;
    const [statusLine = '', ...lines] = this.pending.toString('latin1', 0, headEnd).split('\r\n');
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    const status = Number(statusLine.slice(9, 12));
    const bodyAt = headEnd + HEADER_END.length;
    const length = status === 204 || status === 304 ? 0 : Number(headers.get('content-length') ?? 0);
    if (this.pending.length < bodyAt + length) return;
    const text = this.pending.toString('utf8', bodyAt, bodyAt + length);
    this.pending = this.pending.subarray(bodyAt + length);
    const settle = this.settle;
    if (headers.get('connection')?.toLowerCase() === 'close') {
      const socket = this.socket;
      this.socket = null;
      socket?.destroy();
    }
    settle?.({ kind: 'answer', status, headers, text });
  }
}
