import { randomUUID } from 'node:crypto';
import { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { type TLSSocket } from 'node:tls';
import { type Principal } from '../auth/principal.js';
import { type Condition, NO_CONDITION } from '../precondition/condition.js';
import { parseQuery, type QueryString } from './query-string.js';
import { type Route } from './route-table.js';

const NO_BODY = Buffer.alloc(0);

/** See `ApiRequest.watchPeer`. */
export interface PeerWatch {
  readonly signal: AbortSignal;
  stop(): void;
}

/**
 * One request as every layer above the socket sees it: raw target and raw body (signatures need both), the route that was chosen,
 * and what the guards found out. Surfaces extend it with what only they know.
 */
export class ApiRequest {
  /** Identifies the request in answers, logs and history. */
  readonly id: string = randomUUID();
  readonly method: string;
  /** Path and query exactly as they stood on the request line. */
  readonly target: string;
  /** The target up to the first `?`, not decoded. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Header names and values alternating, as received, repeats included. */
  readonly rawHeaders: readonly string[];

  /** Raw captures of the route's pattern by name; decoding them is the surface's business, once. */
  params: Readonly<Record<string, string>> = {};
  route: Route | undefined;
  /** The bytes of the body, unparsed. */
  body: Buffer = NO_BODY;
  /** Set by the surface's auth guard before any handler runs. */
  principal!: Principal;
  /** Set by the If-Match guard where a route has one. */
  condition: Condition = NO_CONDITION;

  private parsedQuery: QueryString | undefined;

  constructor(private readonly incoming: IncomingMessage) {
    this.method = incoming.method!;
    this.target = incoming.url!;
    const queryStart = this.target.indexOf('?');
    this.path = queryStart < 0 ? this.target : this.target.slice(0, queryStart);
    this.headers = incoming.headers;
    this.rawHeaders = incoming.rawHeaders;
  }

  /** The query, parsed at first use. Throws a 400 problem where it is not UTF-8. */
  get query(): QueryString {
    return (this.parsedQuery ??= parseQuery(this.target.slice(this.path.length + 1)));
  }

  /** Whether the request came over TLS to this very process. */
  get isEncrypted(): boolean {
    return (this.incoming.socket as TLSSocket).encrypted === true;
  }

  /** Address of the peer, without a port; empty once the peer is gone. */
  get remoteAddress(): string {
    return this.incoming.socket.remoteAddress ?? '';
  }

  /** For handlers that wait: a signal that is aborted when the peer goes away. Whoever asks for it stops watching in the end. */
  watchPeer(): PeerWatch {
    const { socket } = this.incoming;
    const gone = new AbortController();
    const onClose = (): void => gone.abort();
    if (socket.destroyed) gone.abort();
    socket.once('close', onClose);
    return { signal: gone.signal, stop: () => void socket.off('close', onClose) };
  }

  /** A single header value; Node joins or drops repeats as RFC 9110 allows for each name. */
  header(name: string): string | undefined {
    const value = this.headers[name];
    return typeof value === 'string' ? value : value?.[0];
  }
}
