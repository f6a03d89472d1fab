import { Agent, type IncomingHttpHeaders, request } from 'node:http';

export interface ContentAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body as it came. */
  readonly text: string;
  /** The body as JSON; undefined when there is none. */
  json: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- specs look into whatever came
}

export interface ContentOptions {
  /** Text and bytes are sent as they are, anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** People of the specs: what `CMS_USERS` says, with passwords that are all the same. */
export const USERS = 'alice:pw:editor,bob:pw:editor,mia:pw:manager,rita:pw:reader';

export const basic = (name: string, password = 'pw'): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

/** The content tree as one person sees it, over kept-alive connections. */
export class ContentHttp {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: Infinity });

  constructor(
    readonly port: number,
    readonly authorization?: string,
    /** Stands before every path: `/++api++`. */
    private readonly prefix = '',
  ) {}

  as(name: string): ContentHttp {
    return new ContentHttp(this.port, basic(name), this.prefix);
  }

  with(authorization: string | undefined): ContentHttp {
    return new ContentHttp(this.port, authorization, this.prefix);
  }

  behind(prefix: string): ContentHttp {
    return new ContentHttp(this.port, this.authorization, prefix);
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<ContentAnswer> {
    return this.send('GET', path, { headers });
  }

  post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<ContentAnswer> {
    return this.send('POST', path, { body, headers });
  }

  patch(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<ContentAnswer> {
    return this.send('PATCH', path, { body, headers });
  }

  delete(path: string, headers: Record<string, string> = {}): Promise<ContentAnswer> {
    return this.send('DELETE', path, { headers });
  }

  /** Adds an object and expects that it was made. @returns the path of its address */
  async add(folder: string, object: Record<string, unknown>): Promise<string> {
    const { status, text, headers } = await this.post(folder, { '@type': 'Document', ...object });
    if (status !== 201) throw new Error(`POST ${folder} got ${status} ${text}`);
    return new URL(headers.location!).pathname;
  }

  send(method: string, path: string, { body, headers = {} }: ContentOptions = {}): Promise<ContentAnswer> {
    const bytes = body === undefined ? undefined : toBytes(body);
    const own: Record<string, string> = this.authorization === undefined ? {} : { authorization: this.authorization };
    if (bytes !== undefined) Object.assign(own, { 'content-type': 'application/json', 'content-length': bytes.length });
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          method,
          path: this.prefix + path,
          host: '127.0.0.1',
          port: this.port,
          agent: this.agent,
          headers: { ...own, ...headers },
        },
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

function toBytes(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}
