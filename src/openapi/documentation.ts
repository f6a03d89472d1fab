import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { type NestExpressApplication } from '@nestjs/platform-express';

/** `/openapi.json`, and `/docs` as the page that shows it. Made from the controllers' decorators at the first request. */
export function serveDocumentation(app: NestExpressApplication): void {
  const description = new DocumentBuilder().setTitle('Latchkey').setVersion('0.1.0').build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, description), {
    jsonDocumentUrl: 'openapi.json',
    customSiteTitle: 'Latchkey API',
  });
}
