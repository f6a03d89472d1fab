import { type IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { Settings } from '../../config/settings.js';
import { type Problem } from '../../problem/problem.js';
import { type Answer } from '../answer.js';
import { ApiRequest } from '../api-request.js';
import { ListedOrigins } from '../listed-origins.js';
import { type Surface } from '../surface.js';
import { renderProblemJson } from './problem-json.js';

const CROSS_ORIGIN = {
  methods: 'GET, HEAD, POST, PUT, PATCH, DELETE',
  requestHeaders: 'Authorization, Content-Type, If-Match, If-None-Match, Lock-Fence, Idempotency-Key, dapr-api-token',
  responseHeaders: 'ETag, Location, Retry-After, x-request-id',
};

/** Our own addresses: `/api/v1`, health, documentation. Errors are RFC 9457 with a body always. */
@Injectable()
export class NativeSurface implements Surface {
  readonly name = 'native';
  readonly segments = ['api', 'console', 'docs', 'openapi.json', 'healthz', 'readyz', 'metrics'];
  /** The pages come from the documentation library, which is built on express. */
  readonly coldSegments = ['docs', 'openapi.json'];
  readonly maxBodyBytes = 1024 * 1024;
  private readonly origins: ListedOrigins;

  constructor(@Inject(Settings) settings: Settings) {
    this.origins = new ListedOrigins(settings.corsOrigins, CROSS_ORIGIN);
  }

  createRequest(incoming: IncomingMessage): ApiRequest {
    return new ApiRequest(incoming);
  }

  /** Off until origins are listed (docs/security.md): without one an OPTIONS request is any other request. */
  preflight(request: ApiRequest): Answer | null {
    return this.origins.preflight(request);
  }

  addHeaders(headers: string[], request: ApiRequest): void {
    headers.push('x-request-id', request.id);
    this.origins.addHeaders(headers, request);
  }

  render(problem: Problem): Answer {
    return renderProblemJson(problem);
  }
}
