import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Call {
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  readonly json: Record<string, unknown>;
  /** `performance.now()` when the call had come in. */
  readonly at: number;
  /** Whether the caller went away without an answer. */
  isGivenUp: boolean;
}

export interface Reply {
  readonly status: number;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What becomes of a call: an answer, none ever (`hang`), or a cut connection. A promise answers late. */
export type Outcome = Reply | 'hang' | 'cut' | Promise<Reply>;

export const FENCE = '9007199254740993';

/** The lock as every grant shows it. */
export const LOCK = {
  store: 'lockstore',
  resource: 'deploy',
  state: 'held',
  owner: 'somebody',
  fence: FENCE,
  grantedAt: '2026-01-02T03:04:05.000006Z',
  expiresAt: '2026-01-02T03:04:35.000006Z',
  ttlMs: 30_000,
  renewals: 0,
  waiters: 2,
  metadata: null,
};

export const problem = (status: number, name: string, members: object = {}, headers = {}): Reply => ({
  status,
  headers: { 'content-type': 'application/problem+json', ...headers },
  json: { type: `urn:latchkey:problem:${name}`, title: `Title of ${name}`, status, ...members },
});

export const GRANTED: Reply = { status: 201, json: LOCK };
export const RENEWED: Reply = { status: 200, json: LOCK };
export const RELEASED: Reply = { status: 204 };
export const HELD = problem(409, 'lock-held', { lock: LOCK });
export const LOST = problem(409, 'lock-lost');

/** Answers as native-api.md section 1 has it, or as a test wants it; remembers every call. */
export class FakeLockService {
  readonly calls: Call[] = [];
  private readonly planned = new Map<string, Outcome[]>();
  private readonly usual = new Map<string, () => Outcome>();
  private readonly server = createServer((request, response) => void this.handle(request, response));

  static async start(): Promise<FakeLockService> {
    const service = new FakeLockService();
    service.server.listen(0, '127.0.0.1');
    await once(service.server, 'listening');
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** What the next calls with this method get; after that, the usual. */
  plan(method: string, ...outcomes: Outcome[]): void {
    this.planned.set(method, outcomes);
  }

  /** What every further call with this method gets. */
  always(method: string, outcome: () => Outcome): void {
    this.usual.set(method, outcome);
  }

  reset(): void {
    this.calls.length = 0;
    this.planned.clear();
    this.usual.clear();
    this.always('PUT', () => GRANTED);
    this.always('PATCH', () => RENEWED);
    this.always('DELETE', () => RELEASED);
    this.always('GET', () => RENEWED);
  }

  /** Methods in the order in which they came. */
  get methods(): string[] {
    return this.calls.map(({ method }) => method);
  }

  callsOf(method: string): Call[] {
    return this.calls.filter((call) => call.method === method);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: target = '', headers } = request;
    const body = await text(request);
    const json = body === '' ? {} : (JSON.parse(body) as Record<string, unknown>);
    const call: Call = { method, target, headers, json, at: performance.now(), isGivenUp: false };
    response.once('close', () => (call.isGivenUp = !response.writableFinished));
    this.calls.push(call);
    const outcome = await (this.planned.get(method)?.shift() ?? this.usual.get(method)!());
    if (outcome === 'hang') return;
    if (outcome === 'cut') return void request.socket.destroy();
    response.writeHead(outcome.status, { 'content-type': 'application/json', ...outcome.headers });
    response.end(outcome.json === undefined ? undefined : JSON.stringify(outcome.json));
  }
}
