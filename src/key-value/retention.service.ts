import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type Logger } from 'pino';
import { Settings } from '../config/settings.js';
import { Database } from '../database/database.js';
import { LOGGER } from '../logging/logger.js';
import { PURGE_DELETED, PURGE_SUPERSEDED } from './retention.sql.js';

/** Milliseconds from the start of a process to its first purge, and between two; nobody misses an hour of 30 days. */
const FIRST_AFTER_MS = 60_000;
const EVERY_MS = 3_600_000;
/** Milliseconds between two batches: a long backlog must not crowd out requests. */
const BETWEEN_BATCHES_MS = 20;

/** Rows that a purge removed. */
export interface Purged {
  revisions: number;
  keyValues: number;
}

/**
 * Forgets history that is older than `REVISION_RETENTION_DAYS`, in small batches. Processes that purge at once do each other no harm:
 * they only find less to do.
 */
@Injectable()
export class RetentionService implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private isStopping = false;

  constructor(
    private readonly database: Database,
    @Inject(Settings) private readonly settings: Settings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule(FIRST_AFTER_MS);
  }

  onApplicationShutdown(): void {
    this.isStopping = true;
    clearTimeout(this.timer);
  }

  /** Removes everything that is past its time now. */
  async purge(): Promise<Purged> {
    const days = this.settings.revisionRetentionDays;
    const purged: Purged = { revisions: 0, keyValues: 0 };
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
