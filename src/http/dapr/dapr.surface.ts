import { type IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { FailedLogins } from '../../auth/failed-logins.js';
import { DAPR_PRINCIPAL } from '../../auth/principal.js';
import { SharedSecret } from '../../auth/shared-secret.js';
import { Settings } from '../../config/settings.js';
import { type Problem } from '../../problem/problem.js';
import { type Answer } from '../answer.js';
import { ListedOrigins } from '../listed-origins.js';
import { type Location, type Surface } from '../surface.js';
import { bodyTooLarge, DaprProblem, DaprTextProblem, directInvoke, invalidApiToken } from './dapr-problem.js';
import { daprJsonAnswer } from './dapr-json.js';
import { DaprRequest } from './dapr-request.js';

const CROSS_ORIGIN = {
  methods: 'GET, POST, PUT',
  requestHeaders: 'Content-Type, dapr-api-token, traceparent, tracestate',
  responseHeaders: 'Retry-After',
};

/** Answered without a token, to GET alone (contract section 5). */
const OPEN_PATHS = new Set(['/v1.0/healthz', '/v1.0/healthz/outbound']);

/**
 * Dapr's API over HTTP: the lock calls, health and metadata, byte for byte as an unmodified client of Dapr knows them. Content types of
 * requests are ignored, and answers carry no header that Dapr's do not, but those of CORS and `Retry-After`.
 */
@Injectable()
export class DaprSurface implements Surface {
  readonly name = 'dapr';
  readonly segments = ['v1.0', 'v1.0-alpha1', 'v1.0-alpha'];
  /** Dapr's default, 4 MiB. */
  readonly maxBodyBytes = 4 * 1024 * 1024;
  private readonly origins: ListedOrigins;
  private readonly token: SharedSecret | undefined;

  constructor(
    @Inject(Settings) { corsOrigins, daprApiToken }: Settings,
    private readonly failedLogins: FailedLogins,
  ) {
    this.origins = new ListedOrigins(corsOrigins, CROSS_ORIGIN);
    this.token = daprApiToken === undefined ? undefined : new SharedSecret(daprApiToken);
  }

  createRequest(incoming: IncomingMessage): DaprRequest {
    return new DaprRequest(incoming);
  }

  /** Contract section 5: CORS comes before the token. */
  preflight(request: DaprRequest): Answer | null {
    return this.origins.preflight(request);
  }

  /** Contract section 5: the token is looked at before routing, so an unknown path without it is a 401 as well. */
  admit(request: DaprRequest): void {
    if (!this.hasToken(request) && !isOpen(request)) {
      if (request.headers['dapr-api-token'] !== undefined) {
        this.failedLogins.record(request, { surface: 'lock', credentials: 'dapr-api-token' });
      }
      throw invalidApiToken();
    }
    request.principal = DAPR_PRINCIPAL;
    // The dispatcher would serve HEAD wherever GET is; in Dapr it is a wrong method.
    if (request.method === 'HEAD') throw directInvoke();
  }

  /** Contract section 1: slashes collapse, and one at the end is dropped. */
  locate(path: string): Location {
    const [, segment = '', rest] = /^\/([^/]*)(?:\/(.*))?$/s.exec(cleanPath(path))!;
    return { segment, rest };
  }

  /** Contract section 1: a bad escape is refused before the body is read. */
  routed(request: DaprRequest): void {
    for (const name of Object.keys(request.params)) request.pathParameter(name);
  }

  unmatched(): Problem {
    return directInvoke();
  }

  addHeaders(headers: string[], request: DaprRequest): void {
    this.origins.addHeaders(headers, request);
  }

  render(problem: Problem): Answer {
    if (problem instanceof DaprTextProblem) {
      return {
        status: problem.status,
        headers: ['Content-Type', 'text/plain; charset=utf-8', 'X-Content-Type-Options', 'nosniff'],
        body: `${problem.title}\n`,
      };
    }
    const { errorCode, status, title, headers } = asDaprProblem(problem);
    return daprJsonAnswer(status, { errorCode, message: title }, headers.flat());
  }

  private hasToken(request: DaprRequest): boolean {
    return this.token === undefined || this.token.equals(request.header('dapr-api-token') ?? '');
  }
}

const isOpen = (request: DaprRequest): boolean => request.method === 'GET' && OPEN_PATHS.has(cleanPath(request.path));

/** The path as it is routed; begins with one slash. */
function cleanPath(path: string): string {
  const collapsed = path.replace(/\/{2,}/g, '/');
  const rooted = collapsed.startsWith('/') ? collapsed : `/${collapsed}`;
  return rooted.length > 1 && rooted.endsWith('/') ? rooted.slice(0, -1) : rooted;
}

/** Problems that all surfaces share, in Dapr's words where it has some; for the others the code follows from the kind's name. */
function asDaprProblem(problem: Problem): DaprProblem {
  if (problem instanceof DaprProblem) return problem;
  switch (problem.kind) {
    case 'payload-too-large':
      return bodyTooLarge();
    case 'not-found':
    case 'method-not-allowed':
      return directInvoke();
    default: {
      const { kind, status, title, headers } = problem;
      return new DaprProblem(`ERR_${kind.replaceAll('-', '_').toUpperCase()}`, status, title, { headers });
    }
  }
}
