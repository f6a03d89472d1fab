import { once } from 'node:events';
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
import { SAME_WISH_MS } from '../signals/stop-wish.js';
import { version } from '../version.js';
import { loadMigrate, loadSeed, loadServe } from './libraries.js';
import { type RunningServer } from './serve.js';
import { stopOnSignals } from './stop-signals.js';
import { chooseSharedPorts, WorkerEndedError, Workers } from './workers.js';

/** Connections kept free beside the pools: migrations, the ownership of the embedded database, an operator's psql. */
const SPARE_CONNECTIONS = 20;

/**
 * Runs the whole service in this process and, with `WORKERS`, in others that it starts. Resolves once it serves, or is told to stop
 * before it does.
 */
export async function startService(program: string): Promise<void> {
  const announce = reloadOnSignal();
  const settings = loadSettings(process.env, process.stderr.isTTY);
  const { stores: lockStores, notes } = loadLockStores(settings, process.env);
  const logger = createLogger(settings.logLevel, settings.logFormat);
  for (const { level, text } of notes) logger[level](text);
  const dataDir = resolve(settings.dataDir);
  const workerCount = settings.workers === 'auto' ? availableParallelism() : settings.workers;

  let startingDatabase: Promise<EmbeddedPostgres> | undefined;
  let serving: RunningServer | undefined;
  const stopDatabase = async (options?: { atOnce: boolean }): Promise<void> => {
    // A start that fails clears up after itself.
    const embedded = await startingDatabase?.catch(() => undefined);
    await embedded?.stop(options);
  };
  const stop = async (withNotice: boolean): Promise<void> => {
    await serving?.drain({ withNotice });
    await stopDatabase();
  };
  const stopping = stopOnSignals({ stop, stopAtOnce: () => stopDatabase({ atOnce: true }) }, logger);
  try {
    // A folder for generated secrets alone is made with the first of them.
    if (settings.databaseUrl === undefined) await createDataDirectory(dataDir);
    const credentials = loadDevelopmentCredentials(settings, dataDir);
    if (settings.databaseUrl === undefined) {
      startingDatabase = startEmbedded(settings, dataDir, workerCount, logger, stopping);
    }
    const embedded = await startingDatabase;
    const database = embedded?.address ?? settings.databaseUrl!;
    await loadMigrate().prepareDatabase(database, settings, logger);
    if (settings.seedFile !== undefined) await loadSeed().applySeed(settings.seedFile, settings, database, logger);
    stopping.throwIfAborted();
    if (workerCount > 1) {
      const assignment = { credentials, database, lockStores: lockStores.all, ...(await chooseSharedPorts(settings)) };
      const workers = new Workers(workerCount, assignment, logger, program);
      // Those that listen are drained while others still start.
      serving = workers;
      await workers.start();
    } else {
      serving = await loadServe().serve({ settings, credentials, logger, database, lockStores });
    }
    stopping.throwIfAborted();
    announce(serving);
    const { port, grpcPort } = serving;
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
    // A signal to the whole group may have reached a worker first.
    if (error instanceof WorkerEndedError && !stopping.aborted)
      await once(stopping, 'abort', { signal: AbortSignal.timeout(SAME_WISH_MS) }).catch(() => undefined);
    // What is stopped in the middle of its start fails in one way or another.
    if (stopping.aborted) return;
    await stopDatabase();
    throw error;
  }
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
  stopping: AbortSignal,
): Promise<EmbeddedPostgres> {
  return EmbeddedPostgres.start({
    dataDir,
    stopping,
    meanwhile: () => loadLibraries(workerCount),
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
