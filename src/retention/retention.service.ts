import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type Logger } from 'pino';
import { leaseKey, LeaseRepository } from '../lease/lease.repository.js';
import { LOGGER } from '../logging/logger.js';
import { Metrics } from '../metrics/metrics.js';

/** Milliseconds from the start of a process to its first purge, and between two; nobody misses an hour of 30 days. */
const FIRST_AFTER_MS = 60_000;
const EVERY_MS = 3_600_000;
/** Milliseconds between two batches: a long backlog must not crowd out requests. */
const BETWEEN_BATCHES_MS = 20;
/** How long a process that died while it purged keeps the others from it. A batch takes a small part of it. */
const LEASE_MS = 30_000;
/** No store's prefix begins like this, so no caller can hold it. */
const LEASE = leaseKey('latchkey||retention');

/** Rows that a purge removed, by what they were. */
export type Purged = Record<string, number>;

/** Removes what is past its time, a small batch per step, and tells what each removed. */
export type Purge = () => AsyncIterable<Purged>;

/**
 * Forgets what is past its time, of whoever keeps something that grows old. Of all processes one purges at a time, the one that holds
 * the lease; should two overlap after all, they do each other no harm: they only find less to do.
 */
@Injectable()
export class RetentionService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly purges: Purge[] = [];
  private readonly owner = randomUUID();
  private timer: NodeJS.Timeout | undefined;
  private isStopping = false;

  constructor(
    private readonly leases: LeaseRepository,
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

  /** Adds something that grows old; called while the application starts. */
  add(purge: Purge): void {
    this.purges.push(purge);
  }

  /** Removes everything that is past its time now. @returns null when another process is at it */
  async purge(): Promise<Purged | null> {
    const author = { actor: 'latchkey', requestId: randomUUID() };
    const request = { owner: this.owner, ttlMs: LEASE_MS, metadata: null, idempotencyKey: null };
    const attempt = await this.leases.tryTake(LEASE, request, author, 0);
    if (attempt?.kind !== 'granted') return null;
    const claim = { owner: this.owner, fence: attempt.lease.fence };
    const purged: Purged = {};
    try {
      for (const step of this.purges) {
        for await (const batch of step()) {
          for (const [what, rows] of Object.entries(batch)) {
            purged[what] = (purged[what] ?? 0) + rows;
            this.metrics.purgedRows.inc({ what }, rows);
          }
          if (this.isStopping || (await this.leases.renew(LEASE, claim, null, LEASE_MS)) === null) return purged;
          await pause(BETWEEN_BATCHES_MS);
        }
      }
      return purged;
    } finally {
      await this.leases.release(LEASE, claim, null, author);
    }
  }

  private schedule(delayMs: number): void {
    if (this.isStopping) return;
    this.timer = setTimeout(() => {
      this.purge()
        .then((purged) => {
          if (purged) this.logger.info({ purged }, 'what was past its retention time was purged');
        })
        .catch((error: unknown) => {
          this.metrics.purgeFailures.inc();
          this.logger.warn({ err: error }, 'a purge failed; it is tried again');
        })
        .finally(() => this.schedule(EVERY_MS));
    }, delayMs).unref();
  }
}
