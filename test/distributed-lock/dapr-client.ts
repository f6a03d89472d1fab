import { Agent, type IncomingHttpHeaders, request } from 'node:http';

export interface DaprAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body as it came. */
  readonly text: string;
}

export interface LockBody {
  readonly resourceId?: unknown;
  readonly lockOwner?: unknown;
  readonly expiryInSeconds?: unknown;
}

/** Sends requests to the Dapr surface exactly as written, without a content type unless one is given. */
export class DaprClient {
  private readonly agent = new Agent({ keepAlive: true });

  constructor(private readonly port: number) {}

  lock(body: LockBody, store = 'lockstore'): Promise<DaprAnswer> {
    return this.send('POST', `/v1.0-alpha1/lock/${store}`, JSON.stringify(body));
  }

  unlock(body: LockBody, store = 'lockstore'): Promise<DaprAnswer> {
    return this.send('POST', `/v1.0-alpha1/unlock/${store}`, JSON.stringify(body));
  }

  send(
    method: string,
    target: string,
    body?: string | Buffer,
    headers: Record<string, string> = {},
  ): Promise<DaprAnswer> {
    return new Promise((resolve, reject) => {
      const options = { method, path: target, host: '127.0.0.1', port: this.port, agent: this.agent, headers };
      const outgoing = request(options, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: incoming.statusCode!, headers: incoming.headers, text });
        });
      });
      outgoing.on('error', reject);
      if (body !== undefined) outgoing.setHeader('content-length', Buffer.byteLength(body));
      outgoing.end(body);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

export const LOCKED = '{"success":true}';
export const NOT_LOCKED = '{"success":false}';
/** Answers of unlock by what came of it (distributed-lock contract section 3). */
export const RELEASED = '{"status":0}';
export const NOT_HELD = '{"status":1}';
export const HELD_BY_OTHER = '{"status":2}';

/** An answer of 200 to the letter. */
export function expectResult(answer: DaprAnswer, body: string): void {
  expect(answer.text).toBe(body);
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toBe('application/json');
}

/** A refusal to the letter; both texts are wire-stable. */
export function expectRefusal(answer: DaprAnswer, status: number, errorCode: string, message: string): void {
  expect(answer.text).toBe(`{"errorCode":"${errorCode}","message":${JSON.stringify(message)}}`);
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toBe('application/json');
}
