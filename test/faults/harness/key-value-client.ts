import { type KeyValueOperation, nanoseconds } from './history';
import { HttpConnection, type Reply } from './http-connection';
import { type Target } from './target';

const API_VERSION = 'api-version=2023-11-01';

/** What a client knows of a key: the value and the entity tag that came with it. */
export interface Known {
  readonly value: string;
  readonly etag: string;
}

/** A caller of the configuration API that keeps a connection to each replica and writes down all that it does. */
export class KeyValueClient {
  private readonly connections = new Map<Target, HttpConnection>();

  constructor(
    private readonly client: number,
    private readonly record: (operation: KeyValueOperation) => void,
    private readonly headers: Record<string, string> = {},
  ) {}

  get(replica: Target, key: string): Promise<KeyValueOperation> {
    return this.run(replica, 'get', key, {});
  }

  put(replica: Target, key: string, value: string): Promise<KeyValueOperation> {
    return this.run(replica, 'put', key, { value });
  }

  cas(replica: Target, key: string, known: Known, value: string): Promise<KeyValueOperation> {
    return this.run(replica, 'cas', key, { value, expected: known.value, ifMatch: known.etag });
  }

  create(replica: Target, key: string, value: string): Promise<KeyValueOperation> {
    return this.run(replica, 'create', key, { value });
  }

  delete(replica: Target, key: string): Promise<KeyValueOperation> {
    return this.run(replica, 'delete', key, {});
  }

  close(): void {
    for (const connection of this.connections.values()) connection.close();
    this.connections.clear();
  }

  private async run(
    replica: Target,
    op: KeyValueOperation['op'],
    key: string,
    args: KeyValueOperation['args'],
  ): Promise<KeyValueOperation> {
    const connection = this.connectionTo(replica);
    const method = op === 'get' ? 'GET' : op === 'delete' ? 'DELETE' : 'PUT';
    const headers: Record<string, string> = { ...this.headers };
    if (method === 'PUT') headers['content-type'] = 'application/vnd.microsoft.appconfig.kv+json';
    if (op === 'cas') headers['if-match'] = `"${args.ifMatch}"`;
    if (op === 'create') headers['if-none-match'] = '*';
    const body = method === 'PUT' ? JSON.stringify({ value: args.value }) : '';
    const calledAt = nanoseconds();
    const reply = await connection.send(method, `/kv/${encodeURIComponent(key)}?${API_VERSION}`, { headers, body });
    const common = {
      client: this.client,
      replica: replica.name,
      op,
      key,
      args,
      call_ns: calledAt,
      ret_ns: nanoseconds(),
    };
    const operation: KeyValueOperation = { ...common, ...judge(op, reply) };
    this.record(operation);
    return operation;
  }

  private connectionTo(replica: Target): HttpConnection {
    let connection = this.connections.get(replica);
    if (!connection) {
      connection = new HttpConnection(replica.port);
      this.connections.set(replica, connection);
    }
    return connection;
  }
}

type Judgement = Pick<KeyValueOperation, 'outcome' | 'isDone' | 'value' | 'etag'>;

const NOTHING_DONE: Judgement = { outcome: 'fail', isDone: false, value: null, etag: null };
const UNKNOWN: Judgement = { outcome: 'unknown', isDone: false, value: null, etag: null };

/** What an answer says. An answer that the contract does not allow is an error of the run, not an outcome. */
function judge(op: KeyValueOperation['op'], reply: Reply): Judgement {
  if (reply.kind !== 'answer') return reply.kind === 'not-sent' ? NOTHING_DONE : UNKNOWN;
  const { status, text, headers } = reply;
  if (status === 503 || status === 507) return isOutcomeUnknown(text) ? UNKNOWN : NOTHING_DONE;
  const ok = { outcome: 'ok', isDone: true } as const;
  const body = (): { value: string; etag: string } => JSON.parse(text) as { value: string; etag: string };
  if (op === 'get' && status === 404) return { ...ok, value: null, etag: null };
  if (op === 'get' && status === 200) return { ...ok, value: body().value, etag: body().etag };
  if (op === 'delete' && status === 204) return { ...ok, value: null, etag: null };
  if (op === 'delete' && status === 200) return { ...ok, value: body().value, etag: null };
  if ((op === 'cas' || op === 'create') && status === 412) return { ...ok, isDone: false, value: null, etag: null };
  if (op !== 'get' && op !== 'delete' && status === 200) return { ...ok, value: null, etag: body().etag };
  throw new Error(`${op}: ${status} ${text} ${JSON.stringify([...headers])}`);
}

/** The one 503 that promises nothing (P13); every other one says that nothing was done. */
export const isOutcomeUnknown = (text: string): boolean => text.includes('outcome-unknown');
