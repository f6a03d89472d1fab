import { once } from 'node:events';
import { type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { setTimeout as pause } from 'node:timers/promises';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { type AppContext } from '../app.module.js';
import { createApp } from '../app.setup.js';
import { type GrpcTransport } from '../distributed-lock/grpc/grpc-transport.js';
import { startGrpc } from '../distributed-lock/grpc/start-grpc.js';
import { Readiness } from '../health/readiness.js';
import { leafOf, readCertificate } from '../http/certificate.js';
import { Dispatcher } from '../http/dispatcher.js';
import { WaitingLine } from '../lease/waiting-line.js';
import { keepHeapSmall } from './heap.js';

/** How long a load balancer gets to see "not ready" before connections are refused, in milliseconds (reliability §4.9). */
const NOTICE_MS = 2000;
/** Milliseconds between two looks for connections that fell idle while draining. */
const IDLE_CHECK_MS = 50;

/** A process that answers requests. */
export interface RunningServer {
  /** The port it listens on, also where 0 was asked for. */
  readonly port: number;
  /** The same for gRPC. */
  readonly grpcPort: number | 'off';
  /**
   * Stops serving without losing a request: not ready at once, no new connections after `noticeMs`, then every request under way is
   * finished, at most for the grace time.
   */
  drain(options?: { withNotice?: boolean }): Promise<void>;
  /** Reads the TLS files again, for connections from now on; without TLS nothing happens. Never fails: a bad file changes nothing. */
  reloadCertificate(): void;
}

/** The ports to listen on; 0 picks a free one. */
export interface Ports {
  readonly port: number;
  readonly grpcPort: number | 'off';
}

/** @param ports override the settings, for workers that share what was chosen for all of them */
export async function serve(context: AppContext, ports: Ports = context.settings): Promise<RunningServer> {
  keepHeapSmall();
  const app = await createApp(context);
  // First, because "ready" is asked for over HTTP.
  const grpc = ports.grpcPort === 'off' ? undefined : await startGrpc(app, context, ports.grpcPort).catch(namePort);
  const server = app.getHttpServer();
  server.listen(ports.port, context.settings.host);
  await once(server, 'listening');
  let drained: Promise<void> | undefined;
  return {
    port: (server.address() as AddressInfo).port,
    grpcPort: grpc?.port ?? 'off',
    drain: ({ withNotice = true } = {}) => (drained ??= drain(app, server, grpc, context, withNotice ? NOTICE_MS : 0)),
    reloadCertificate: () => reloadCertificate(server, grpc, context),
  };
}

/** A port that cannot be had is reported by the setting that chose it; without a word it is taken for PORT. */
function namePort(error: unknown): never {
  throw Object.assign(error as Error, { setting: 'GRPC_PORT' });
}

function reloadCertificate(server: Server, grpc: GrpcTransport | undefined, { settings, logger }: AppContext): void {
  if (!(server instanceof TlsServer)) return;
  try {
    const certificate = readCertificate(settings);
    server.setSecureContext(certificate);
    grpc?.useCertificate(certificate);
    const { fingerprint256: fingerprint, validTo } = leafOf(certificate);
    logger.info({ fingerprint, validTo }, 'certificate reloaded');
  } catch (error) {
    logger.error({ err: error }, 'the certificate was not reloaded; the one in use stays');
  }
}

async function drain(
  app: NestExpressApplication,
  server: Server,
  grpc: GrpcTransport | undefined,
  { settings, logger }: AppContext,
  noticeMs: number,
): Promise<void> {
  const graceMs = settings.shutdownGraceSeconds * 1000;
  logger.info('draining');
  app.get(Readiness).drain();
  app.get(Dispatcher).drain();
  app.get(WaitingLine, { strict: false }).drain();
  await pause(Math.min(noticeMs, graceMs));
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // Kept-alive connections end as soon as nothing runs on them.
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
  server.closeIdleConnections();
  const [isClosed, isGrpcClosed] = await Promise.all([
    Promise.race([closed.then(() => true), pause(graceMs, false, { ref: false })]),
    grpc?.drain(graceMs) ?? true,
  ]);
  clearInterval(sweep);
  if (!isClosed || !isGrpcClosed) {
    logger.warn({ graceSeconds: settings.shutdownGraceSeconds }, 'requests were cut off at the end of the grace time');
    server.closeAllConnections();
  }
  await app.close();
}
