import { type NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { Dispatcher } from '../http/dispatcher.js';
import { azureProblem, HMAC_SCHEME } from '../http/azure/azure.openapi.js';
import { version } from '../version.js';

const DESCRIPTION = `
Key-values behind Azure App Configuration's data-plane API. Unmodified official clients need nothing but the connection string that
the service prints; requests by hand are easiest with \`ALLOW_ANONYMOUS_CONFIG=true\` on loopback.`;

/**
 * `/openapi.json`, and `/docs` as the page that shows it. Made from the controllers' decorators at the first request, so that a start
 * costs nothing for it.
 */
export function serveDocumentation(app: NestExpressApplication): void {
  SwaggerModule.setup('docs', app, () => openApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    customSiteTitle: 'Latchkey API',
    // The page talks to this very service; the document has no servers of its own to choose from.
    swaggerOptions: { displayRequestDuration: true, defaultModelsExpandDepth: -1 },
  });
}

/** The document of everything that the dispatcher serves. */
export function openApiDocument(app: NestExpressApplication): OpenAPIObject {
  const base = new DocumentBuilder()
    .setTitle('Latchkey')
    .setVersion(version)
    .setDescription(DESCRIPTION.trim())
    .addTag('Key-values')
    .addTag('Service')
    .addSecurity(HMAC_SCHEME, {
      type: 'apiKey',
      in: 'header',
      name: 'Authorization',
      description: '`HMAC-SHA256 Credential=…&SignedHeaders=…&Signature=…`, as Azure App Configuration signs requests.',
    })
    .build();
  const document = SwaggerModule.createDocument(app, base, { autoTagControllers: false });
  for (const { surface, route } of app.get(Dispatcher).routes()) {
    const path = document.paths[`/${route.pattern.replace(/[*:](\w+)/g, '{$1}')}`];
    const operation = path?.[route.method.toLowerCase() as 'get'];
    if (!path || !operation) continue;
    operation.tags = [surface.name === 'azure' ? 'Key-values' : 'Service'];
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
