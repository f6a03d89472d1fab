import { type Pool, type PoolClient } from 'pg';
import { unavailable } from '../problem/catalogue.js';
import { type ServiceClientClass } from './service-client.js';

/** Requests waiting for a connection beyond which a new one is refused at once (reliability §4.6). */
const MAX_WAITING = 1000;
/**
 * How long the first in line may have waited before nobody else should join, in milliseconds. A line that only gets longer is one in which
 * everybody waits in vain in the end; half the time of `BUSY_MS` leaves those in it time to be served.
 */
const CROWDED_MS = 250;
/** How long a request waits for a pool whose connections are all busy, in milliseconds (reliability §4.6). */
const BUSY_MS = 500;
/** How long it waits at most, while the server is there and connections to it are being opened. */
const OPENING_MS = 3000;
/** Between two looks at what is being opened. */
const LOOK_EVERY_MS = 100;

interface Waiter {
  readonly since: number;
  readonly take: (client: PoolClient) => void;
  readonly refuse: (problem: unknown) => void;
}

/**
 * The requests that wait for a connection, first come, first served. The driver's pool has one time limit for two things: waiting for a
 * busy pool, which must be short, and opening a connection, which takes several round trips and is not to be begun anew by each request.
 * So a request waits here, and what is opened joins the pool whether or not the one who asked for it is still there.
 */
export class ConnectionLine {
  private readonly waiting: Waiter[] = [];
  /** Calls for a connection that the pool has not answered. */
  private asked = 0;
  private lastOpenedAt = -Infinity;
  private timer: NodeJS.Timeout | undefined;

  /** @param isOutdated whether a connection must not be used any more */
  constructor(
    private readonly pool: Pool,
    private readonly isOutdated: (client: PoolClient) => boolean,
  ) {
    pool.on('connect', () => (this.lastOpenedAt = performance.now()));
    // The pool tells of a release just before the place is free.
    pool.on('release', () => {
      if (this.waiting.length > this.asked) process.nextTick(() => this.askFor());
    });
  }

  get length(): number {
    return this.waiting.length;
  }

  get isFull(): boolean {
    return this.waiting.length >= MAX_WAITING;
  }

  /** Whether a request had better not join: there is no room, or it would hardly be served in time. */
  get isCrowded(): boolean {
    const first = this.waiting[0];
    return first !== undefined && (this.isFull || performance.now() - this.waitsSince(first) > CROWDED_MS);
  }

  /** @throws 503 when the pool stays busy, when the server is silent, and when it cannot be reached */
  connect(): Promise<PoolClient> {
    return new Promise((take, refuse) => {
      this.waiting.push({ since: performance.now(), take, refuse });
      this.askFor();
      this.timer ??= this.lookIn(BUSY_MS);
    });
  }

  /** Until the pool is as large as it gets, it is not busy but on its way; and a server that says nothing is no server. */
  private waitsSince({ since }: Waiter): number {
    return Math.max(since, this.lastOpenedAt);
  }

  private askFor(): void {
    while (this.asked < this.waiting.length && this.hasRoom()) {
      this.asked++;
      this.pool.connect((error, client) => {
        this.asked--;
        if (client === undefined) this.waiting.shift()?.refuse(unavailable(500, { cause: error }));
        else if (this.isOutdated(client)) client.release(true);
        else this.handOver(client);
        this.askFor();
      });
    }
  }

  private handOver(client: PoolClient): void {
    const next = this.waiting.shift();
    if (next) next.take(client);
    else client.release();
  }

  /** Whether the pool would answer a call by itself, without waiting for somebody to give back what is in use. */
  private hasRoom(): boolean {
    const { idleCount, waitingCount, totalCount, options } = this.pool;
    return idleCount > waitingCount || totalCount < options.max;
  }

  /** Where this process stood still meanwhile, the time was not the pool's, and what was given back is yet to be heard: one look more. */
  private lookIn(ms: number, isAnother = false): NodeJS.Timeout {
    const dueAt = performance.now() + ms;
    return setTimeout(() => {
      const stoodStill = performance.now() - dueAt > LOOK_EVERY_MS;
      this.timer = stoodStill && !isAnother ? this.lookIn(LOOK_EVERY_MS, true) : this.refuseLate();
    }, ms).unref();
  }

  /** Refuses those who waited long enough. @returns the timer for the next look; undefined when nobody waits */
  private refuseLate(): NodeJS.Timeout | undefined {
    const now = performance.now();
    const { Client } = this.pool as unknown as { Client: ServiceClientClass };
    if (Client.isAnswering()) this.lastOpenedAt = now;
    for (;;) {
      const first = this.waiting[0];
      if (!first) return undefined;
      const until = Math.min(this.waitsSince(first) + BUSY_MS, first.since + OPENING_MS);
      if (now < until) return this.lookIn(Math.max(1, Math.min(LOOK_EVERY_MS, until - now)));
      this.waiting.shift();
      first.refuse(unavailable(500, { cause: new Error('no database connection became free in time') }));
    }
  }
}
