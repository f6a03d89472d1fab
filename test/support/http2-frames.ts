import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Frame types of RFC 9113 section 6. */
export const FrameType = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7 } as const;
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;
const CANCEL = 8;

const uint32 = (...numbers: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, index) => bytes.writeUInt32BE(number, 4 * index));
  return bytes;
};

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** A header as HPACK has it without tables and without Huffman's code (RFC 7541 section 6.2.2); texts below 127 bytes. */
const literal = (name: string, value: string): Buffer =>
  Buffer.from([0, name.length, ...Buffer.from(name), value.length, ...Buffer.from(value)]);

/** The start of a gRPC call. */
export const headers = (stream: number, method = 'TryLockAlpha1'): Buffer =>
  frame(
    FrameType.HEADERS,
    END_HEADERS,
    stream,
    Buffer.concat([
      literal(':method', 'POST'),
      literal(':scheme', 'http'),
      literal(':path', `/dapr.proto.runtime.v1.Dapr/${method}`),
      literal(':authority', 'localhost'),
      literal('content-type', 'application/grpc'),
      literal('te', 'trailers'),
    ]),
  );
export const data = (stream: number, bytes: Buffer, isLast: boolean): Buffer =>
  frame(FrameType.DATA, isLast ? END_STREAM : 0, stream, bytes);
export const reset = (stream: number): Buffer => frame(FrameType.RST_STREAM, 0, stream, uint32(CANCEL));
export const goaway = (code: number): Buffer => frame(FrameType.GOAWAY, 0, 0, uint32(0, code));
export const ping = (): Buffer => frame(FrameType.PING, 0, 0, Buffer.alloc(8));
export const settings = (): Buffer => frame(FrameType.SETTINGS, 0, 0);

export interface ReceivedFrame {
  readonly type: number;
  readonly isAck: boolean;
  readonly stream: number;
}

/**
 * A connection on which a test writes whatever frames it likes, packed as it likes. Not node's own client: that would keep to the rules,
 * and what it does when they are broken would show in the test's process instead of the server's.
 */
export class FrameConnection {
  readonly received: ReceivedFrame[] = [];
  isClosed = false;
  private rest: Buffer = Buffer.alloc(0);

  private constructor(readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => this.read(bytes));
    socket.on('error', () => undefined);
    socket.once('close', () => (this.isClosed = true));
  }

  static async open(port: number): Promise<FrameConnection> {
    const connection = new FrameConnection(connect(port, '127.0.0.1'));
    await once(connection.socket, 'connect');
    connection.write(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings());
    return connection;
  }

  /** All frames at once, so that they tend to be read at once too. */
  write(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** How often the server answered a ping. */
  get pongs(): number {
    return this.received.filter(({ type, isAck }) => type === FrameType.PING && isAck).length;
  }

  /** Whether the server has said that it wants no more. */
  get isEnding(): boolean {
    return this.received.some(({ type }) => type === FrameType.GOAWAY);
  }

  private read(bytes: Buffer): void {
    this.rest = Buffer.concat([this.rest, bytes]);
    for (;;) {
      if (this.rest.length < 9) return;
      const end = 9 + this.rest.readUIntBE(0, 3);
      if (this.rest.length < end) return;
      const type = this.rest[3]!;
      const isAck = this.rest[4] === ACK;
      if (type === FrameType.PING && !isAck) this.write(frame(FrameType.PING, ACK, 0, this.rest.subarray(9, end)));
      this.received.push({ type, isAck, stream: this.rest.readUInt32BE(5) });
      this.rest = this.rest.subarray(end);
    }
  }
}
