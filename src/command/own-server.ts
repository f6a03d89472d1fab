import { type Logger } from 'pino';
import { createDataDirectory, type DatabaseAddress, EmbeddedPostgres } from '../database/embedded/embedded-postgres.js';

/** Of an embedded database that only this program uses. */
const CONNECTIONS = 5;

/** The embedded server that a command runs when nobody else does, as far as its start has come. */
export class OwnServer {
  private starting: Promise<EmbeddedPostgres> | undefined;

  /** @param stopping aborted, it starts nothing any more */
  constructor(
    private readonly logger: Logger,
    private readonly stopping: AbortSignal,
  ) {}

  async start(dataDir: string): Promise<DatabaseAddress> {
    await createDataDirectory(dataDir);
    this.stopping.throwIfAborted();
    this.starting = EmbeddedPostgres.start({
      dataDir,
      stopping: this.stopping,
      maxConnections: CONNECTIONS,
      log: {
        info: () => undefined,
        warn: (message, fields) => this.logger.warn(fields ?? {}, message),
        error: (message, fields) => this.logger.error(fields ?? {}, message),
      },
    });
    return (await this.starting).address;
  }

  /** Does nothing when it was not started. */
  async stop(options?: { atOnce: boolean }): Promise<void> {
    // A start that fails clears up after itself.
    const embedded = await this.starting?.catch(() => undefined);
    await embedded?.stop(options);
  }
}
