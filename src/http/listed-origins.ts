import { type Answer, emptyAnswer } from './answer.js';
import { type ApiRequest } from './api-request.js';

/** What a surface lets browsers' scripts send and read; each a list as the header has it. */
export interface CrossOriginVocabulary {
  readonly methods: string;
  readonly requestHeaders: string;
  readonly responseHeaders: string;
}

/**
 * CORS of the surfaces that allow no other origin until `CORS_ORIGINS` lists some (docs/security.md). An origin
 * that is listed is echoed; the answers to all others, and to requests without one, are as if nobody had heard of CORS.
 */
export class ListedOrigins {
  private readonly origins: ReadonlySet<string>;

  /** @param origins `CORS_ORIGINS`, undefined when unset */
  constructor(
    origins: readonly string[] | undefined,
    private readonly vocabulary: CrossOriginVocabulary,
  ) {
    this.origins = new Set(origins);
  }

  /** Answer to OPTIONS; null for an origin that is not listed, for which OPTIONS is a method like any other. */
  preflight(request: ApiRequest): Answer | null {
    if (!this.isListed(request)) return null;
    return emptyAnswer(204, [
      'Access-Control-Allow-Methods',
      this.vocabulary.methods,
      'Access-Control-Allow-Headers',
      this.vocabulary.requestHeaders,
    ]);
  }

  addHeaders(headers: string[], request: ApiRequest): void {
    if (this.origins.size === 0) return;
    headers.push('Vary', 'Origin');
    if (!this.isListed(request)) return;
    headers.push(
      'Access-Control-Allow-Origin',
      request.header('origin')!,
      'Access-Control-Expose-Headers',
      this.vocabulary.responseHeaders,
    );
  }

  private isListed(request: ApiRequest): boolean {
    return this.origins.has(request.header('origin') ?? '');
  }
}
