import { type NestExpressApplication } from '@nestjs/platform-express';
import { type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import type * as Documentation from './documentation.js';

const PAGES = /^\/(docs|openapi\.json)(\/|$)/;

/** Serves `/docs` and `/openapi.json`. Made at their first request: no start waits for what few ever ask for. */
export function serveDocumentation(app: NestExpressApplication): void {
  let pages: Promise<RequestHandler> | undefined;
  app.use((request: Request, response: Response, next: NextFunction) => {
    if (!PAGES.test(request.path)) return next();
    pages ??= loadDocumentation().documentationPages(app);
    pages.then((serve) => serve(request, response, next)).catch(next);
  });
}

function loadDocumentation(): typeof Documentation {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- `import()` would be another module system, which Jest lacks
  return require('./documentation.js') as typeof Documentation;
}
