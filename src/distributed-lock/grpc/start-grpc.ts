import { type INestApplication } from '@nestjs/common';
import { type AppContext } from '../../app.module.js';
import { FailedLogins } from '../../auth/failed-logins.js';
import { readCertificate } from '../../http/certificate.js';
import { AccessLog } from '../../logging/access-log.js';
import { Metrics } from '../../metrics/metrics.js';
import type * as Transport from './grpc-transport.js';

/** Loaded at first use: a service without gRPC starts without the 50 ms that its libraries take. */
export function loadGrpc(): typeof Transport {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- `import()` would be another module system, which Jest lacks
  return require('./grpc-transport.js') as typeof Transport;
}

/** Serves the application's gRPC methods; closing the application ends that. Rejects when the port cannot be had. */
export async function startGrpc(
  app: INestApplication,
  { settings }: AppContext,
  port: number,
): Promise<Transport.GrpcTransport> {
  const { GrpcTransport } = loadGrpc();
  const transport = new GrpcTransport({
    host: settings.host,
    port,
    certificate: settings.hasTls ? readCertificate(settings) : undefined,
    token: settings.daprApiToken,
    accessLog: app.get(AccessLog),
    metrics: app.get(Metrics),
    failedLogins: app.get(FailedLogins),
  });
  await app.connectMicroservice({ strategy: transport }).listen();
  return transport;
}
