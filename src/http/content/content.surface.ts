import { type IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { Settings } from '../../config/settings.js';
import { type Problem } from '../../problem/problem.js';
import { type Answer, emptyAnswer } from '../answer.js';
import { type CrossOriginVocabulary, ListedOrigins } from '../listed-origins.js';
import { type Location, type Surface } from '../surface.js';
import { splitContentPath } from './content-path.js';
import { renderContentProblem } from './content-problem.js';
import { ContentRequest } from './content-request.js';

const CROSS_ORIGIN: CrossOriginVocabulary = {
  methods: 'GET, HEAD, POST, PATCH, DELETE',
  requestHeaders:
    'Accept, Authorization, Content-Type, If-Match, If-None-Match, Lock-Token, Prefer, X-Plone-Unlock, X-Requested-With',
  responseHeaders: 'ETag, Location, Preference-Applied, Retry-After, WWW-Authenticate, x-request-id',
};

/**
 * The content tree: every path that no other surface claims, the site root included, and everything behind `/++api++`. A path names an
 * object by its ids and, from the first segment that begins with `@`, a view of it; routes are looked up by the view alone.
 */
@Injectable()
export class ContentSurface implements Surface {
  readonly name = 'content';
  readonly segments = ['++api++'];
  readonly maxBodyBytes = 1024 * 1024;
  /** Undefined while no origins are listed: then every origin may read and write, with credentials of its own. */
  private readonly origins: ListedOrigins | undefined;

  constructor(@Inject(Settings) private readonly settings: Settings) {
    this.origins = settings.corsOrigins ? new ListedOrigins(settings.corsOrigins, CROSS_ORIGIN) : undefined;
  }

  createRequest(incoming: IncomingMessage): ContentRequest {
    return new ContentRequest(incoming, this.settings);
  }

  preflight(request: ContentRequest): Answer | null {
    if (this.origins) return this.origins.preflight(request);
    return emptyAnswer(204, [
      'Access-Control-Allow-Methods',
      CROSS_ORIGIN.methods,
      'Access-Control-Allow-Headers',
      CROSS_ORIGIN.requestHeaders,
    ]);
  }

  locate(path: string): Location {
    const { view, rest } = splitContentPath(path);
    return { segment: view, rest };
  }

  /** A path that cannot be decoded is refused before anything asks who calls. */
  routed(request: ContentRequest): void {
    void request.objectPath;
  }

  addHeaders(headers: string[], request: ContentRequest): void {
    headers.push('x-request-id', request.id);
    if (this.origins) return this.origins.addHeaders(headers, request);
    headers.push('Access-Control-Allow-Origin', '*', 'Access-Control-Expose-Headers', CROSS_ORIGIN.responseHeaders);
  }

  render(problem: Problem, request: ContentRequest): Answer {
    return renderContentProblem(problem, request);
  }
}
