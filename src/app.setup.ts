import { type NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { type AppContext, AppModule } from './app.module.js';
import { readCertificate } from './http/certificate.js';
import { Dispatcher } from './http/dispatcher.js';
import { SurfaceExpressAdapter } from './http/surface-express.adapter.js';
import { NestLogger } from './logging/logger.js';
import { serveDocumentation } from './openapi/serve-documentation.js';
import { ProblemFilter } from './problem/problem.filter.js';

/** Builds the application, ready to listen: what the service and the tests both run. */
export async function createApp(context: AppContext): Promise<NestExpressApplication> {
  const { settings, logger } = context;
  const adapter = new SurfaceExpressAdapter();
  const options: NestApplicationOptions = {
    // The dispatcher reads bodies itself: signatures are over the raw bytes.
    bodyParser: false,
    logger: new NestLogger(logger),
    abortOnError: false,
    forceCloseConnections: false,
  };
  if (settings.hasTls) options.httpsOptions = { ...readCertificate(settings) };
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(context), adapter, options);
  // What express adds by itself costs more than a query and is nowhere in a contract.
  app.disable('x-powered-by');
  app.disable('etag');
  app.useGlobalFilters(app.get(ProblemFilter));
  serveDocumentation(app);
  await app.init();
  adapter.useDispatcher(app.get(Dispatcher));
  return app;
}
