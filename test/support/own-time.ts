import { performance } from 'node:perf_hooks';
import { setInterval } from 'node:timers';

const TICK_MS = 10;
/** The most that counts between two ticks. */
const MAX_COUNTED_MS = 2 * TICK_MS;

/**
 * A clock that stands still while this process is kept from running: no time limit is promised for a machine that stops for seconds.
 * What waits for something else, as for a timer or for the database, goes on being counted.
 */
export class OwnTime {
  private readonly startedAt = performance.now();
  private lookedAt = this.startedAt;
  private countedMs = 0;
  private readonly timer = setInterval(() => this.look(), TICK_MS).unref();

  /** Milliseconds that count. For the most that something may take. */
  get ownMs(): number {
    this.look();
    return this.countedMs;
  }

  /** Milliseconds by the wall's clock. For the least that something must take. */
  get wallMs(): number {
    return performance.now() - this.startedAt;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const now = performance.now();
    this.countedMs += Math.min(now - this.lookedAt, MAX_COUNTED_MS);
    this.lookedAt = now;
  }
}
