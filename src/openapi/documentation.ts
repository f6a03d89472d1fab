import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { type RequestHandler } from 'express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { Dispatcher } from '../http/dispatcher.js';
import { azureProblem, HMAC_SCHEME } from '../http/azure/azure.openapi.js';
import { BASIC_SCHEME, BEARER_SCHEME, describedContentPath, PATH_PARAMETER } from '../http/content/content.openapi.js';
import { DAPR_TOKEN_SCHEME, INVALID_API_TOKEN } from '../http/dapr/dapr.openapi.js';
import { version } from '../version.js';
import { decorateDescribedMethods } from './swagger-decorators.js';

const DESCRIPTION = `
Key-values behind Azure App Configuration's data-plane API. Unmodified official clients need nothing but the connection string that
the service prints; requests by hand are easiest with \`ALLOW_ANONYMOUS_CONFIG=true\` on loopback.`;

/** Under which heading the routes of a surface stand; those of all others under `Service`. */
const TAGS: Readonly<Record<string, string>> = { azure: 'Key-values', dapr: 'Dapr', content: 'Content' };

/** Nothing of its own: it only carries the pages. */
class PagesModule {}

/**
 * `/openapi.json`, and `/docs` as the page that shows it, made from the controllers' decorators at the first request for the document.
 * An application of their own, because pages cannot be added to one that runs already.
 */
export async function documentationPages(app: NestExpressApplication): Promise<RequestHandler> {
  const pages = await NestFactory.create<NestExpressApplication>(PagesModule, new ExpressAdapter(), { logger: false });
  pages.disable('x-powered-by');
  pages.disable('etag');
  SwaggerModule.setup('docs', pages, () => openApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    customSiteTitle: 'Latchkey API',
    // The page talks to this very service; the document has no servers of its own to choose from.
    swaggerOptions: { displayRequestDuration: true, defaultModelsExpandDepth: -1 },
  });
  return pages.getHttpAdapter().getInstance() as RequestHandler;
}

/** The document of everything that the dispatcher serves. */
export function openApiDocument(app: NestExpressApplication): OpenAPIObject {
  decorateDescribedMethods();
  const base = new DocumentBuilder()
    .setTitle('Latchkey')
    .setVersion(version)
    .setDescription(DESCRIPTION.trim())
    .addTag('Key-values')
    .addTag('Dapr')
    .addTag('Content')
    .addTag('Service')
    .addSecurity(HMAC_SCHEME, {
      type: 'apiKey',
      in: 'header',
      name: 'Authorization',
      description: '`HMAC-SHA256 Credential=…&SignedHeaders=…&Signature=…`, as Azure App Configuration signs requests.',
    })
    .addSecurity(DAPR_TOKEN_SCHEME, {
      type: 'apiKey',
      in: 'header',
      name: 'dapr-api-token',
      description: 'What `DAPR_API_TOKEN` says; nothing where it is unset.',
    })
    .addBasicAuth(undefined, BASIC_SCHEME)
    .addBearerAuth(undefined, BEARER_SCHEME)
    .build();
  const document = SwaggerModule.createDocument(app, base, { autoTagControllers: false });
  for (const { surface, route } of app.get(Dispatcher).routes()) {
    if (surface.name === 'content') moveContentPath(document, route.pattern);
    const path = document.paths[describedPath(surface.name, route.pattern)];
    const operation = path?.[route.method.toLowerCase() as 'get'];
    if (!path || !operation) continue;
    operation.tags = [TAGS[surface.name] ?? 'Service'];
    if (surface.name === 'dapr' && !route.pattern.startsWith('v1.0/healthz')) {
      operation.security = [{ [DAPR_TOKEN_SCHEME]: [] }];
      operation.responses[401] = INVALID_API_TOKEN;
    }
    // An empty member is nobody at all.
    if (surface.name === 'content' && route.access !== 'login' && route.access !== 'nothing') {
      operation.security = [...(route.access === 'view' ? [{}] : []), { [BASIC_SCHEME]: [] }, { [BEARER_SCHEME]: [] }];
    }
    if (surface.name === 'azure') {
      operation.security = [{ [HMAC_SCHEME]: [] }];
      Object.assign(operation.responses, {
        400: azureProblem('The request is not what the contract allows.'),
        401: { description: 'Missing or wrong credentials.' },
        ...(route.access === 'write' ? { 403: { description: 'The access key is read-only.' } } : {}),
      });
      // The dispatcher answers HEAD with whatever answers GET.
      if (route.method === 'GET') {
        path.head = {
          ...operation,
          operationId: `${operation.operationId}Head`,
          summary: `${operation.summary} (headers only)`,
        };
      }
    }
  }
  return document;
}

/** Path of a route as the document shows it. */
export const describedPath = (surfaceName: string, pattern: string): string =>
  surfaceName === 'content' ? describedContentPath(pattern) : `/${pattern.replace(/[*:](\w+)/g, '{$1}')}`;

/** Routes of the content tree are declared without the object's path, which stands before them in an address. */
function moveContentPath(document: OpenAPIObject, pattern: string): void {
  const declared = `/${pattern.replace(/[*:](\w+)/g, '{$1}')}`;
  const item = document.paths[declared];
  if (!item) return;
  delete document.paths[declared];
  // Every one of them has the object's path before it, whether its description says so or not.
  for (const method of ['get', 'post', 'patch', 'delete'] as const) {
    const operation = item[method];
    if (!operation) continue;
    const others = (operation.parameters ?? []).filter((one) => !('name' in one && one.name === PATH_PARAMETER.name));
    operation.parameters = [PATH_PARAMETER, ...others];
  }
  document.paths[describedContentPath(pattern)] = item;
}
