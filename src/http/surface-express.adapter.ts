import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type ServerOptions as HttpsServerOptions } from 'node:https';
import { type Socket } from 'node:net';
import { type NestApplicationOptions } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { type Dispatcher } from './dispatcher.js';
import { StalledConnections } from './stalled-connections.js';

/**
 * Time and size limits of a connection. Node's own (60 s for headers, 300 s for a request, checked each 30 s) let a few hundred
 * slow senders hold every connection (docs/limits.md).
 */
const CONNECTION_LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 32 * 1024,
  keepAliveTimeout: 65_000,
};
const MAX_CONNECTIONS = 5_000;
/** Milliseconds for a TLS handshake, which comes before all of the above; node's own two minutes let slow senders hold connections. */
const HANDSHAKE_MS = 10_000;

/**
 * Express adapter whose node server hands every request to the dispatcher first. Express stays behind it for cold paths, so all
 * that Nest builds on express (documentation pages, its own exception filter) goes on working.
 */
export class SurfaceExpressAdapter extends ExpressAdapter {
  /** Node's limits end with the last byte of a request; this one is for answers. */
  readonly stalledConnections = new StalledConnections();
  private dispatcher: Dispatcher | undefined;

  /** Connects the running application; until then every request is refused. */
  useDispatcher(dispatcher: Dispatcher): void {
    this.dispatcher = dispatcher;
  }

  override initHttpServer(options: NestApplicationOptions): void {
    const listener = (incoming: IncomingMessage, response: ServerResponse): void => {
      if (!this.dispatcher) {
        response.writeHead(503, { 'Retry-After': '1', Connection: 'close' }).end();
        return;
      }
      this.dispatcher.serve(incoming, response, this.instance as (req: IncomingMessage, res: ServerResponse) => void);
    };
    const secure = options.httpsOptions as HttpsServerOptions | undefined;
    const server: Server = secure
      ? createHttpsServer({ ...CONNECTION_LIMITS, ...secure, handshakeTimeout: HANDSHAKE_MS }, listener)
      : createHttpServer(CONNECTION_LIMITS, listener);
    server.maxConnections = MAX_CONNECTIONS;
    this.stalledConnections.watch(server);
    // The dispatcher counts header lines itself: node would silently drop those past its limit.
    server.maxHeadersCount = 0;
    // RFC 9110 §10.1.1 leaves it to us whether to meet an expectation that nobody knows with 417; node's own has no surface's shape.
    server.on('checkExpectation', listener);
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
      if (error.code !== 'ECONNRESET') {
        this.dispatcher?.noteRefused(error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'too-slow' : 'unreadable');
      }
      refuseUnreadableRequest(error, socket);
    });
    // Before the handshake nothing can be answered: an answer would wait for it, and hold the connection for good.
    server.on('tlsClientError', (_error: Error, socket: Socket) => socket.destroy());
    server.on('drop', () => this.dispatcher?.noteRefused('too-many'));
    this.httpServer = server;
  }
}

const STATUS_LINES: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Answers what node's parser could not read, where nothing of the request can be trusted, and closes. */
function refuseUnreadableRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  const { _httpMessage: answering } = socket as Socket & { _httpMessage?: ServerResponse };
  if (error.code === 'ECONNRESET' || !socket.writable || answering?.headersSent) return void socket.destroy();
  // An earlier request, read to its end, still awaits its answer: this refusal would be taken for it.
  if (answering?.req.complete) return void (answering.shouldKeepAlive = false);
  const statusLine = STATUS_LINES[error.code ?? ''] ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${statusLine}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  // A sender that was too slow gets no more time to close its own side; others may still be sending, and a reset would cost them the answer.
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') socket.destroySoon();
}
