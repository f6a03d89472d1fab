import { unavailable } from '../problem/catalogue.js';

/**
 * Hashes at once. Node's pool has four threads; one of them stays free for files, name look-ups and the signatures of bearer tokens,
 * so that a flood of passwords delays nothing else.
 */
const MAX_RUNNING = 3;
/** Waiting hashes in each lane. A hash takes 0.1 to 0.2 s, so the last in line waits a few seconds. */
const MAX_WAITING_FIRST = 32;
const MAX_WAITING_SECOND = 16;
/** Hashes that one address may have pending in the first lane: more at once than a person's browser opens connections. */
const MAX_PENDING_OF_ONE = 8;
/** Of so many hashes one comes from the second lane though the first has some waiting: nobody waits for ever. */
const SECOND_LANE_SHARE = 4;
const RETRY_AFTER_MS = 1_000;

/**
 * The line before the password hash, which is made to be slow and which wrong passwords alone pay for. Addresses that failed often, or
 * ask for many hashes at once, wait in a second lane, so that others learn soon that they mistyped. Beyond both lanes' ends the answer
 * is 503.
 */
export class HashingQueue {
  private running = 0;
  private started = 0;
  private readonly firstLane: (() => void)[] = [];
  private readonly secondLane: (() => void)[] = [];
  /** Hashes running or waiting, by address; as bounded as the lanes are. */
  private readonly pending = new Map<string, number>();

  /** @param onRefused called when the lane is full */
  constructor(private readonly onRefused: () => void = () => undefined) {}

  /** @throws 503 when the lane is full */
  async run<T>(work: () => Promise<T>, address: string, isSuspect: boolean): Promise<T> {
    const pending = this.pending.get(address) ?? 0;
    const isSecond = isSuspect || pending >= MAX_PENDING_OF_ONE;
    const lane = isSecond ? this.secondLane : this.firstLane;
    const room = isSecond ? MAX_WAITING_SECOND : MAX_WAITING_FIRST;
    if (this.running >= MAX_RUNNING && lane.length >= room) {
      this.onRefused();
      throw unavailable(RETRY_AFTER_MS);
    }
    this.pending.set(address, pending + 1);
    try {
      if (this.running < MAX_RUNNING) this.running++;
      else await new Promise<void>((resolve) => lane.push(resolve));
      this.started++;
      return await work();
    } finally {
      const left = this.pending.get(address)! - 1;
      if (left > 0) this.pending.set(address, left);
      else this.pending.delete(address);
      this.startNext();
    }
  }

  /** Hands the place of the hash that ended to the next one in line. */
  private startNext(): void {
    const isSecondsTurn = this.firstLane.length === 0 || this.started % SECOND_LANE_SHARE === 0;
    const next = (isSecondsTurn ? this.secondLane.shift() : undefined) ?? this.firstLane.shift();
    if (next) next();
    else this.running--;
  }
}
