import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { Client } from 'pg';
import { type Logger, pino } from 'pino';
import { type AppContext } from '../../src/app.module';
import { createApp } from '../../src/app.setup';
import { type Credentials } from '../../src/config/credentials';
import { loadSettings } from '../../src/config/load-settings';
import { type DatabaseAddress } from '../../src/database/connection';
import { loadLockStores } from '../../src/lease/load-lock-stores';
import { startGrpc } from '../../src/distributed-lock/grpc/start-grpc';
import { RetentionService } from '../../src/retention/retention.service';
import { AzureHttp } from './azure-http';

/** Access keys of every test application. */
export const READ_WRITE_KEY = {
  id: 'test-rw',
  secret: Buffer.from('read-write secret of the tests').toString('base64'),
};
export const READ_ONLY_KEY = { id: 'test-ro', secret: Buffer.from('read-only secret of the tests').toString('base64') };

export interface TestApp {
  readonly app: NestExpressApplication;
  readonly port: number;
  /** 0 unless the settings have a `GRPC_PORT`; `'0'` picks a free one. */
  readonly grpcPort: number;
  /** Signed requests with the read-write key. */
  readonly azure: AzureHttp;
  /** Signed requests with the read-only key. */
  readonly azureReader: AzureHttp;
  /** For SDK clients; its endpoint is https when the settings name a certificate, and `azure` above then speaks to nobody. */
  readonly connectionString: string;
  /** Runs SQL on the spec file's own database. */
  sql<T = Record<string, unknown>>(text: string, values?: unknown[]): Promise<T[]>;
  close(): Promise<void>;
}

let databaseCount = 0;

/**
 * The whole application on a database of its own, listening on a free port of the loopback.
 *
 * @param env settings beside the test's own; names as in docs/settings.md
 * @param shared database of another `TestApp`, to run two processes' worth of application on one database
 * @param credentials in place of the test's own
 * @param logger in place of one that says nothing, for specs that read the log
 */
export async function startApp(
  env: Record<string, string> = {},
  shared?: TestApp,
  credentials: Partial<Credentials> = {},
  logger: Logger = pino({ level: process.env['LATCHKEY_TEST_LOG'] ?? 'silent' }),
): Promise<TestApp> {
  const template = JSON.parse(process.env['LATCHKEY_TEST_DATABASE']!) as DatabaseAddress;
  const database = shared ? databaseOf.get(shared)! : await copyTemplate(template);
  const settings = loadSettings(
    {
      PORT: '0',
      GRPC_PORT: 'off',
      ACCESS_KEYS: `${READ_WRITE_KEY.id}:${READ_WRITE_KEY.secret}:rw,${READ_ONLY_KEY.id}:${READ_ONLY_KEY.secret}:ro`,
      ...env,
    },
    false,
  );
  const context: AppContext = {
    settings,
    credentials: {
      masterKey: Buffer.alloc(32, 7),
      jwtSecret: 'a secret of at least 32 characters for tests',
      ...credentials,
    },
    logger,
    database,
    lockStores: loadLockStores(settings, env).stores,
  };
  const app = await createApp(context);
  // A minute after the start it would purge by itself, into whatever a slow test is doing then. Specs of it call it.
  clearTimeout(app.get<RetentionService, { timer: NodeJS.Timeout }>(RetentionService, { strict: false }).timer);
  const grpc = settings.grpcPort === 'off' ? undefined : await startGrpc(app, context, settings.grpcPort);
  const http = app.getHttpServer().listen(settings.port, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  const sqlClient = new Client(database);
  await sqlClient.connect();

  const testApp: TestApp = {
    app,
    port,
    grpcPort: grpc?.port ?? 0,
    azure: new AzureHttp(port, READ_WRITE_KEY),
    azureReader: new AzureHttp(port, READ_ONLY_KEY),
    connectionString: `Endpoint=${settings.hasTls ? 'https' : 'http'}://127.0.0.1:${port};Id=${READ_WRITE_KEY.id};Secret=${READ_WRITE_KEY.secret}`,
    sql: async <T>(text: string, values?: unknown[]) => (await sqlClient.query(text, values)).rows as T[],
    close: async () => {
      http.closeAllConnections();
      await app.close();
      await sqlClient.end();
    },
  };
  databaseOf.set(testApp, database);
  return testApp;
}

const databaseOf = new WeakMap<TestApp, DatabaseAddress>();

/** The template is copied while nobody is connected to it; copies of different spec files take turns inside PostgreSQL. */
async function copyTemplate(template: DatabaseAddress): Promise<DatabaseAddress> {
  const database = `spec_${process.pid}_${process.env['JEST_WORKER_ID']}_${Date.now()}_${++databaseCount}`;
  const admin = new Client({ ...template, database: 'postgres' });
  await admin.connect();
  try {
    await admin.query(`CREATE DATABASE ${database} TEMPLATE ${template.database}`);
  } finally {
    await admin.end();
  }
  return { ...template, database };
}
