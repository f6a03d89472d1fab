import { setTimeout as delay } from 'node:timers/promises';
import { findBinaries, prepareBinaries } from './binaries.js';
import { createCluster, hasUsableCluster } from './cluster.js';
import { chooseDataLocation, requireWritable, type DataLocation } from './data-location.js';
import { EmbeddedPostgresError, codeOf, reasonOf } from './embedded-postgres.error.js';
import {
  type DatabaseAddress,
  type EmbeddedPostgresLog,
  type EmbeddedPostgresOptions,
} from './embedded-postgres.options.js';
import { chooseEndpoint, type Endpoint } from './endpoint.js';
import { inUse, Ownership, type OwnershipAttempt } from './ownership.js';
import { agreedPassword } from './password.js';
import { findPostmaster } from './postmaster-file.js';
import { Postmaster, type PostmasterSettings } from './postmaster.js';
import { killOrphanedSessions, processIsAlive } from './process-table.js';
import { DATABASE, SUPERUSER } from './running.js';
import { ServerLog } from './server-log.js';

export { EmbeddedPostgresError } from './embedded-postgres.error.js';
export { createDataDirectory } from './data-location.js';
export { type EmbeddedSighting, findRunningDatabase } from './running.js';
export type { DatabaseAddress, EmbeddedPostgresLog, EmbeddedPostgresOptions } from './embedded-postgres.options.js';

/** For the owner's connection, an operator's `psql`, and connections that the server has not yet noticed to be gone. */
const SPARE_CONNECTIONS = 5;

/** A start on existing data takes some 50 ms, so looking less often would be most of it. */
const POLL_MS = 10;

/** A server that is not ready by now recovers from a crash, and each look costs it a process. */
const IMPATIENT_MS = 1_000;
const LATER_POLL_MS = 100;

/** An owner that was killed holds the lock until the server has noticed, which takes milliseconds. */
const OWNER_PATIENCE_MS = 1_000;

/** The same when we know that the owner is dead: on a busy machine it may take longer. */
const DEAD_OWNER_PATIENCE_MS = 10_000;

/** How long a server that is not our child may neither answer nor end. Our own may take as long as its recovery needs. */
const STRANGER_PATIENCE_MS = 60_000;

/** How long the remains of a dead server (its shared memory, its lock files) may keep a new one from starting. */
const REMAINS_PATIENCE_MS = 30_000;

/** Sessions of a dead server end by themselves as soon as they wait for anything, which most do within milliseconds. */
const ORPHAN_PATIENCE_MS = 300;

const FIRST_RESTART_DELAY_MS = 100;
const LONGEST_RESTART_DELAY_MS = 2_000;
const STILL_WAITING_MS = 10_000;
const SHUT_DOWN_PATIENCE_MS = 10_000;

/** Thrown to leave the waiting when the service stops meanwhile. */
class Stopping extends Error {
  constructor() {
    super('the service stops');
  }
}

/**
 * The service's own PostgreSQL: makes the data directory, runs the server, keeps it running, and sees to it that one service at a time
 * owns it. A server whose service was killed is taken over as it runs; one that dies is started again, with every committed write.
 */
export class EmbeddedPostgres {
  readonly address: DatabaseAddress;
  /** The folder in which the data lies. */
  readonly location: string;

  private readonly serverLog: ServerLog;
  private postmaster: Postmaster | null = null;
  private ownership: Ownership | null = null;
  private wasAdopted = false;
  private isStopping = false;
  private isTakenByAnother = false;
  private keeping: Promise<void> | null = null;
  private stopped: Promise<void> | null = null;

  private constructor(
    private readonly settings: PostmasterSettings,
    private endpoint: Endpoint,
    password: string,
    private readonly log: EmbeddedPostgresLog,
  ) {
    this.location = settings.location.directory;
    this.serverLog = new ServerLog(settings.location.logFile, log);
    this.address = { ...endpoint, user: SUPERUSER, password, database: DATABASE };
  }

  /** Answers once the application's database takes connections. Whatever stands in the way is an {@link EmbeddedPostgresError}. */
  static async start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
    const startedAt = Date.now();
    const location = await chooseDataLocation(options.dataDir);
    try {
      const postgres = await EmbeddedPostgres.prepare(location, options);
      await postgres.open(options);
      options.log.info(postgres.adopted ? 'embedded PostgreSQL taken over as it runs' : 'embedded PostgreSQL started', {
        version: postgres.settings.version,
        pid: postgres.postmaster?.pid,
        location: postgres.location,
        tookMs: Date.now() - startedAt,
      });
      return postgres;
    } catch (error) {
      if (error instanceof EmbeddedPostgresError) throw error;
      throw new EmbeddedPostgresError(
        `The embedded database in ${location.directory} cannot be used: ${reasonOf(error)}`,
        {
          cause: error,
        },
      );
    }
  }

  /** Whether the server was found running, left behind by a service that was killed. */
  get adopted(): boolean {
    return this.wasAdopted;
  }

  /**
   * Ends all sessions and the server; the data stays. Calling it again changes nothing, unless it is to be done `atOnce`: without
   * writing everything out, which the next start makes up for.
   */
  async stop({ atOnce = false } = {}): Promise<void> {
    this.isStopping = true;
    if (atOnce && !this.isTakenByAnother) await this.postmaster?.hurry();
    this.stopped ??= this.shutDown();
    return this.stopped;
  }

  private static async prepare(location: DataLocation, options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
    const durable = options.durable ?? true;
    const installed = await findBinaries();
    const isOld = await hasUsableCluster(location, installed);
    await requireWritable(location);
    const binaries = await prepareBinaries(installed, location);
    const password = await agreedPassword(location.passwordFile);
    if (!isOld) {
      options.log.info('making a new database', { location: location.directory });
      await createCluster(location, binaries, { password, durable, stopping: options.stopping });
      // Another start may have been faster, with another release of PostgreSQL.
      await hasUsableCluster(location, installed);
    }
    const maxConnections = options.maxConnections + SPARE_CONNECTIONS;
    const settings = { location, binaries, version: installed.version, maxConnections, durable };
    return new EmbeddedPostgres(settings, await chooseEndpoint(location), password, options.log);
  }

  private async open({ meanwhile, stopping }: EmbeddedPostgresOptions): Promise<void> {
    await this.serverLog.follow();
    try {
      await this.own({ meanwhile, stopping });
      this.watch();
    } catch (error) {
      await this.abandon();
      throw error;
    }
  }

  /** Leaves a server to whoever owns it, and takes along one that nobody does. */
  private async abandon(): Promise<void> {
    this.isStopping = true;
    await this.ownership?.release();
    if (!this.isTakenByAnother && this.postmaster?.isChild) await this.postmaster.shutDown(SHUT_DOWN_PATIENCE_MS);
    await this.serverLog.close();
  }

  /** Finds or starts the server and takes the lock in it, for as long as that takes. Every turn of the loop looks afresh. */
  private async own({
    meanwhile,
    stopping,
  }: Pick<EmbeddedPostgresOptions, 'meanwhile' | 'stopping'> = {}): Promise<void> {
    let startedAt = Date.now();
    const waited = (): number => Date.now() - startedAt;
    let isNew = false;
    let nextNews = STILL_WAITING_MS;
    for (;;) {
      if (this.isStopping || stopping?.aborted) throw new Stopping();
      if (this.postmaster !== null && !(await this.postmaster.isAlive())) {
        if (isNew) {
          await this.requirePassingFailure(this.postmaster, waited());
          await delay(FIRST_RESTART_DELAY_MS);
        }
        this.postmaster = null;
        continue;
      }
      if (this.postmaster === null) {
        isNew = await this.findOrSpawn(waited());
        if (isNew && meanwhile) {
          meanwhile();
          meanwhile = undefined;
          // No time in which we were busy ourselves counts against the server.
          startedAt = Date.now();
        }
      }
      if (this.postmaster !== null) {
        const attempt = await this.attempt(this.postmaster);
        if (attempt.outcome === 'taken' && (await this.accept(attempt.ownership, this.postmaster))) return;
        if (attempt.outcome === 'held') this.requirePatience(attempt.holder, waited());
        if (attempt.outcome === 'unavailable' && !this.postmaster.isChild && waited() > STRANGER_PATIENCE_MS) {
          throw new EmbeddedPostgresError(
            `PostgreSQL (process ${this.postmaster.pid}) runs in ${this.location} but takes no connections (${attempt.reason}): stop it first`,
          );
        }
        if (attempt.outcome === 'unavailable' && waited() > nextNews) {
          nextNews += STILL_WAITING_MS;
          this.log.info('embedded PostgreSQL is not ready yet', { waitedMs: waited(), reason: attempt.reason });
        }
      }
      await delay(waited() < IMPATIENT_MS ? POLL_MS : LATER_POLL_MS);
    }
  }

  private async attempt({ endpoint }: Postmaster): Promise<OwnershipAttempt> {
    return Ownership.attempt({ ...this.address, ...endpoint }).catch((error: unknown) => {
      throw new EmbeddedPostgresError(
        `The database in ${this.location} refuses the password in ${this.settings.location.passwordFile} (${codeOf(error)}): ` +
          'restore that file from a backup of the same directory',
        { cause: error },
      );
    });
  }

  /** Looks for a server and starts one if there is none; answers whether it did. */
  private async findOrSpawn(waitedMs: number): Promise<boolean> {
    const sighting = await findPostmaster(this.settings.location, this.endpoint);
    if (sighting.kind === 'none') {
      this.postmaster = await Postmaster.spawn(this.settings, this.endpoint, this.serverLog);
      return true;
    }
    if (sighting.kind === 'running') {
      this.postmaster = Postmaster.adopt(this.settings, sighting.endpoint, sighting.pid);
    }
    if (sighting.kind === 'hidden' && waitedMs > OWNER_PATIENCE_MS) throw inUse(this.location, null);
    return false;
  }

  /** Keeps the lock that was just taken, unless the server has to be restarted for what this service needs of it. */
  private async accept(ownership: Ownership, postmaster: Postmaster): Promise<boolean> {
    const { maxConnections, durable } = this.settings;
    if (ownership.maxConnections < maxConnections || (durable && !ownership.isDurable)) {
      this.log.info('restarting embedded PostgreSQL for changed settings', { pid: postmaster.pid });
      await postmaster.shutDown(SHUT_DOWN_PATIENCE_MS);
      await ownership.release();
      return false;
    }
    try {
      await ownership.ensureDatabase(DATABASE);
    } catch (error) {
      // Class 57: the server goes down. The next turn starts it again.
      const isServerGone = ownership.isLost || codeOf(error)?.startsWith('57');
      await ownership.release();
      if (isServerGone) return false;
      throw error;
    }
    this.ownership = ownership;
    this.isTakenByAnother = false;
    this.wasAdopted = !postmaster.isChild;
    this.endpoint = postmaster.endpoint;
    Object.assign(this.address, postmaster.endpoint);
    return true;
  }

  private requirePatience(holder: number | null, waitedMs: number): void {
    const isDead = holder !== null && !processIsAlive(holder);
    if (waitedMs < (isDead ? DEAD_OWNER_PATIENCE_MS : OWNER_PATIENCE_MS)) return;
    this.isTakenByAnother = true;
    throw inUse(this.location, holder);
  }

  /** Judges the end of a server that never got ready: what passes by itself is tried again, the rest is for a person. */
  private async requirePassingFailure(postmaster: Postmaster, waitedMs: number): Promise<void> {
    const words = await this.serverLog.lastWordsOf(postmaster.pid, postmaster.logStart);
    const isHeldByOrphans = words !== null && /pre-existing shared memory/.test(words);
    // Otherwise another start was faster, or somebody killed this server too.
    const passes = isHeldByOrphans || words === null || /lock file .* (already exists|is empty)/.test(words);
    if (isHeldByOrphans && waitedMs > ORPHAN_PATIENCE_MS) {
      await killOrphanedSessions(this.settings.location.cluster);
    }
    if (passes && waitedMs < REMAINS_PATIENCE_MS) return;
    throw new EmbeddedPostgresError(
      `PostgreSQL does not start in ${this.location}: ${words ?? 'it was killed'} (see ${this.serverLog.file})`,
    );
  }

  private watch(): void {
    const lost = (): void => {
      if (this.isStopping || this.keeping !== null) return;
      this.keeping = this.recover().finally(() => {
        this.keeping = null;
        if (this.isStopping) return;
        this.watch();
      });
    };
    this.postmaster?.onExit(lost);
    this.ownership?.onLost(lost);
  }

  /** The lock is gone: the server died, restarted itself after a crash, or only ended our session. Never gives up. */
  private async recover(): Promise<void> {
    const lostAt = Date.now();
    this.log.warn('the connection to embedded PostgreSQL ended; taking it up again', { pid: this.postmaster?.pid });
    let pauseMs = FIRST_RESTART_DELAY_MS;
    await this.ownership?.release();
    this.ownership = null;
    while (!this.isStopping) {
      try {
        await this.own();
        this.log.info('embedded PostgreSQL is back', { pid: this.postmaster?.pid, tookMs: Date.now() - lostAt });
        return;
      } catch (error) {
        if (error instanceof Stopping) return;
        this.log.error('embedded PostgreSQL cannot be started; trying again', { reason: reasonOf(error), pauseMs });
        await delay(pauseMs);
        pauseMs = Math.min(pauseMs * 2, LONGEST_RESTART_DELAY_MS);
      }
    }
  }

  private async shutDown(): Promise<void> {
    await this.keeping;
    if (this.postmaster !== null && !this.isTakenByAnother) {
      // The lock is kept until the server ends, so that a service that starts meanwhile waits instead of taking over a dying server.
      const isGone = await this.postmaster.shutDown(SHUT_DOWN_PATIENCE_MS);
      if (isGone) this.log.info('embedded PostgreSQL stopped');
      else this.log.error('embedded PostgreSQL does not stop', { pid: this.postmaster.pid });
    }
    await this.ownership?.release();
    await this.serverLog.close();
  }
}
