import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { type Logger } from 'pino';
import { banner } from '../config/banner.js';
import { CREDENTIALS_FILE, loadDevelopmentCredentials } from '../config/development-credentials.js';
import { loadSettings } from '../config/load-settings.js';
import { type Settings } from '../config/settings.js';
import { createDataDirectory, EmbeddedPostgres } from '../database/embedded/embedded-postgres.js';
import { loadLockStores } from '../lease/load-lock-stores.js';
import { createLogger } from '../logging/logger.js';
import { version } from '../version.js';
import { loadMigrate, loadSeed, loadServe } from './libraries.js';
import { type Ports, type RunningServer } from './serve.js';
import { chooseSharedPort, type WorkerAssignment, Workers } from './workers.js';

/** Connections kept free beside the pools: migrations, the ownership of the embedded database, an operator's psql. */
const SPARE_CONNECTIONS = 20;

/** Runs the whole service in this process and, with `WORKERS`, in others that it starts. Resolves once it serves. */
export async function startService(program: string): Promise<void> {
  const announce = reloadOnSignal();
  const settings = loadSettings(process.env, process.stderr.isTTY);
  const { stores: lockStores, notes } = loadLockStores(settings, process.env);
  const logger = createLogger(settings.logLevel, settings.logFormat);
  for (const { level, text } of notes) logger[level](text);
  const dataDir = resolve(settings.dataDir);
  await createDataDirectory(dataDir);
  const credentials = loadDevelopmentCredentials(settings, dataDir);
  const workerCount = settings.workers === 'auto' ? availableParallelism() : settings.workers;

  const embedded =
    settings.databaseUrl === undefined
      ? await startEmbedded(settings, dataDir, workerCount, logger, () => void loadLibraries(workerCount))
      : null;
  const database = embedded?.address ?? settings.databaseUrl!;
  const stopDatabase = async (): Promise<void> => embedded?.stop();
  try {
    await loadMigrate().prepareDatabase(database, settings, logger);
    if (settings.seedFile !== undefined) await loadSeed().applySeed(settings.seedFile, settings, database, logger);
    const running =
      workerCount > 1
        ? await startWorkers(
            workerCount,
            { credentials, database, lockStores: lockStores.all },
            settings,
            logger,
            program,
          )
        : await loadServe().serve({ settings, credentials, logger, database, lockStores });
    announce(running);
    stopOnSignals(async (withNotice) => {
      await running.drain({ withNotice });
      await stopDatabase();
    }, logger);
    const { port, grpcPort } = running;
    process.stdout.write(
      banner({
        version,
        host: settings.host,
        port,
        grpcPort,
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
    logger.info({ host: settings.host, port, grpcPort, workers: workerCount, tls: settings.hasTls }, 'serving');
  } catch (error) {
    await stopDatabase();
    throw error;
  }
}

async function startWorkers(
  count: number,
  assignment: Omit<WorkerAssignment, keyof Ports>,
  settings: Settings,
  logger: Logger,
  program: string,
): Promise<RunningServer> {
  const { host } = settings;
  // At the same time, so that they are not the same one.
  const [port, grpcPort] = await Promise.all([
    chooseSharedPort(host, settings.port),
    settings.grpcPort === 'off' ? settings.grpcPort : chooseSharedPort(host, settings.grpcPort),
  ]);
  const workers = new Workers(count, { ...assignment, port, grpcPort }, logger, program);
  await workers.start();
  return {
    port,
    grpcPort,
    drain: ({ withNotice = true } = {}) => workers.drain(withNotice),
    reloadCertificate: () => workers.reloadCertificate(),
  };
}

/** Loads what this process will need; a primary with workers serves nothing itself. */
function loadLibraries(workerCount: number): void {
  loadMigrate();
  if (workerCount === 1) loadServe();
}

function startEmbedded(
  settings: Settings,
  dataDir: string,
  workerCount: number,
  logger: Logger,
  meanwhile: () => void,
): Promise<EmbeddedPostgres> {
  return EmbeddedPostgres.start({
    dataDir,
    meanwhile,
    maxConnections: settings.dbPoolMax * workerCount + SPARE_CONNECTIONS,
    log: {
      info: (message, fields) => logger.info(besideOurPid(fields), message),
      warn: (message, fields) => logger.warn(besideOurPid(fields), message),
      error: (message, fields) => logger.error(besideOurPid(fields), message),
    },
  });
}

/** Every line has our own `pid`; a second one of that name would hide it from whoever parses the line. */
function besideOurPid({ pid, ...fields }: { pid?: unknown } = {}): object {
  return pid === undefined ? fields : { ...fields, postgresPid: pid };
}

/**
 * SIGHUP has the TLS files read again. Node's own answer to it is to end, hence also without TLS, and from the first moment on; what
 * comes while the service still starts is made up for once it is announced.
 */
function reloadOnSignal(): (running: RunningServer) => void {
  let announce!: (running: RunningServer) => void;
  const serving = new Promise<RunningServer>((resolve) => (announce = resolve));
  process.on('SIGHUP', () => void serving.then((running) => running.reloadCertificate()));
  return announce;
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
