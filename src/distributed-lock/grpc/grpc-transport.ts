import { once } from 'node:events';
import { type Http2Server } from 'node:http2';
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls';
import {
  type ChannelOptions,
  type ConnectionInjector,
  type Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerErrorResponse,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import { ServerGrpc } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { type FailedLogins } from '../../auth/failed-logins.js';
import { type Certificate } from '../../http/certificate.js';
import { type AccessLog } from '../../logging/access-log.js';
import { type Metrics } from '../../metrics/metrics.js';
import { accessLogInterceptor } from './access-log.interceptor.js';
import { apiTokenInterceptor } from './api-token.interceptor.js';
import { AwaitedRequests } from './awaited-requests.js';
import { promptStatusInterceptor } from './prompt-status.interceptor.js';
import { type GrpcCall } from './grpc-call.js';
import { guardSession } from './session-guard.js';
import { withStrictText } from './strict-text.js';

const PACKAGE = 'dapr.proto.runtime.v1';
type Service = Record<string, { requestDeserialize: (bytes: Buffer) => object }>;

/** As many as HTTP takes. */
const MAX_CONNECTIONS = 5_000;
/** Milliseconds for a TLS handshake; node's own two minutes let slow senders hold connections. */
const HANDSHAKE_MS = 10_000;

/** Milliseconds for the last answers to leave before connections are cut. */
const FLUSH_MS = 200;

const LIMITS: ChannelOptions = {
  // What gRPC allows by itself, spelt out: over it the answer is RESOURCE_EXHAUSTED.
  'grpc.max_receive_message_length': 4 * 1024 * 1024,
  // One connection may not fill the line in front of the database (1,000 places) and then some; its further calls wait at the client.
  'grpc.max_concurrent_streams': 1_000,
  // Finds clients that vanished without a word, well before the operating system would. Pings need nothing of a live client.
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
  // With several workers a connection stays with the one that took it; clients that reconnect now and then spread again after one was
  // replaced. They are told first, and calls under way have longer than the database work of any of them may take (8 s).
  'grpc.max_connection_age_ms': 30 * 60_000,
  'grpc.max_connection_age_grace_ms': 15_000,
  // A debugging aid that keeps a record per connection and that nothing here serves.
  'grpc.enable_channelz': 0,
};

type UnaryHandler = (request: unknown, metadata: Metadata, call: GrpcCall) => Promise<unknown>;
type UnaryMethod = (call: GrpcCall, callback: sendUnaryData<unknown>) => Promise<void>;

export interface GrpcTransportOptions {
  readonly host: string;
  readonly port: number;
  readonly certificate: Certificate | undefined;
  /** `DAPR_API_TOKEN`; undefined = everybody is let in. */
  readonly token: string | undefined;
  readonly accessLog: AccessLog;
  readonly metrics: Metrics;
  readonly failedLogins: FailedLogins;
  readonly awaited?: AwaitedRequests;
}

/**
 * Nest's gRPC transport behind a listener of our own. grpc-js takes connections that others accepted, so ports, workers, TLS, limits and
 * draining are those of a plain node server, the same as for HTTP: errors keep their code, workers share the port, and a renewed
 * certificate needs no new listener.
 */
export class GrpcTransport extends ServerGrpc {
  private readonly listener: NetServer;
  private readonly sockets = new Set<Socket>();
  private readonly awaited: AwaitedRequests;
  private injector: ConnectionInjector | undefined;
  private isDraining = false;

  constructor(private readonly setup: GrpcTransportOptions) {
    super({
      package: PACKAGE,
      protoPath: join(__dirname, 'dapr.proto'),
      // Absent fields are '' and 0, as the lock checks want them.
      loader: { defaults: true },
      onLoadPackageDefinition: (definition) => {
        for (const method of Object.values((definition as Record<string, Service>)[`${PACKAGE}.Dapr`]!)) {
          method.requestDeserialize = withStrictText(method.requestDeserialize);
        }
      },
    });
    this.awaited = setup.awaited ?? new AwaitedRequests();
    this.listener = setup.certificate
      ? createTlsServer({ ...setup.certificate, ALPNProtocols: ['h2'], handshakeTimeout: HANDSHAKE_MS })
      : createServer();
    this.listener.maxConnections = MAX_CONNECTIONS;
    // Connections that are still in their TLS handshake count as well when the server is stopped.
    this.listener.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    this.listener.on(setup.certificate ? 'secureConnection' : 'connection', (socket: Socket) => this.accept(socket));
  }

  /** The port it listens on, also where 0 was asked for. */
  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  /** For connections from now on. */
  useCertificate(certificate: Certificate): void {
    if (this.listener instanceof TlsServer) this.listener.setSecureContext(certificate);
  }

  /**
   * No new connections, no new calls on the present ones; resolves once the calls under way are finished, or after the grace time.
   *
   * @returns whether none was cut off
   */
  async drain(graceMs: number): Promise<boolean> {
    this.isDraining = true;
    if (!this.listener.listening) return true;
    const closed = new Promise<boolean>((resolve) => this.listener.close(() => resolve(true)));
    this.injector?.drain(graceMs);
    // A stream that its client never finishes keeps its connection open, also after the call has ended.
    void this.awaited.drain().then(() => setTimeout(() => this.destroySockets(), FLUSH_MS));
    let timer: NodeJS.Timeout | undefined;
    const cutOff = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), graceMs)));
    const isComplete = await Promise.race([closed, cutOff]);
    clearTimeout(timer);
    return isComplete;
  }

  /** Nest calls this when the application closes: whatever is left ends at once. */
  override async close(): Promise<void> {
    this.isDraining = true;
    const closed = this.listener.listening ? once(this.listener, 'close') : undefined;
    this.listener.close();
    this.injector?.destroy();
    await super.close();
    this.destroySockets();
    await closed;
  }

  override async createClient(): Promise<Server> {
    const { token, accessLog, metrics, failedLogins } = this.setup;
    // The first one is nearest to the wire.
    const interceptors: ServerInterceptor[] = [
      promptStatusInterceptor,
      accessLogInterceptor(accessLog, metrics),
      this.awaited.interceptor,
    ];
    if (token !== undefined) interceptors.push(apiTokenInterceptor(token, failedLogins));
    const server = new Server({ ...LIMITS, interceptors });
    serveUnknownMethods(server);
    // TLS, where there is any, ends at our listener.
    this.injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    guardSessions(server);
    return server;
  }

  /**
   * Nest's own way from a call to its method without what ours do not need: a copy of the call for hooks that nobody set, and a stream
   * around each answer. Filters answer with a stream that fails.
   */
  override createUnaryServiceMethod(handler: UnaryHandler): UnaryMethod {
    return async (call, callback) => {
      let answer: unknown;
      try {
        const result = await handler(call.request, call.metadata, call);
        answer = isObservable(result) ? await lastValueFrom(result) : result;
      } catch (error) {
        return callback(error as ServerErrorResponse);
      }
      callback(null, answer);
    };
  }

  /** Listens last, so that no call can come before its method is there. */
  override async start(callback?: () => void): Promise<void> {
    await this.bindEvents();
    this.listener.listen(this.setup.port, this.setup.host);
    await once(this.listener, 'listening');
    callback?.();
  }

  private destroySockets(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private accept(socket: Socket): void {
    // A client that resets its connection is no failure of ours.
    socket.on('error', () => socket.destroy());
    if (this.isDraining) socket.destroy();
    else this.injector!.injectConnection(socket);
  }
}

/** grpc-js has no public place for this either; without it the service would be at the mercy of its clients, hence the error. */
function guardSessions(server: Server): void {
  const { http2Servers } = server as unknown as { http2Servers?: Map<Http2Server, unknown> };
  if (!http2Servers?.size) throw new Error('this version of @grpc/grpc-js keeps its HTTP/2 servers elsewhere');
  for (const http2Server of http2Servers.keys()) http2Server.on('session', guardSession);
}

interface AnyStream {
  emit(event: 'error', status: { code: number; details: string }): boolean;
}

/**
 * Gives methods that do not exist a handler that says so. grpc-js would say the same, but ahead of the interceptors: without a look at
 * the token, and without a line in the log. It has no public place for this; should the private one move, its own answer remains.
 */
function serveUnknownMethods(server: Server): void {
  const { handlers } = server as unknown as { handlers?: Map<unknown, unknown> };
  if (!handlers) return;
  const known = handlers.get.bind(handlers);
  const same = (bytes: Buffer): Buffer => bytes;
  handlers.get = (path) =>
    known(path) ?? {
      path,
      type: 'bidi',
      serialize: same,
      deserialize: same,
      func: (stream: AnyStream) =>
        stream.emit('error', {
          code: status.UNIMPLEMENTED,
          details: `The server does not implement the method ${String(path)}`,
        }),
    };
}
