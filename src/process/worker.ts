import { loadSettings } from '../config/load-settings.js';
import { LockStore, LockStores } from '../lease/lock-stores.js';
import { createLogger } from '../logging/logger.js';
import { loadServe } from './libraries.js';
import { type RunningServer } from './serve.js';
import { type PrimaryMessage, type WorkerAssignment, type WorkerMessage } from './workers.js';

/** A primary that is gone cannot be told anything; node ends this process by itself then. */
const tell = (message: WorkerMessage): void => void process.send?.(message, undefined, undefined, () => undefined);

/** One of several serving processes; the primary hands it secrets and the database, and says when to stop. */
export async function runWorker(): Promise<void> {
  const settings = loadSettings(process.env, process.stderr.isTTY);
  const logger = createLogger(settings.logLevel, settings.logFormat);
  let server: RunningServer | undefined = undefined;
  // A worker that is told to stop while it still starts has nothing to finish.
  const stop = (withNotice: boolean): void =>
    void Promise.resolve(server?.drain({ withNotice })).finally(() => process.exit(0));
  // Ctrl-C and a closing terminal reach the whole group; the primary alone decides what they mean.
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
  process.on('SIGTERM', () => stop(true));
  let announce!: (server: RunningServer) => void;
  const serving = new Promise<RunningServer>((resolve) => (announce = resolve));

  const assignment = await new Promise<WorkerAssignment>((resolve) => {
    process.on('message', (message: PrimaryMessage) => {
      if (message.kind === 'drain') stop(message.withNotice);
      else if (message.kind === 'reload-certificate') void serving.then((running) => running.reloadCertificate());
      else if (message.kind === 'assignment') resolve(message.assignment);
    });
    tell({ kind: 'hello' });
  });
  const { credentials, database } = assignment;
  // A Buffer crosses the process boundary as plain bytes.
  const masterKey = Buffer.from(credentials.masterKey);
  const lockStores = new LockStores(
    assignment.lockStores.map(({ name, type, version, prefix }) => new LockStore(name, type, version, prefix)),
  );
  server = await loadServe().serve(
    { settings, logger, database, credentials: { ...credentials, masterKey }, lockStores },
    assignment,
  );
  announce(server);
  tell({ kind: 'listening' });
}
