import { once } from 'node:events';
import { type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { setTimeout as pause } from 'node:timers/promises';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { type AppContext } from '../app.module.js';
import { createApp } from '../app.setup.js';
import { Readiness } from '../health/readiness.js';
import { leafOf, readCertificate } from '../http/certificate.js';
import { Dispatcher } from '../http/dispatcher.js';

/** How long a load balancer gets to see "not ready" before connections are refused, in milliseconds (reliability §4.9). */
const NOTICE_MS = 2000;
/** Milliseconds between two looks for connections that fell idle while draining. */
const IDLE_CHECK_MS = 50;

/** A process that answers requests. */
export interface RunningServer {
  /** The port it listens on, also where 0 was asked for. */
  readonly port: number;
  /**
   * Stops serving without losing a request: not ready at once, no new connections after `noticeMs`, then every request under way is
   * finished, at most for the grace time.
   */
  drain(options?: { withNotice?: boolean }): Promise<void>;
  /** Reads the TLS files again, for connections from now on; without TLS nothing happens. Never fails: a bad file changes nothing. */
  reloadCertificate(): void;
}

/** @param port overrides the setting, for workers that share a port chosen by the first of them */
export async function serve(context: AppContext, port = context.settings.port): Promise<RunningServer> {
  const app = await createApp(context);
  const server = app.getHttpServer();
  server.listen(port, context.settings.host);
  await once(server, 'listening');
  let drained: Promise<void> | undefined;
  return {
    port: (server.address() as AddressInfo).port,
    drain: ({ withNotice = true } = {}) => (drained ??= drain(app, server, context, withNotice ? NOTICE_MS : 0)),
    reloadCertificate: () => reloadCertificate(server, context),
  };
}

function reloadCertificate(server: Server, { settings, logger }: AppContext): void {
  if (!(server instanceof TlsServer)) return;
  try {
    const certificate = readCertificate(settings);
    server.setSecureContext(certificate);
    const { fingerprint256: fingerprint, validTo } = leafOf(certificate);
    logger.info({ fingerprint, validTo }, 'certificate reloaded');
  } catch (error) {
    logger.error({ err: error }, 'the certificate was not reloaded; the one in use stays');
  }
}

async function drain(
  app: NestExpressApplication,
  server: Server,
  { settings, logger }: AppContext,
  noticeMs: number,
): Promise<void> {
  const graceMs = settings.shutdownGraceSeconds * 1000;
  logger.info('draining');
  app.get(Readiness).drain();
  app.get(Dispatcher).drain();
  await pause(Math.min(noticeMs, graceMs));
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // Kept-alive connections end as soon as nothing runs on them.
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
  server.closeIdleConnections();
  const isClosed = await Promise.race([closed.then(() => true), pause(graceMs, false, { ref: false })]);
  clearInterval(sweep);
  if (!isClosed) {
    logger.warn({ graceSeconds: settings.shutdownGraceSeconds }, 'requests were cut off at the end of the grace time');
    server.closeAllConnections();
  }
  await app.close();
}
