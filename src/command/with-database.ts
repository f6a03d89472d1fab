import { type Logger } from 'pino';
import { type Settings } from '../config/settings.js';
import { openDatabase, type OpenDatabase } from './open-database.js';

const INTERRUPTED = 130;

/**
 * Ctrl-C leaves nothing half: the transaction ends with the connection, and a database started here is stopped.
 *
 * @param mayMake as for `openDatabase`
 * @param say tells the person at the terminal
 */
export async function withDatabase<T>(
  settings: Settings,
  mayMake: boolean,
  logger: Logger,
  say: (line: string) => void,
  work: (database: OpenDatabase) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(settings, mayMake, logger);
  const interrupt = (): void => {
    say('interrupted; nothing was changed unless it said so');
    void database.abort().finally(() => process.exit(INTERRUPTED));
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    return await work(database);
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
    await database.close();
  }
}
