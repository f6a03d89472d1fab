import { setTimeout as pause } from 'node:timers/promises';
import { type GrantOperation, nanoseconds } from './history';
import { type AcquireOptions, LockClient } from './lock-client';
import { type Random } from './random';
import { type Target } from './target';

export interface LockLoadOptions {
  readonly ttlMs: number | ((random: Random) => number);
  /** How long a holder keeps it, in milliseconds; 0 gives it back at once. Null = never gives it back. */
  readonly holdMs: number | null;
  readonly waitMs?: number;
  /** Ends by itself after so many tries of all clients. */
  readonly tries?: number;
  /** Ends by itself after so many grants of all clients. */
  readonly grants?: number;
  /** Rest after a try that was refused, in milliseconds. */
  readonly pauseMs?: number;
  /** Rest after a turn that was granted: on average so many milliseconds. */
  readonly restMs?: number;
}

/** Clients that take and release a few locks over all replicas as fast as they are answered. */
export class LockLoad {
  readonly grants: GrantOperation[] = [];
  readonly perClient: number[];
  /** Releases that were told that the lock was not the holder's any more, while its lease ran. */
  readonly lostHolds: string[] = [];
  tries = 0;
  refused = 0;
  unknown = 0;
  /** The longest that any client waited for an answer, in milliseconds. */
  slowestMs = 0;
  private isOver = false;
  private running: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly replicas: readonly Target[],
    readonly resources: readonly string[],
    private readonly clients: number,
    private readonly random: Random,
    private readonly options: LockLoadOptions,
    private readonly firstClient = 0,
  ) {
    this.perClient = Array.from({ length: clients }, () => 0);
  }

  start(): void {
    this.running = Promise.all(Array.from({ length: this.clients }, (_, client) => this.drive(client)));
    this.running.catch(() => undefined);
  }

  /** Waits for the clients, which end by themselves where `tries` says when. */
  async done(): Promise<void> {
    await this.running;
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.running;
  }

  private async drive(index: number): Promise<void> {
    const { ttlMs, holdMs, waitMs = 0, tries = Infinity, grants = Infinity, pauseMs = 0, restMs = 0 } = this.options;
    const random = this.random.fork(index);
    const client = new LockClient(this.firstClient + index, (grant) => this.grants.push(grant));
    try {
      for (let turn = 0; !this.isOver && this.tries < tries && this.grants.length < grants; turn++) {
        this.tries++;
        const resource = random.pick(this.resources);
        const replica = this.replicas[(index + turn) % this.replicas.length]!;
        const options: AcquireOptions = { ttlMs: typeof ttlMs === 'number' ? ttlMs : ttlMs(random), waitMs };
        const calledAt = nanoseconds();
        const acquired = await client.acquire(replica, resource, options);
        this.slowestMs = Math.max(this.slowestMs, (nanoseconds() - calledAt) / 1e6);
        if (acquired.kind === 'unknown') this.unknown++;
        if (acquired.kind === 'refused') this.refused++;
        if (acquired.kind === 'refused' || acquired.kind === 'unknown') await pause(20);
        if (acquired.kind !== 'granted') {
          if (pauseMs > 0) await pause(pauseMs);
          continue;
        }
        this.perClient[index]! += 1;
        if (holdMs === null) continue;
        if (holdMs > 0) await pause(holdMs);
        const { grant } = acquired;
        const isReleased = await client.release(this.replicas[(index + turn + 1) % this.replicas.length]!, grant);
        if (isReleased === false && (nanoseconds() - grant.call_ns) / 1e6 < options.ttlMs) {
          this.lostHolds.push(`client ${index} lost ${resource}, fence ${grant.fence}, while it held it`);
        }
        if (restMs > 0) await pause(2 * restMs * random.next());
      }
    } finally {
      client.close();
    }
  }
}
