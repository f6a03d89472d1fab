import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** One answer as it stood on the wire. Texts are latin1: one character for each byte. */
export interface RawAnswer {
  readonly status: number;
  /** In the order sent, repeats included. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** Every value of a header, in the order sent. */
export function valuesOf(answer: RawAnswer, name: string): string[] {
  return answer.headers.filter(([header]) => header.toLowerCase() === name).map(([, value]) => value);
}

/** The only value of a header; undefined when there is none. */
export function valueOf(answer: RawAnswer, name: string): string | undefined {
  return valuesOf(answer, name)[0];
}

/** Text of a request. Nothing is added but the length of the body where one is given. */
export function requestText(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  if (body !== undefined) lines.push(`Content-Length: ${body.length}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`;
}

/** A connection on which exactly the given bytes are sent. It never closes its own side by itself, as a hostile client would not. */
export class RawConnection {
  private received = '';
  private isOver = false;
  private wake: () => void = () => undefined;

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.received += text;
      this.wake();
    });
    const end = (): void => {
      this.isOver = true;
      this.wake();
    };
    socket.on('end', end);
    socket.on('close', end);
    // A reset ends the connection as well; what was received before it counts.
    socket.on('error', end);
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const connection = new RawConnection(socket);
    await once(socket, 'connect');
    return connection;
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Says that nothing more will be sent; answers can still come. */
  end(): void {
    this.socket.end();
  }

  /** What was received beside the answers taken. */
  get unread(): string {
    return this.received;
  }

  get hasEnded(): boolean {
    return this.isOver;
  }

  /** The next answer; fails when the connection ends before it is complete. */
  async answer(requestMethod = 'GET'): Promise<RawAnswer> {
    for (;;) {
      const answer = this.take(requestMethod);
      if (answer) return answer;
      if (this.isOver) throw new Error(`the connection ended after ${JSON.stringify(this.received)}`);
      await this.change();
    }
  }

  /** Resolves once the server has ended the connection; gives what it sent beside the answers taken. */
  async closed(): Promise<string> {
    while (!this.isOver) await this.change();
    return this.received;
  }

  destroy(): void {
    this.socket.destroy();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => (this.wake = resolve));
  }

  private take(requestMethod: string): RawAnswer | undefined {
    const headEnd = this.received.indexOf('\r\n\r\n');
    if (headEnd < 0) return undefined;
    const [statusLine, ...lines] = this.received.slice(0, headEnd).split('\r\n');
    const status = Number(statusLine!.split(' ')[1]);
    const headers = lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    });
    const header = (wanted: string): string | undefined => headers.find(([name]) => name.toLowerCase() === wanted)?.[1];
    const length = Number(header('content-length') ?? 0);
    const hasBody = requestMethod !== 'HEAD' && status >= 200 && status !== 204 && status !== 304;
    const isChunked = hasBody && header('transfer-encoding') === 'chunked';
    const read = isChunked
      ? readChunks(this.received, headEnd + 4)
      : readLength(this.received, headEnd + 4, hasBody ? length : 0);
    if (!read) return undefined;
    const { body, end } = read;
    this.received = this.received.slice(end);
    // 1xx answers only announce the one that counts.
    return status < 200 ? this.take(requestMethod) : { status, headers, body };
  }
}

/** A body with what ends it; undefined while it is not complete. */
type ReadBody = { readonly body: string; readonly end: number } | undefined;

function readLength(received: string, start: number, length: number): ReadBody {
  const end = start + length;
  return received.length < end ? undefined : { body: received.slice(start, end), end };
}

/** RFC 9112 section 7.1, without trailers: nothing here sends any. */
function readChunks(received: string, start: number): ReadBody {
  let body = '';
  for (let position = start; ;) {
    const lineEnd = received.indexOf('\r\n', position);
    if (lineEnd < 0) return undefined;
    const size = parseInt(received.slice(position, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (received.length < next) return undefined;
    if (size === 0) return { body, end: next };
    body += received.slice(lineEnd + 2, next - 2);
    position = next;
  }
}

/** One request on a connection of its own. */
export async function exchange(port: number, text: string, requestMethod?: string): Promise<RawAnswer> {
  const connection = await RawConnection.open(port);
  try {
    connection.send(text);
    return await connection.answer(requestMethod ?? text.slice(0, text.indexOf(' ')));
  } finally {
    connection.destroy();
  }
}
