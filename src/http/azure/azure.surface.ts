import { type IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { Settings } from '../../config/settings.js';
import { methodNotAllowed, notFound } from '../../problem/catalogue.js';
import { type Problem } from '../../problem/problem.js';
import { type Answer, emptyAnswer } from '../answer.js';
import { StoreRevision } from '../../database/store-revision.js';
import { type Capability, negotiateApiVersion, unsupportedApiVersion } from './api-version.js';
import { type ApiRequest } from '../api-request.js';
import { clientScheme } from '../client-scheme.js';
import { AzureRequest } from './azure-request.js';
import { type Surface } from '../surface.js';
import { syncToken } from './sync-token.js';

/** Header names that browsers' clients may send and read, as the real service lists them (contract section 2.6). */
const HEADER_VOCABULARY =
  'DNT, X-CustomHeader, Keep-Alive, User-Agent, X-Requested-With, If-Modified-Since, Cache-Control, Content-Type, Authorization, ' +
  'x-ms-client-request-id, x-ms-useragent, x-ms-content-sha256, x-ms-date, host, Accept, Accept-Datetime, Date, If-Match, ' +
  'If-None-Match, Sync-Token, x-ms-return-client-request-id, ETag, Last-Modified, Link, Memento-Datetime, retry-after-ms, ' +
  'x-ms-request-id, x-ms-client-session-id, x-ms-effective-locale, WWW-Authenticate, traceparent, tracestate';
const EXPOSED_HEADERS = `${HEADER_VOCABULARY}, Operation-Location, Retry-After`;
const ALLOWED_HEADERS = `${HEADER_VOCABULARY}, x-ms-command-name, Range, Operation-Location`;
const ALLOWED_METHODS = 'GET, HEAD, PUT, POST, DELETE, PATCH, OPTIONS';

/** Resources that older versions do not have; asking for one is an unsupported version, not a 404 (contract section 1). */
const RESOURCES_SINCE: ReadonlyMap<string, Capability> = new Map([
  ['snapshots', 'snapshots'],
  ['operations', 'snapshots'],
]);

type Member = 'type' | 'title' | 'name' | 'detail' | 'status';

/** The members of a problem in the order in which the real service sends them (contract section 8). Wire-stable. */
const MEMBERS: readonly Member[] = ['type', 'title', 'name', 'detail', 'status'];
const MEMBERS_OF: ReadonlyMap<string, readonly Member[]> = new Map([
  ['already-exists', ['type', 'title', 'status', 'detail']],
  ['invalid-state', ['type', 'title', 'status', 'detail']],
]);

/** Refusals of what only this service has; the real one knows no such types. */
const OWN_KINDS: ReadonlySet<string> = new Set(['stale-fence']);

const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** Azure App Configuration's data plane: what every one of its answers carries, and the shape of its errors. */
@Injectable()
export class AzureSurface implements Surface {
  readonly name = 'azure';
  readonly segments = ['kv', 'keys', 'labels', 'locks', 'revisions', 'snapshots', 'operations'];
  /** The item's own limit is on its decoded fields; its JSON may be several times as long (contract section 3). */
  readonly maxBodyBytes = 64 * 1024;
  private readonly allowedOrigins: ReadonlySet<string> | undefined;
  /** The last token sent, which many answers share. */
  private token = '';
  private tokenRevision = -1;

  constructor(
    @Inject(Settings) private readonly settings: Settings,
    private readonly storeRevision: StoreRevision,
  ) {
    this.allowedOrigins = settings.corsOrigins && new Set(settings.corsOrigins);
  }

  createRequest(incoming: IncomingMessage): AzureRequest {
    return new AzureRequest(incoming);
  }

  preflight(): Answer {
    return emptyAnswer(204, [
      'Access-Control-Allow-Methods',
      ALLOWED_METHODS,
      'Access-Control-Allow-Headers',
      ALLOWED_HEADERS,
      'Access-Control-Max-Age',
      '1728000',
    ]);
  }

  /** Contract section 1: version errors are decided during routing, before authentication. */
  routed(request: AzureRequest): void {
    request.apiVersion = negotiateApiVersion(request.query, this.settings.defaultApiVersion, () =>
      this.resourceUri(request),
    );
    const since = RESOURCES_SINCE.get(resourceOf(request));
    if (since && !request.apiVersion.has(since)) {
      throw unsupportedApiVersion(this.resourceUri(request), request.apiVersion.text);
    }
  }

  addHeaders(headers: string[], request: AzureRequest, status: number): void {
    // Contract section 2.4: on every 2xx, 304 and 404 of somebody we know, and on the 409 of a snapshot.
    const hasToken = status < 400 || status === 404 || (status === 409 && resourceOf(request) === 'snapshots');
    if (hasToken && request.principal) {
      headers.push('Sync-Token', this.syncToken());
    }
    headers.push(
      'x-ms-request-id',
      request.id,
      'x-ms-correlation-request-id',
      request.header('x-ms-correlation-request-id') ?? request.id,
    );
    if (request.headers['x-ms-return-client-request-id'] !== undefined) {
      headers.push('x-ms-client-request-id', request.header('x-ms-client-request-id') ?? '');
    }
    if (request.isEncrypted) headers.push('Strict-Transport-Security', 'max-age=15724800; includeSubDomains');
    if (this.allowedOrigins) {
      headers.push('Vary', 'Origin');
      const origin = request.header('origin');
      if (origin === undefined || !this.allowedOrigins.has(origin)) return;
      headers.push('Access-Control-Allow-Origin', origin);
    } else headers.push('Access-Control-Allow-Origin', '*');
    headers.push('Access-Control-Allow-Credentials', 'true', 'Access-Control-Expose-Headers', EXPOSED_HEADERS);
  }

  private syncToken(): string {
    const revision = this.storeRevision.current;
    if (revision !== this.tokenRevision) {
      this.tokenRevision = revision;
      this.token = syncToken(revision);
    }
    return this.token;
  }

  render(problem: Problem): Answer {
    const headers = problem.headers.flat();
    if (!problem.hasBody) return emptyAnswer(problem.status, headers);
    const values: Record<Member, unknown> = {
      type: `${OWN_KINDS.has(problem.kind) ? 'urn:latchkey:problem:' : 'https://azconfig.io/errors/'}${problem.kind}`,
      title: problem.title,
      name: problem.parameter,
      detail: problem.detail,
      status: problem.status,
    };
    const members = (MEMBERS_OF.get(problem.kind) ?? MEMBERS).map((member) => [member, values[member]] as const);
    return {
      status: problem.status,
      headers: ['Content-Type', PROBLEM_TYPE, ...headers],
      // JSON leaves out the members that are undefined.
      body: JSON.stringify({ ...Object.fromEntries(members), ...problem.members }),
    };
  }

  /** Contract section 2.1: a write to anything below a read-only collection is a wrong verb; anything else unknown is 404. */
  unmatched(request: AzureRequest): Problem {
    return request.method === 'GET' || request.method === 'HEAD' ? notFound() : methodNotAllowed(['GET', 'HEAD']);
  }

  /** Absolute URI of the resource without its query, as the version errors quote it. */
  private resourceUri(request: AzureRequest): string {
    return `${publicOrigin(request, this.settings)}${request.path}`;
  }
}

/** First segment of the route's path: the kind of resource that was asked for. */
function resourceOf({ route }: AzureRequest): string {
  if (!route) return '';
  const slash = route.pattern.indexOf('/');
  return slash < 0 ? route.pattern : route.pattern.slice(0, slash);
}

/** Scheme and authority that the client used, for absolute URLs in answers; `PUBLIC_URL` wins over what the request says. */
export function publicOrigin(request: ApiRequest, settings: Settings): string {
  if (settings.publicUrl) return settings.publicUrl.replace(/\/+$/, '');
  return `${clientScheme(request, settings) ?? 'https'}://${request.header('host') ?? ''}`;
}
