import { createHash, createHmac } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';

export interface AzureAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Names and values alternating, as received. */
  rawHeaders: string[];
  text: string;
  /** The body as JSON; undefined when there is none. */
  json: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- specs look into whatever came
}

export interface AzureRequestOptions {
  headers?: Record<string, string>;
  body?: string | Buffer | object;
  /** False sends no credentials at all. */
  signed?: boolean;
  /** Appended as `api-version` unless the target names one; null leaves it out. */
  apiVersion?: string | null;
}

/** Sends requests exactly as written (no path normalisation) and signs them as the official clients do. */
export class AzureHttp {
  private readonly agent = new Agent({ keepAlive: true });

  constructor(
    readonly port: number,
    private readonly key: { id: string; secret: string },
    private readonly defaultVersion = '2023-11-01',
  ) {}

  /** The same credentials with another api-version. */
  withVersion(version: string): AzureHttp {
    return new AzureHttp(this.port, this.key, version);
  }

  get(target: string, options: AzureRequestOptions = {}): Promise<AzureAnswer> {
    return this.send('GET', target, options);
  }

  head(target: string, options: AzureRequestOptions = {}): Promise<AzureAnswer> {
    return this.send('HEAD', target, options);
  }

  /** A body that is not text is sent as JSON of the key-value media type. */
  put(target: string, body: string | Buffer | object, options: AzureRequestOptions = {}): Promise<AzureAnswer> {
    return this.send('PUT', target, { ...options, body });
  }

  delete(target: string, options: AzureRequestOptions = {}): Promise<AzureAnswer> {
    return this.send('DELETE', target, options);
  }

  send(method: string, rawTarget: string, options: AzureRequestOptions = {}): Promise<AzureAnswer> {
    const { headers = {}, signed = true, apiVersion = this.defaultVersion } = options;
    const target =
      apiVersion === null || /[?&]api-version=/i.test(rawTarget)
        ? rawTarget
        : `${rawTarget}${rawTarget.includes('?') ? '&' : '?'}api-version=${apiVersion}`;
    const body = toBytes(options.body);
    const all: Record<string, string> = { host: `127.0.0.1:${this.port}`, ...headers };
    if (body && !Object.keys(all).some((name) => name.toLowerCase() === 'content-type')) {
      all['content-type'] = 'application/vnd.microsoft.appconfig.kv+json';
    }
    if (signed) Object.assign(all, { ...this.sign(method, target, body, all['host']!), ...headers });
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { method, path: target, host: '127.0.0.1', port: this.port, agent: this.agent, headers: all },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.on('error', reject);
          incoming.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            const isJson = /json/.test(incoming.headers['content-type'] ?? '') && text !== '';
            resolve({
              status: incoming.statusCode!,
              headers: incoming.headers,
              rawHeaders: incoming.rawHeaders,
              text,
              json: isJson ? JSON.parse(text) : undefined,
            });
          });
        },
      );
      outgoing.on('error', reject);
      if (body) outgoing.setHeader('content-length', body.length);
      outgoing.end(body);
    });
  }

  /** The headers that sign a request, as contract section 9.2 has them. */
  sign(
    method: string,
    target: string,
    body: Buffer | undefined,
    host: string,
    date = new Date().toUTCString(),
  ): Record<string, string> {
    const hash = createHash('sha256')
      .update(body ?? '')
      .digest('base64');
    const signature = createHmac('sha256', Buffer.from(this.key.secret, 'base64'))
      .update(`${method}\n${target}\n${date};${host};${hash}`)
      .digest('base64');
    return {
      'x-ms-date': date,
      'x-ms-content-sha256': hash,
      authorization: `HMAC-SHA256 Credential=${this.key.id}&SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature}`,
    };
  }
}

function toBytes(body: string | Buffer | object | undefined): Buffer | undefined {
  if (body === undefined) return undefined;
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}
