import { type Database } from './database.js';
import { StatementLine } from './statement-line.js';

/** How long a call waits for a statement that has room for it, in milliseconds, as for a connection (reliability §4.6). */
const BUSY_MS = 500;

/** How many statements a gathering keeps under way, and how many calls it hands to each at most. */
export interface GatheringLimits {
  readonly underWay: number;
  readonly calls: number;
}

interface Waiting<Call, Result> {
  readonly call: Call;
  readonly deadline: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Answers calls that arrive together by one statement: what they share is the cost of a round trip. It is sent after all of them have
 * arrived, so each call sees every change that was acknowledged before it was made (promise P3). A call that comes alone is sent at
 * once, by itself. A statement that fails, or hangs, takes nobody with it but its own calls.
 */
export class Gathering<Call, Result> {
  private readonly line: StatementLine<Waiting<Call, Result>>;

  /**
   * @param answerAll answers the calls in their order, by a deadline of `performance.now()`; where it fails, all of them do. May be
   *   called again before it has answered: where that takes long
   */
  constructor(
    private readonly answerAll: (calls: readonly Call[], deadline: number) => Promise<readonly Result[]>,
    private readonly limits: GatheringLimits,
    private readonly database: Pick<Database, 'newDeadline' | 'refuseCrowd'>,
  ) {
    this.line = new StatementLine(
      limits.underWay,
      () => this.takeNext(),
      (taken) => this.send(taken),
    );
  }

  call(call: Call): Promise<Result> {
    if (this.line.isFull) return Promise.reject(this.database.refuseCrowd());
    return new Promise((resolve, reject) => {
      this.line.add({ call, deadline: this.database.newDeadline(), resolve, reject });
    });
  }

  private takeNext(): Waiting<Call, Result>[] {
    const taken = this.line.waiting.splice(0, this.limits.calls);
    if (this.line.waiting.length > 0) this.refuseLate();
    return taken;
  }

  /** Refuses those that have waited long enough, and are left behind once more. */
  private refuseLate(): void {
    const { waiting } = this.line;
    const lateUntil = this.database.newDeadline() - BUSY_MS;
    const inTime = waiting.findIndex(({ deadline }) => deadline > lateUntil);
    for (const { reject } of waiting.splice(0, inTime < 0 ? waiting.length : inTime))
      reject(this.database.refuseCrowd());
  }

  private async send(taken: readonly Waiting<Call, Result>[]): Promise<void> {
    try {
      const results = await this.answerAll(
        taken.map(({ call }) => call),
        taken[0]!.deadline,
      );
      taken.forEach(({ resolve }, index) => resolve(results[index]!));
    } catch (error) {
      for (const { reject } of taken) reject(error);
    }
  }
}
