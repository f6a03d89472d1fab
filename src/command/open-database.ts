import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Client } from 'pg';
import { type DataSource, type QueryRunner } from 'typeorm';
import { type Logger } from 'pino';
import { type Settings } from '../config/settings.js';
import { withoutPassword } from '../config/database-url.js';
import { type DatabaseAddress, dataSourceOptions } from '../database/connection.js';
import { sqlState } from '../database/database-errors.js';
import { EmbeddedPostgresError, findRunningDatabase } from '../database/embedded/embedded-postgres.js';
import { migrate } from '../database/migrate.js';
import { ServiceDataSource } from '../database/service-data-source.js';
import { CommandError } from './command-error.js';
import { type OwnServer } from './own-server.js';

/** How long a database that just starts or stops is waited for, and how often it is looked at, in milliseconds. */
const PATIENCE_MS = 15_000;
const LOOK_MS = 100;
/** Starting up, shutting down, and a database whose first start has not made it yet. */
const NOT_READY = new Set(['57P01', '57P03', '3D000']);

export interface OpenDatabase {
  readonly runner: QueryRunner;
  /** Ends the connection. */
  close(): Promise<void>;
  /** The same in the middle of what it is doing, which fails and is undone by the server. */
  cut(): Promise<void>;
}

/**
 * Connects the command line to the database: that of DATABASE_URL, or the embedded one of DATA_DIR. An embedded database that a service
 * runs is used as a guest; one that nobody runs is started.
 *
 * @param mayMake whether a data directory without a database gets one; otherwise that is an error
 * @param server started where nobody else runs it; stopping it is the caller's matter, also after an error
 * @param interrupted aborted, no other attempt is made
 * @throws CommandError when there is no database to work on
 */
export async function openDatabase(
  settings: Settings,
  mayMake: boolean,
  logger: Logger,
  server: OwnServer,
  interrupted: AbortSignal,
): Promise<OpenDatabase> {
  if (settings.databaseUrl !== undefined) {
    const source = await connect(settings.databaseUrl, settings).catch((cause: unknown) => {
      throw unreachable(withoutPassword(settings.databaseUrl!), cause);
    });
    return ready(source, settings.databaseUrl, settings, logger);
  }
  const dataDir = resolve(settings.dataDir);
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const sighting = await findRunningDatabase(dataDir);
    try {
      if (sighting.kind === 'running') {
        return await ready(await connect(sighting.address, settings), sighting.address, settings, logger);
      }
      if (sighting.kind === 'absent' && !mayMake) {
        throw new CommandError('failure', `DATA_DIR ${dataDir} holds no database, and DATABASE_URL is not set`);
      }
      const address = await server.start(dataDir);
      return await ready(await connect(address, settings), address, settings, logger);
    } catch (error) {
      if (error instanceof CommandError || interrupted.aborted) throw error;
      // A service that starts or stops meanwhile: look again.
      const mayPass = sighting.kind === 'running' ? isNotReady(error) : /already in use/.test((error as Error).message);
      if (!mayPass || performance.now() > deadline) throw unreachable(`in ${dataDir}`, error);
    }
    await pause(LOOK_MS);
  }
}

function isNotReady(error: unknown): boolean {
  const { code } = error as { code?: string };
  return NOT_READY.has(sqlState(error) ?? '') || code === 'ECONNREFUSED' || code === 'ENOENT';
}

const unreachable = (place: string, cause: unknown): CommandError => {
  const { message, code = '' } = cause as Error & { code?: string };
  // An embedded database's own errors are whole sentences that name the place.
  if (cause instanceof EmbeddedPostgresError) return new CommandError('failure', message, { cause });
  return new CommandError('failure', `the database ${place} cannot be reached: ${message || code}`, { cause });
};

async function connect(address: DatabaseAddress | string, settings: Settings): Promise<DataSource> {
  const options = dataSourceOptions(address, { poolMax: 1, pooler: settings.dbPooler });
  // Nothing waits behind a command line, so it can wait longer for a connection than a request.
  const extra = { ...(options as { extra: object }).extra, connectionTimeoutMillis: 10_000 };
  return new ServiceDataSource({ ...options, extra }).initialize();
}

async function ready(
  source: DataSource,
  address: DatabaseAddress | string,
  settings: Settings,
  logger: Logger,
): Promise<OpenDatabase> {
  try {
    await migrate(address, settings, logger);
    const runner = source.createQueryRunner();
    return {
      runner,
      close: async () => {
        await runner.release();
        await source.destroy();
      },
      cut: async () => {
        const client = (await runner.connect()) as Client;
        await client.end();
      },
    };
  } catch (error) {
    await source.destroy();
    throw error;
  }
}
