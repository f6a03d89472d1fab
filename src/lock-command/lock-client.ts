import { formatDuration } from './duration.js';

/** A lock as `/api/v1/lock-stores` shows it, as far as the command looks at it. Times are ISO 8601, fences decimal text. */
export interface Lock {
  readonly resource: string;
  readonly state: string;
  readonly owner: string | null;
  readonly fence: string | null;
  readonly grantedAt: string | null;
  readonly expiresAt: string | null;
  readonly waiters: number;
}

/** Whatever the service answered. */
export interface ServiceAnswer {
  readonly status: number;
  /** The members of the JSON object in the body; none when it is something else. */
  readonly json: Readonly<Record<string, unknown>>;
  /** What `Retry-After` asks for; null when it says nothing that is understood. */
  readonly retryAfterMs: number | null;
}

/** No answer came, so what became of the request is not known. */
export class NoAnswer extends Error {}

export interface CallOptions {
  readonly timeoutMs: number;
  /** Gives the call up at once; it then throws `NoAnswer` too, and the caller looks at its own signal. */
  readonly signal?: AbortSignal;
}

/** Speaks HTTP to one lock store of one service. One method per call of the API, no rules. */
export class LockClient {
  private readonly storeUrl: string;

  /**
   * @param baseUrl without a slash at the end
   * @param credentials header that says who calls; empty for nobody
   */
  constructor(
    private readonly baseUrl: string,
    readonly store: string,
    private readonly credentials: Readonly<Record<string, string>>,
  ) {
    this.storeUrl = `${baseUrl}/api/v1/lock-stores/${encodeURIComponent(store)}/locks`;
  }

  /** The same key asks for the same grant again, so that a call without an answer can be repeated. */
  acquire(
    resource: string,
    body: { owner: string; ttlMs: number; waitMs: number; metadata: Readonly<Record<string, string>> },
    idempotencyKey: string,
    options: CallOptions,
  ): Promise<ServiceAnswer> {
    return this.call('PUT', this.urlOf(resource), options, body, { 'idempotency-key': idempotencyKey });
  }

  renew(
    resource: string,
    body: { owner: string; fence: string; ttlMs: number },
    options: CallOptions,
  ): Promise<ServiceAnswer> {
    return this.call('PATCH', this.urlOf(resource), options, body);
  }

  release(resource: string, fence: string, options: CallOptions): Promise<ServiceAnswer> {
    return this.call('DELETE', this.urlOf(resource), options, undefined, { 'lock-fence': fence });
  }

  force(resource: string, reason: string, options: CallOptions): Promise<ServiceAnswer> {
    const query = new URLSearchParams({ force: 'true', reason });
    return this.call('DELETE', `${this.urlOf(resource)}?${query.toString()}`, options);
  }

  find(resource: string, options: CallOptions): Promise<ServiceAnswer> {
    return this.call('GET', this.urlOf(resource), options);
  }

  /** @param after the `next` of the page before, null for the first */
  list(prefix: string, after: string | null, options: CallOptions): Promise<ServiceAnswer> {
    const query = new URLSearchParams({ state: 'held', prefix, ...(after === null ? {} : { after }) });
    return this.call('GET', `${this.storeUrl}?${query.toString()}`, options);
  }

  private urlOf(resource: string): string {
    return `${this.storeUrl}/${encodeURIComponent(resource)}`;
  }

  /** @throws NoAnswer when none came whole, in time */
  private async call(
    method: string,
    url: string,
    { timeoutMs, signal }: CallOptions,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ServiceAnswer> {
    const timeLimit = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(url, {
        method,
        headers: {
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...this.credentials,
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // Credentials go to the service that was named, and to nobody it points to.
        redirect: 'manual',
        signal: signal === undefined ? timeLimit : AbortSignal.any([timeLimit, signal]),
      });
      return {
        status: response.status,
        json: objectFrom(await response.text()),
        retryAfterMs: retryAfterOf(response.headers.get('retry-after')),
      };
    } catch (error) {
      const why = timeLimit.aborted ? `nothing within ${formatDuration(timeoutMs)}` : reasonOf(error);
      throw new NoAnswer(`${this.baseUrl} does not answer: ${why}`);
    }
  }
}

/** What a person should read about an answer that is not the hoped-for one. */
export function describeAnswer({ status, json }: ServiceAnswer): string {
  const said = [json['detail'], json['title']].find((text) => typeof text === 'string' && text !== '');
  return typeof said === 'string' ? `${said} (${status})` : `status ${status}`;
}

/** The `<name>` of `urn:latchkey:problem:<name>`. */
export function problemOf({ json: { type } }: ServiceAnswer): string | undefined {
  return typeof type === 'string' ? /^urn:latchkey:problem:(.+)$/.exec(type)?.[1] : undefined;
}

function objectFrom(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** RFC 9110 §10.2.3. Its other form, a date, would need a wall clock that agrees with the service's. */
function retryAfterOf(text: string | null): number | null {
  return text !== null && /^\d{1,6}$/.test(text) ? Number(text) * 1000 : null;
}

/** `fetch failed` says nothing; what lies beneath does. Several addresses of one host are several errors of one. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  const errors = cause instanceof AggregateError ? (cause.errors as unknown[]) : [cause];
  const texts = errors.filter((each) => each instanceof Error).map((each) => each.message);
  return texts.join(', ') || message;
}
