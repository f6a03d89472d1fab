import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type Logger } from 'pino';
import { Settings } from '../config/settings.js';
import { Database } from '../database/database.js';
import { LOGGER } from '../logging/logger.js';
import { Metrics } from '../metrics/metrics.js';
import { BATCH_SIZE, PURGE_DELETED, PURGE_SUPERSEDED } from './retention.sql.js';

/** Milliseconds from the start of a process to its first purge, and between two; nobody misses an hour of 30 days. */
const FIRST_AFTER_MS = 60_000;
const EVERY_MS = 3_600_000;
/** Milliseconds between two batches: a long backlog must not crowd out requests. */
const BETWEEN_BATCHES_MS = 20;

/** Rows that a purge removed, by what they were. */
export type Purged = Record<string, number>;

/** One batch of something else that grows old: removes at most the given number of rows and says how many it removed. */
export type PurgeBatch = (limit: number) => Promise<number>;

/**
 * Forgets history that is older than `REVISION_RETENTION_DAYS`, in small batches. Processes that purge at once do each other no harm:
 * they only find less to do.
 */
@Injectable()
export class RetentionService implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private isStopping = false;
  private readonly others = new Map<string, PurgeBatch>();

  constructor(
    private readonly database: Database,
    @Inject(Settings) private readonly settings: Settings,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly metrics: Metrics,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule(FIRST_AFTER_MS);
  }

  onApplicationShutdown(): void {
    this.isStopping = true;
    clearTimeout(this.timer);
  }

  /** Another feature's rows are purged along, by its own rule; added while the application starts. */
  add(name: string, batch: PurgeBatch): void {
    this.others.set(name, batch);
  }

  /** Removes everything that is past its time now. */
  async purge(): Promise<Purged> {
    const purged = await this.purgeHistory(this.settings.revisionRetentionDays);
    for (const [name, batch] of this.others) {
      purged[name] = 0;
      for (let removed = 1; removed > 0 && !this.isStopping; purged[name] += removed) {
        removed = await batch(BATCH_SIZE);
        await pause(BETWEEN_BATCHES_MS);
      }
    }
    for (const [what, rows] of Object.entries(purged)) this.metrics.purgedRows.inc({ what }, rows);
    return purged;
  }

  private async purgeHistory(days: number): Promise<Purged> {
    const purged = { revisions: 0, keyValues: 0 };
    for (let revision: string | null = '0'; revision !== null && !this.isStopping;) {
      const [row] = await this.database.query(PURGE_SUPERSEDED, [days, revision]);
      purged.revisions += Number(row![0]);
      revision = row![1] as string | null;
      await pause(BETWEEN_BATCHES_MS);
    }
    for (let removed = 1; removed > 0 && !this.isStopping;) {
      const [row] = await this.database.query(PURGE_DELETED, [days]);
      removed = Number(row![0]);
      purged.keyValues += removed;
      purged.revisions += Number(row![1]);
      await pause(BETWEEN_BATCHES_MS);
    }
    return purged;
  }

  private schedule(delayMs: number): void {
    if (this.isStopping) return;
    this.timer = setTimeout(() => {
      this.purge()
        .then((purged) => this.logger.info({ purged }, 'history past its retention time was purged'))
        .catch((error: unknown) => this.logger.warn({ err: error }, 'purging history failed; it is tried again'))
        .finally(() => this.schedule(EVERY_MS));
    }, delayMs).unref();
  }
}
