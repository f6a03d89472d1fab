import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { codeOf, EmbeddedPostgresError, reasonOf } from './embedded-postgres.error.js';
import { type DatabaseAddress } from './embedded-postgres.options.js';

/** Advisory locks live in one database each: this one is taken in `postgres`, where the application takes none. */
const OWNERSHIP_DATABASE = 'postgres';

/** Fixed for ever: releases that disagree about it could both own the same database. "lkey" in ASCII, then the first of our locks. */
const OWNERSHIP_LOCK = [0x6c6b6579, 1];

/** A server that hangs must not hang us. */
const CONNECT_TIMEOUT_MS = 5_000;

/** Making the application's database is the longest; a slow disk may need seconds for it. */
const QUERY_TIMEOUT_MS = 30_000;

/** A goodbye that takes longer is to a server that hangs. */
const CLOSE_TIMEOUT_MS = 1_000;

export type OwnershipAttempt =
  | { outcome: 'taken'; ownership: Ownership }
  /** Another process owns it, with this id if it could be told. */
  | { outcome: 'held'; holder: number | null }
  /** The server does not take connections (yet, or any more). */
  | { outcome: 'unavailable'; reason: string };

interface LockRow {
  taken: boolean;
  maxConnections: number;
  fsync: string;
}

/**
 * The claim of one process to be the one that runs an embedded database: a session lock inside that database. It ends with the
 * connection, and so with the process, however that dies; no file could promise this.
 */
export class Ownership {
  /** The connection ended. */
  isLost = false;
  private listener: (() => void) | null = null;

  private constructor(
    private readonly client: Client,
    readonly maxConnections: number,
    readonly isDurable: boolean,
  ) {
    client.on('end', () => {
      this.isLost = true;
      this.listener?.();
    });
  }

  /** Tries once, and does not wait for another owner to let go. */
  static async attempt(address: DatabaseAddress): Promise<OwnershipAttempt> {
    const client = new Client({
      host: address.host,
      port: address.port,
      user: address.user,
      password: address.password,
      database: OWNERSHIP_DATABASE,
      application_name: `latchkey owner ${process.pid}`,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      // Said explicitly, because the environment may hold PGSSLMODE, PGSSLNEGOTIATION and PGOPTIONS meant for other databases.
      ssl: false,
      sslnegotiation: 'postgres',
      options: '-c statement_timeout=0',
    });
    // What breaks an idle connection shows in "end"; without a listener it would be an uncaught error.
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<LockRow>(
        `SELECT pg_try_advisory_lock($1, $2) AS "taken", current_setting('max_connections')::int AS "maxConnections",
           current_setting('fsync') AS "fsync"`,
        OWNERSHIP_LOCK,
      );
      const [row] = rows;
      if (row?.taken) {
        return { outcome: 'taken', ownership: new Ownership(client, row.maxConnections, row.fsync === 'on') };
      }
      const holder = await holderOf(client);
      await close(client);
      // Let go between the two looks: the next attempt may get it.
      if (holder === undefined) return { outcome: 'unavailable', reason: 'its owner has just let go of it' };
      return { outcome: 'held', holder };
    } catch (error) {
      await close(client);
      // Class 28: the password was refused. Waiting does not help.
      if (codeOf(error)?.startsWith('28')) throw error;
      return { outcome: 'unavailable', reason: reasonOf(error) };
    }
  }

  /** Calls back once when the lock is gone, at once if it is already. */
  onLost(listener: () => void): void {
    this.listener = listener;
    if (this.isLost) listener();
  }

  async ensureDatabase(name: string): Promise<void> {
    const found = await this.client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (found.rowCount === 0) await this.client.query(`CREATE DATABASE ${this.client.escapeIdentifier(name)}`);
  }

  async release(): Promise<void> {
    this.listener = null;
    if (!this.isLost) await close(this.client);
  }
}

/** Says goodbye, but does not wait for ever for the answer. */
async function close(client: Client): Promise<void> {
  await Promise.race([client.end().catch(() => undefined), delay(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
}

/** Owners put their process id into the name of their connection; null where it has none, undefined when nobody owns it any more. */
async function holderOf(client: Client): Promise<number | null | undefined> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT activity.application_name AS "name" FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)
     WHERE held.locktype = 'advisory' AND held.granted AND held.classid = $1::bigint::oid AND held.objid = $2::bigint::oid`,
    OWNERSHIP_LOCK,
  );
  const [row] = rows;
  return row && (Number(row.name.split(' ').at(-1)) || null);
}

/** The refusal of a second owner. */
export function inUse(directory: string, holder: number | null): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `The data directory ${directory} is already in use by a running service${holder === null ? '' : ` (process ${holder})`}: ` +
      'stop that one, or set DATA_DIR to another directory',
  );
}
