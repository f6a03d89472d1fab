import { Problem } from '../problem/problem.js';
import { type Database } from './database.js';

/** Calls that wait here beyond which a new one is refused, as in front of the connections (reliability §4.6). */
const MAX_WAITING = 1000;

/** How many statements a gathering keeps under way, and how many calls it hands to each at most. */
export interface GatheringLimits {
  readonly underWay: number;
  readonly calls: number;
}

interface Waiting<Call, Result> {
  readonly call: Call;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Answers calls that arrive together by one statement: what they share is the cost of a round trip. It is sent after all of them have
 * arrived, so each call sees every change that was acknowledged before it was made (promise P3). A call that comes alone is sent at
 * once, by itself. If the database is away, those that wait are refused with it: they would only wait for the same refusal.
 */
export class Gathering<Call, Result> {
  private waiting: Waiting<Call, Result>[] = [];
  private underWay = 0;
  private isScheduled = false;

  /** @param answerAll answers the calls in their order; where it fails, all of them do */
  constructor(
    private readonly answerAll: (calls: readonly Call[]) => Promise<readonly Result[]>,
    private readonly limits: GatheringLimits,
    private readonly database: Pick<Database, 'refuseCrowd'>,
  ) {}

  call(call: Call): Promise<Result> {
    if (this.waiting.length >= MAX_WAITING) return Promise.reject(this.database.refuseCrowd());
    return new Promise((resolve, reject) => {
      this.waiting.push({ call, resolve, reject });
      this.schedule();
    });
  }

  /** The rest of this turn of the event loop may bring more calls. */
  private schedule(): void {
    if (this.isScheduled || this.underWay >= this.limits.underWay || this.waiting.length === 0) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      void this.send(this.waiting.splice(0, this.limits.calls));
    });
  }

  private async send(sent: readonly Waiting<Call, Result>[]): Promise<void> {
    this.underWay++;
    this.schedule();
    try {
      const results = await this.answerAll(sent.map(({ call }) => call));
      sent.forEach(({ resolve }, index) => resolve(results[index]!));
    } catch (error) {
      const isAway = error instanceof Problem && error.kind === 'unavailable';
      for (const { reject } of isAway ? [...sent, ...this.waiting.splice(0)] : sent) reject(error);
    } finally {
      this.underWay--;
      this.schedule();
    }
  }
}
