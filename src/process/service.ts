import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { type Logger } from 'pino';
import { banner } from '../config/banner.js';
import { CREDENTIALS_FILE, loadDevelopmentCredentials } from '../config/development-credentials.js';
import { loadSettings } from '../config/load-settings.js';
import { type Settings } from '../config/settings.js';
import { createDataDirectory, EmbeddedPostgres } from '../database/embedded/embedded-postgres.js';
import { migrate } from '../database/migrate.js';
import { createLogger } from '../logging/logger.js';
import { version } from '../version.js';
import { serve } from './serve.js';
import { Workers } from './workers.js';

/** Connections kept free beside the pools: migrations, the ownership of the embedded database, an operator's psql. */
const SPARE_CONNECTIONS = 20;

/** Runs the whole service in this process and, with `WORKERS`, in others that it starts. Resolves once it serves. */
export async function startService(program: string): Promise<void> {
  const settings = loadSettings(process.env, process.stderr.isTTY);
  const logger = createLogger(settings.logLevel, settings.logFormat);
  const dataDir = resolve(settings.dataDir);
  await createDataDirectory(dataDir);
  const credentials = loadDevelopmentCredentials(settings, dataDir);
  const workerCount = settings.workers === 'auto' ? availableParallelism() : settings.workers;

  const embedded =
    settings.databaseUrl === undefined ? await startEmbedded(settings, dataDir, workerCount, logger) : null;
  const database = embedded?.address ?? settings.databaseUrl!;
  const stopDatabase = async (): Promise<void> => embedded?.stop();
  try {
    await migrate(database, settings.migrateOnStart, logger);
    const workers =
      workerCount > 1
        ? new Workers(workerCount, { credentials, database, port: settings.port }, logger, program)
        : null;
    const server = workers ? null : await serve({ settings, credentials, logger, database });
    const port = workers ? await workers.start() : server!.port;

    stopOnSignals(async (withNotice) => {
      await workers?.drain(withNotice);
      await server?.drain({ withNotice });
      await stopDatabase();
    }, logger);
    process.stdout.write(
      banner({
        version,
        host: settings.host,
        port,
        grpcPort: 'off',
        hasTls: settings.hasTls,
        publicUrl: settings.publicUrl,
        accessKey: credentials.accessKey,
        users: credentials.users,
        credentialsFile: join(dataDir, CREDENTIALS_FILE),
        dataDir: embedded?.location ?? dataDir,
        databaseUrl: settings.databaseUrl,
        isTerminal: process.stdout.isTTY,
      }),
    );
    logger.info({ host: settings.host, port, workers: workerCount, tls: settings.hasTls }, 'serving');
  } catch (error) {
    await stopDatabase();
    throw error;
  }
}

function startEmbedded(
  settings: Settings,
  dataDir: string,
  workerCount: number,
  logger: Logger,
): Promise<EmbeddedPostgres> {
  return EmbeddedPostgres.start({
    dataDir,
    maxConnections: settings.dbPoolMax * workerCount + SPARE_CONNECTIONS,
    log: {
      info: (message, fields) => logger.info(fields ?? {}, message),
      warn: (message, fields) => logger.warn(fields ?? {}, message),
      error: (message, fields) => logger.error(fields ?? {}, message),
    },
  });
}

/** SIGTERM lets a load balancer take notice first; Ctrl-C does not wait for one. A second signal ends at once. */
function stopOnSignals(stop: (withNotice: boolean) => Promise<void>, logger: Logger): void {
  let isStopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(130);
    isStopping = true;
    stop(signal === 'SIGTERM').then(
      () => process.exit(0),
      (error: unknown) => {
        logger.fatal({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
