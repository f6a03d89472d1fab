import { type IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { Settings } from '../../config/settings.js';
import { type Problem } from '../../problem/problem.js';
import { type Answer, emptyAnswer } from '../answer.js';
import { ApiRequest } from '../api-request.js';
import { type Surface } from '../surface.js';
import { renderProblemJson } from './problem-json.js';

const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const ALLOWED_HEADERS =
  'Authorization, Content-Type, If-Match, If-None-Match, Lock-Fence, Idempotency-Key, dapr-api-token';
const EXPOSED_HEADERS = 'ETag, Location, Retry-After, x-request-id';

/** Our own addresses: `/api/v1`, health, documentation. Errors are RFC 9457 with a body always. */
@Injectable()
export class NativeSurface implements Surface {
  readonly name = 'native';
  readonly segments = ['api', 'console', 'docs', 'openapi.json', 'healthz', 'readyz', 'metrics'];
  /** The pages come from the documentation library, which is built on express. */
  readonly coldSegments = ['docs', 'openapi.json'];
  readonly maxBodyBytes = 1024 * 1024;
  private readonly allowedOrigins: ReadonlySet<string>;

  constructor(@Inject(Settings) settings: Settings) {
    this.allowedOrigins = new Set(settings.corsOrigins);
  }

  createRequest(incoming: IncomingMessage): ApiRequest {
    return new ApiRequest(incoming);
  }

  /** Off until origins are listed (docs/architecture.md, decision on CORS): without one an OPTIONS request is any other request. */
  preflight(request: ApiRequest): Answer | null {
    if (!this.isAllowedOrigin(request)) return null;
    return emptyAnswer(204, [
      'Access-Control-Allow-Methods',
      ALLOWED_METHODS,
      'Access-Control-Allow-Headers',
      ALLOWED_HEADERS,
    ]);
  }

  addHeaders(headers: string[], request: ApiRequest): void {
    headers.push('x-request-id', request.id);
    if (this.allowedOrigins.size === 0) return;
    headers.push('Vary', 'Origin');
    if (!this.isAllowedOrigin(request)) return;
    headers.push(
      'Access-Control-Allow-Origin',
      request.header('origin')!,
      'Access-Control-Expose-Headers',
      EXPOSED_HEADERS,
    );
  }

  render(problem: Problem): Answer {
    return renderProblemJson(problem);
  }

  private isAllowedOrigin(request: ApiRequest): boolean {
    return this.allowedOrigins.has(request.header('origin') ?? '');
  }
}
