import { connect, type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2';
import { join } from 'node:path';
import {
  type ChannelCredentials,
  Client,
  credentials,
  type deserialize,
  Metadata,
  type serialize,
} from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';

const SERVICE = 'dapr.proto.runtime.v1.Dapr';
const PROTO = join(__dirname, '../../src/distributed-lock/grpc/dapr.proto');
const methods = loadSync(PROTO, { defaults: true, longs: Number })[SERVICE] as unknown as Record<
  string,
  MethodDefinition<object, object>
>;

/** How a call ended: code 0 and the answer, or another code with its text and metadata. */
export interface GrpcOutcome {
  readonly code: number;
  readonly message: string;
  readonly answer: Record<string, unknown> | undefined;
  readonly metadata: Metadata | undefined;
}

/** Dapr's lock calls through the official client, one connection each. */
export class GrpcClient {
  private readonly client: Client;

  constructor(
    port: number,
    private readonly token?: string,
    channel: ChannelCredentials = credentials.createInsecure(),
  ) {
    // A pool of its own: otherwise clients of one process share a connection.
    this.client = new Client(`127.0.0.1:${port}`, channel, { 'grpc.use_local_subchannel_pool': 1 });
  }

  tryLock(resourceId: string, lockOwner: string, expiryInSeconds = 60, storeName = 'lockstore'): Promise<GrpcOutcome> {
    return this.call('TryLockAlpha1', { storeName, resourceId, lockOwner, expiryInSeconds });
  }

  unlock(resourceId: string, lockOwner: string, storeName = 'lockstore'): Promise<GrpcOutcome> {
    return this.call('UnlockAlpha1', { storeName, resourceId, lockOwner });
  }

  call(method: string, request: object): Promise<GrpcOutcome> {
    const { path, requestSerialize, responseDeserialize } = methods[method]!;
    return this.unary(path, requestSerialize, responseDeserialize, request);
  }

  /** Any method, with the bytes of an empty message. */
  callUnknown(path: string): Promise<GrpcOutcome> {
    return this.unary(
      path,
      () => Buffer.alloc(0),
      () => ({}),
      {},
    );
  }

  close(): void {
    this.client.close();
  }

  private unary(
    path: string,
    encode: serialize<object>,
    decode: deserialize<object>,
    request: object,
  ): Promise<GrpcOutcome> {
    const metadata = new Metadata();
    if (this.token !== undefined) metadata.set('dapr-api-token', this.token);
    return new Promise((resolve) => {
      this.client.makeUnaryRequest(path, encode, decode, request, metadata, (error, answer) =>
        resolve(
          error
            ? { code: error.code, message: error.details, answer: undefined, metadata: error.metadata }
            : { code: 0, message: '', answer: answer as Record<string, unknown>, metadata: undefined },
        ),
      );
    });
  }
}

/** What came back on one HTTP/2 stream. */
export interface RawGrpcAnswer {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly trailers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

/** gRPC by the frame, for what no client library would send. */
export class RawGrpc {
  private constructor(readonly session: ClientHttp2Session) {}

  static open(port: number): RawGrpc {
    const session = connect(`http://127.0.0.1:${port}`);
    // A test that provokes the end of a connection sees it on the stream.
    session.on('error', () => undefined);
    return new RawGrpc(session);
  }

  /** A stream on which nothing but the headers was sent. */
  openStream(method: string, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
    const stream = this.session.request({
      ':method': 'POST',
      ':path': method.startsWith('/') ? method : `/${SERVICE}/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    stream.on('error', () => undefined);
    return stream;
  }

  /** A whole call with the bytes of one message. */
  call(method: string, message: Buffer, headers: OutgoingHttpHeaders = {}): Promise<RawGrpcAnswer> {
    const stream = this.openStream(method, headers);
    const answer = answerOf(stream);
    stream.end(framed(message));
    return answer;
  }

  /** Not at once: a session that ends while node still reads its frames, as under a test's `await`, spoils the process's memory. */
  close(): void {
    setImmediate(() => this.session.destroy());
  }
}

/** A message behind gRPC's five bytes: not compressed, and its length. */
export function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Headers that end the stream count as its trailers too, as gRPC has it. */
export function answerOf(stream: ClientHttp2Stream): Promise<RawGrpcAnswer> {
  return new Promise((resolve, reject) => {
    let headers: Record<string, unknown> = {};
    let trailers: Record<string, unknown> | undefined;
    const chunks: Buffer[] = [];
    stream.on('response', (received) => (headers = received));
    stream.on('trailers', (received) => (trailers = received));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      if (headers[':status'] !== undefined)
        resolve({ headers, trailers: trailers ?? headers, body: Buffer.concat(chunks) });
    });
    stream.on('error', reject);
    stream.on('close', () => reject(new Error(`the stream was reset with ${stream.rstCode}`)));
  });
}
