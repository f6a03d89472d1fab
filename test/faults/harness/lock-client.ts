import { type GrantOperation, nanoseconds } from './history';
import { HttpConnection, type Reply } from './http-connection';
import { isOutcomeUnknown } from './key-value-client';
import { type Target } from './target';

const pathOf = (resource: string): string => `/api/v1/lock-stores/lockstore/locks/${encodeURIComponent(resource)}`;

export interface AcquireOptions {
  readonly ttlMs: number;
  readonly waitMs?: number;
  readonly idempotencyKey?: string;
}

/** `held`: somebody else has it. `refused`: 503 or 429, nothing was done. */
export type Acquired =
  { readonly kind: 'granted'; readonly grant: GrantOperation } | { readonly kind: 'held' | 'refused' | 'unknown' };

/** A caller of the native lock API with a connection to each replica; writes down each grant that it is told of. */
export class LockClient {
  private readonly connections = new Map<Target, HttpConnection>();

  constructor(
    readonly client: number,
    private readonly record: (grant: GrantOperation) => void,
  ) {}

  get owner(): string {
    return `client-${this.client}`;
  }

  async acquire(replica: Target, resource: string, options: AcquireOptions): Promise<Acquired> {
    const { ttlMs, waitMs = 0, idempotencyKey } = options;
    const body = JSON.stringify({ owner: this.owner, ttlMs, waitMs });
    const calledAt = nanoseconds();
    const headers = idempotencyKey === undefined ? undefined : { 'idempotency-key': idempotencyKey };
    const reply = await this.send(replica, 'PUT', pathOf(resource), body, waitMs, headers);
    const returnedAt = nanoseconds();
    const kind = kindOf(reply, 201);
    if (kind === 'done' && reply.kind === 'answer') {
      const lock = JSON.parse(reply.text) as { fence: string; grantedAt: string; expiresAt: string };
      const grant: GrantOperation = {
        client: this.client,
        replica: replica.name,
        op: 'acquire',
        key: resource,
        call_ns: calledAt,
        ret_ns: returnedAt,
        fence: lock.fence,
        grantedAt: lock.grantedAt,
        expiresAt: lock.expiresAt,
        released_ns: null,
        isReleased: false,
      };
      this.record(grant);
      return { kind: 'granted', grant };
    }
    return { kind: kind === 'conflict' ? 'held' : kind === 'done' ? 'unknown' : kind };
  }

  /** @returns whether it was still held; null when that is unknown */
  async release(replica: Target, grant: GrantOperation): Promise<boolean | null> {
    grant.released_ns = nanoseconds();
    const target = `${pathOf(grant.key)}?owner=${encodeURIComponent(this.owner)}`;
    const reply = await this.send(replica, 'DELETE', target, '', 0, { 'lock-fence': grant.fence });
    if (reply.kind === 'answer' && (reply.status === 404 || reply.status === 409)) return false;
    const kind = kindOf(reply, 204);
    if (kind === 'done') grant.isReleased = true;
    return kind === 'done' ? true : null;
  }

  close(): void {
    for (const connection of this.connections.values()) connection.close();
    this.connections.clear();
  }

  private send(
    replica: Target,
    method: string,
    target: string,
    body: string,
    waitMs: number,
    more: Record<string, string> = {},
  ): Promise<Reply> {
    let connection = this.connections.get(replica);
    if (!connection) {
      connection = new HttpConnection(replica.port);
      this.connections.set(replica, connection);
    }
    const headers = body === '' ? more : { 'content-type': 'application/json', ...more };
    return connection.send(method, target, { body, headers, timeoutMs: waitMs + 30_000 });
  }
}

/** What an answer says; one that the contract does not allow is an error of the run. */
function kindOf(reply: Reply, success: number): 'done' | 'conflict' | 'refused' | 'unknown' {
  if (reply.kind !== 'answer') return reply.kind === 'not-sent' ? 'refused' : 'unknown';
  if (reply.status === success) return 'done';
  if (reply.status === 409) return 'conflict';
  if (reply.status === 503) return isOutcomeUnknown(reply.text) ? 'unknown' : 'refused';
  if (reply.status === 429 || reply.status === 507) return 'refused';
  throw new Error(`lock: ${reply.status} ${reply.text}`);
}
