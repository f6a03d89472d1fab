import { type Logger } from 'pino';
import { type Settings } from '../config/settings.js';
import { onStopWish } from '../signals/stop-wish.js';
import { CommandError } from './command-error.js';
import { openDatabase, type OpenDatabase } from './open-database.js';
import { OwnServer } from './own-server.js';
import { EXIT } from './run-program.js';

/**
 * Works on the database. Ctrl-C, or a closed terminal, leaves nothing half: the work loses its connection, fails of that and clears up
 * after itself, and a server started here is stopped. Work that is done by then stays done, and is no failure.
 *
 * @param mayMake as for `openDatabase`
 * @param say tells the person at the terminal
 * @throws CommandError also when interrupted
 */
export async function withDatabase<T>(
  settings: Settings,
  mayMake: boolean,
  logger: Logger,
  say: (line: string) => void,
  work: (database: OpenDatabase) => Promise<T>,
): Promise<T> {
  const interruption = new AbortController();
  const interrupted = interruption.signal;
  const server = new OwnServer(logger, interrupted);
  const unlisten = onStopWish(
    () => interruption.abort(),
    () => {
      say('interrupted again; nothing was changed unless it said so');
      void server.stop({ atOnce: true }).finally(() => process.exit(EXIT.interrupted));
    },
    'with-hangup',
  );
  try {
    const opening = openDatabase(settings, mayMake, logger, server, interrupted);
    return await workOn(await unlessAborted(opening, interrupted), work, interrupted);
  } catch (error) {
    const isUnknown = error instanceof CommandError && error.kind === 'unknown';
    if (!interrupted.aborted || isUnknown) throw error;
    throw new CommandError('interrupted', 'interrupted; nothing was changed', { cause: error });
  } finally {
    await server.stop();
    // The same wish may still be on its way a second time.
    if (!interrupted.aborted) unlisten();
  }
}

async function workOn<T>(
  database: OpenDatabase,
  work: (database: OpenDatabase) => Promise<T>,
  interrupted: AbortSignal,
): Promise<T> {
  const cut = (): void => void database.cut();
  interrupted.addEventListener('abort', cut);
  try {
    interrupted.throwIfAborted();
    return await work(database);
  } finally {
    interrupted.removeEventListener('abort', cut);
    await database.close();
  }
}

/** Does not wait for a server that cannot be reached, or for others that migrate. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    promise.then(resolve, reject);
  });
}
