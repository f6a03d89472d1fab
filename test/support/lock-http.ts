import { Agent, request } from 'node:http';

/** A lock as the native API shows it. */
export interface LockJson {
  store: string;
  resource: string;
  state: 'held' | 'free';
  owner: string | null;
  fence: string | null;
  grantedAt: string | null;
  expiresAt: string | null;
  ttlMs: number | null;
  renewals: number;
  waiters: number;
  metadata: unknown;
}

export interface LockAnswer<T = LockJson> {
  readonly status: number;
  readonly json: T;
}

/** The native lock API over kept-alive connections, one client for all callers of a spec. */
export class LockHttp {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: Infinity });

  constructor(
    private readonly port: number,
    private readonly headers: Record<string, string> = {},
    private readonly store = 'lockstore',
  ) {}

  acquire(
    resource: string,
    owner: string,
    ttlMs: number,
    more: { waitMs?: number; metadata?: object; idempotencyKey?: string; signal?: AbortSignal } = {},
  ): Promise<LockAnswer> {
    const { waitMs = 0, metadata, idempotencyKey, signal } = more;
    const headers: Record<string, string> = idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey };
    return this.send('PUT', this.path(resource), { owner, ttlMs, waitMs, metadata }, headers, signal);
  }

  renew(resource: string, claim: { owner?: string; fence?: string }, ttlMs: number): Promise<LockAnswer> {
    return this.send('PATCH', this.path(resource), { ...claim, ttlMs });
  }

  /** Releases by owner. */
  release(resource: string, owner: string): Promise<LockAnswer> {
    return this.send('DELETE', `${this.path(resource)}?owner=${encodeURIComponent(owner)}`);
  }

  find(resource: string): Promise<LockAnswer> {
    return this.send('GET', this.path(resource));
  }

  path(resource: string): string {
    return `/api/v1/lock-stores/${this.store}/locks/${encodeURIComponent(resource)}`;
  }

  close(): void {
    this.agent.destroy();
  }

  /** One request; the body is JSON both ways, and null where the answer has none. */
  send<T = LockJson>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<LockAnswer<T>> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const type =
        text === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
      const outgoing = request(
        {
          port: this.port,
          host: '127.0.0.1',
          method,
          path,
          agent: this.agent,
          headers: { ...this.headers, ...type, ...headers },
          signal,
        },
        (incoming) => {
          let received = '';
          incoming.setEncoding('utf8');
          incoming.on('data', (chunk: string) => (received += chunk));
          incoming.on('end', () =>
            resolve({ status: incoming.statusCode!, json: (received === '' ? null : JSON.parse(received)) as T }),
          );
          incoming.on('error', reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(text);
    });
  }
}
