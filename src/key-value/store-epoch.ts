import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { Gathering } from '../database/gathering.js';
import { STORE_CHANGES, STORE_CHANGES_LIMIT } from './key-value.sql.js';

/** One at a time: it answers everybody, and each looks for what became visible since the one before it. */
const LIMITS = { underWay: 1, calls: Infinity };
/** The window of a process that has not asked yet: everything, which is more than is ever counted. */
const NO_WINDOW = '0';

/**
 * Tells whether any key-value has changed. Every change writes a row of history in its own transaction, so the store is the same for
 * as long as no such row becomes visible. Its number or its time would not show that: both are taken before the commit, and commits
 * come in another order. What shows it are the transactions: a row that becomes visible after a statement belongs to one that had not
 * ended then, and so to an id from that statement's `pg_snapshot_xmin` on. Those rows are few and the same ones while nothing changes.
 */
@Injectable()
export class StoreEpoch {
  private readonly questions: Gathering<null, number>;
  private epoch = 0;
  /** First transaction id whose rows the next statement compares, and what they were; undefined where they were too many to count. */
  private window = NO_WINDOW;
  private seen: string | undefined;

  constructor(private readonly database: Database) {
    this.questions = new Gathering((calls, deadline) => this.ask(calls.length, deadline), LIMITS, database);
  }

  /**
   * A number that stays the same exactly as long as nothing changes; asked of the database after the call, in one statement for all
   * calls that arrive together. Two equal answers mean that the store was the same at any time between them.
   */
  current(): Promise<number> {
    return this.questions.call(null);
  }

  private async ask(calls: number, deadline: number): Promise<number[]> {
    const { window, seen, epoch } = this;
    try {
      const [row] = await this.database.query(STORE_CHANGES, [window], deadline);
      const [server, xmin, count, sum, nextCount, nextSum] = row!;
      const isCounted = Number(count) < STORE_CHANGES_LIMIT;
      const isSame = isCounted && seen === `${String(server)} ${String(count)} ${String(sum)}`;
      // Where another one was answered in between, because this one took long, nothing says which of them saw the store first. If both
      // found it as it was at the epoch when they were sent, that one goes on; otherwise each has one of its own.
      if (!isSame || epoch !== this.epoch) this.epoch++;
      this.window = xmin as string;
      this.seen = isCounted ? `${String(server)} ${String(nextCount)} ${String(nextSum)}` : undefined;
    } catch (error) {
      // Whatever answers next may be another server, with another history.
      this.epoch++;
      throw error;
    }
    return new Array<number>(calls).fill(this.epoch);
  }
}
