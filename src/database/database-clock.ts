import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { type Logger } from 'pino';
import { LOGGER } from '../logging/logger.js';
import { Metrics } from '../metrics/metrics.js';
import { Database, type Statement } from './database.js';

const SAMPLE: Statement = {
  name: 'database_clock',
  isWrite: false,
  text: `SELECT extract(epoch FROM clock_timestamp())::float8 * 1000`,
};

/** Milliseconds between two looks at the database's clock. */
const SAMPLE_INTERVAL_MS = 10_000;
/** Difference to our own clock, in milliseconds, from which an operator should know. */
const NOTABLE_SKEW_MS = 2_000;

/**
 * Now by the database's clock, without asking it each time: the last sample plus what our monotonic clock has run since. Signature
 * windows and token expiry use it, so a replica whose own clock is wrong by any amount still judges rightly (promise P12).
 */
@Injectable()
export class DatabaseClock implements OnModuleInit, OnApplicationShutdown {
  private offset = Date.now() - performance.now();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: Database,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    metrics.clockSkew.readFrom(() => (Date.now() - this.now()) / 1000);
  }

  /** Milliseconds since 1970. */
  now(): number {
    return this.offset + performance.now();
  }

  async onModuleInit(): Promise<void> {
    await this.sample();
    this.timer = setInterval(() => void this.sample(), SAMPLE_INTERVAL_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private async sample(): Promise<void> {
    const sentAt = performance.now();
    try {
      const [row] = await this.database.query(SAMPLE, []);
      // The database read its clock at some moment between the two readings of ours.
      const readAt = (sentAt + performance.now()) / 2;
      this.offset = Number(row![0]) - readAt;
    } catch (error) {
      this.logger.debug({ err: error }, 'the database clock could not be read; the last reading stays in use');
      return;
    }
    const skewMs = Math.round(Date.now() - this.now());
    if (Math.abs(skewMs) > NOTABLE_SKEW_MS) this.logger.warn({ skewMs }, 'clock differs from that of the database');
  }
}
