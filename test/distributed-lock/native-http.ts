import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { type LockJson } from '../support/lock-http';
import { type TestApp } from '../support/start-app';

export interface NativeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body as it came. */
  readonly text: string;
  /** The body as JSON; undefined when there is none. */
  json: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- specs look into whatever came
}

export interface NativeOptions {
  /** Text and bytes are sent as they are, anything else as JSON. */
  readonly body?: unknown;
  /** `application/json` where there is a body; null leaves the header out. */
  readonly type?: string | null;
  readonly headers?: Record<string, string | string[]>;
  readonly signal?: AbortSignal;
}

/** `/api/v1/lock-stores` with every header and byte under the control of the spec. */
export class NativeHttp {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: Infinity });

  constructor(
    readonly port: number,
    readonly store = 'lockstore',
    private readonly headers: Record<string, string> = {},
  ) {}

  /** The same service seen by somebody else. */
  as(name: string, password: string): NativeHttp {
    const authorization = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
    return new NativeHttp(this.port, this.store, { authorization });
  }

  in(store: string): NativeHttp {
    return new NativeHttp(this.port, store, this.headers);
  }

  path(resource: string, more = ''): string {
    return `/api/v1/lock-stores/${encodeURIComponent(this.store)}/locks/${encodeURIComponent(resource)}${more}`;
  }

  put(resource: string, body: unknown, options: NativeOptions = {}): Promise<NativeAnswer> {
    return this.send('PUT', this.path(resource), { ...options, body });
  }

  patch(resource: string, body: unknown, options: NativeOptions = {}): Promise<NativeAnswer> {
    return this.send('PATCH', this.path(resource), { ...options, body });
  }

  /** @param query with its question mark */
  delete(resource: string, query = '', fence?: string): Promise<NativeAnswer> {
    const headers: Record<string, string> = fence === undefined ? {} : { 'Lock-Fence': fence };
    return this.send('DELETE', this.path(resource, query), { headers });
  }

  get(resource: string): Promise<NativeAnswer> {
    return this.send('GET', this.path(resource));
  }

  check(resource: string, body: unknown, options: NativeOptions = {}): Promise<NativeAnswer> {
    return this.send('POST', this.path(resource, '/check'), { ...options, body });
  }

  list(query = ''): Promise<NativeAnswer> {
    return this.send('GET', `/api/v1/lock-stores/${encodeURIComponent(this.store)}/locks${query}`);
  }

  /** Takes a free lock. @returns the lock */
  async grant(resource: string, owner: string, more: object = {}): Promise<LockJson> {
    const { status, json, text } = await this.put(resource, { owner, ttlMs: 60_000, ...more });
    if (status !== 201) throw new Error(`${owner} got ${status} ${text}`);
    return json as LockJson;
  }

  send(method: string, path: string, options: NativeOptions = {}): Promise<NativeAnswer> {
    const { body, type = 'application/json', signal } = options;
    const bytes = body === undefined ? undefined : toBytes(body);
    const own: Record<string, string> =
      bytes === undefined
        ? {}
        : { 'content-length': String(bytes.length), ...(type === null ? {} : { 'content-type': type }) };
    const headers = { ...this.headers, ...own, ...options.headers };
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { method, path, host: '127.0.0.1', port: this.port, agent: this.agent, headers, signal },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.on('error', reject);
          incoming.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            const json: unknown = text === '' ? undefined : JSON.parse(text);
            resolve({ status: incoming.statusCode!, headers: incoming.headers, text, json });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(bytes);
    });
  }
}

/** Ends a lease as its time would: by the database's clock. */
export async function expire(app: TestApp, resource: string, store = 'lock||latchkey||'): Promise<void> {
  const rows = await app.sql(
    `UPDATE lease SET expires_at = clock_timestamp() - interval '1 ms'
      WHERE key_digest = sha256(convert_to($1, 'UTF8')) RETURNING 1`,
    [store + resource],
  );
  if (rows.length !== 1) throw new Error(`nobody ever locked ${resource}`);
}

/** A refusal in the shape of RFC 9457 and nothing of the inside. */
export function expectProblem(answer: NativeAnswer, status: number, kind: string, parameter?: string): void {
  expect([answer.status, answer.json?.type, answer.json?.parameter]).toEqual([
    status,
    `urn:latchkey:problem:${kind}`,
    parameter,
  ]);
  expect(answer.json.status).toBe(status);
  expect(answer.json.title).toMatch(/^[A-Z]/);
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
}

function toBytes(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}
