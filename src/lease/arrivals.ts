import { isRetryable, sqlState } from '../database/database-errors.js';
import { type Metrics } from '../metrics/metrics.js';
import { unavailable } from '../problem/catalogue.js';
import { Problem } from '../problem/problem.js';

/** How calls of one kind are answered. */
export interface Answering<Call, Answer> {
  /** What the call is about: no statement takes two calls of one name. */
  nameOf(call: Call): string;
  /** About how much the call adds to a statement, in bytes. */
  bytesOf(call: Call): number;
  alone(call: Call): Promise<Answer>;
  /**
   * Decides many by one statement, which is sent once at most.
   *
   * @returns answers by the names of their calls; a call without one was not decided
   */
  together(calls: readonly Call[]): Promise<ReadonlyMap<string, Answer>>;
}

interface Arrival<Call, Answer> {
  readonly call: Call;
  readonly resolve: (answer: Answer | Promise<Answer>) => void;
  readonly reject: (error: unknown) => void;
}

/** Statements under way at once: while one is committed the next is worked on. More only make smaller ones. */
const MAX_UNDER_WAY = 2;
const MAX_CALLS = 64;
/** Bytes of one statement, so that it stays a matter of milliseconds; a call that is bigger by itself goes alone. */
const MAX_BYTES = 64 * 1024;
/** Calls that wait here beyond which a new one is refused, as in front of the connections (reliability §4.6). */
const MAX_WAITING = 1000;
/** Milliseconds after which a statement no longer keeps others waiting: a call alone may wait for its row for seconds. */
const PATIENCE_MS = 100;

/**
 * Sends calls that arrive together as one statement, which they share with its commit. One that comes alone is sent at once, by itself.
 *
 * What the statement did not decide, and each call of one that the server refused as a whole, is sent by itself: nobody waits for, or
 * fails with, somebody else's. If the outcome of the statement is unknown, that of each is, and none is repeated (promise P13). Of
 * several calls about the same thing that arrive together, all but the first are sent by themselves at once.
 */
export class Arrivals<Call, Answer> {
  private waiting: Arrival<Call, Answer>[] = [];
  private underWay = 0;
  private isScheduled = false;

  constructor(
    private readonly answering: Answering<Call, Answer>,
    private readonly metrics: Metrics,
  ) {}

  send(call: Call): Promise<Answer> {
    if (this.waiting.length >= MAX_WAITING) {
      this.metrics.throttled.inc({ reason: 'database-queue' });
      return Promise.reject(unavailable());
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ call, resolve, reject });
      this.schedule();
    });
  }

  /** The rest of this turn of the event loop may bring more calls. */
  private schedule(): void {
    if (this.isScheduled || this.underWay >= MAX_UNDER_WAY || this.waiting.length === 0) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      void this.sendNext();
    });
  }

  private async sendNext(): Promise<void> {
    const arrivals = this.takeNext();
    const end = this.begin();
    this.schedule();
    if (arrivals.size > 1) await this.sendTogether(arrivals);
    else
      for (const { call, resolve, reject } of arrivals.values()) await this.answering.alone(call).then(resolve, reject);
    end();
  }

  /** In order of arrival, by name. */
  private takeNext(): Map<string, Arrival<Call, Answer>> {
    const taken = new Map<string, Arrival<Call, Answer>>();
    let bytes = 0;
    let count = 0;
    for (const arrival of this.waiting) {
      const name = this.answering.nameOf(arrival.call);
      const ownBytes = this.answering.bytesOf(arrival.call);
      if (taken.has(name) || ownBytes > MAX_BYTES) this.sendAlone(arrival);
      else {
        if (taken.size === MAX_CALLS || bytes + ownBytes > MAX_BYTES) break;
        taken.set(name, arrival);
        bytes += ownBytes;
      }
      count++;
    }
    this.waiting = this.waiting.slice(count);
    return taken;
  }

  private sendAlone({ call, resolve }: Arrival<Call, Answer>): void {
    resolve(this.answering.alone(call));
  }

  private async sendTogether(arrivals: ReadonlyMap<string, Arrival<Call, Answer>>): Promise<void> {
    let answers: ReadonlyMap<string, Answer> = new Map();
    try {
      answers = await this.answering.together(Array.from(arrivals.values(), ({ call }) => call));
    } catch (error) {
      if (!wasRefused(error)) {
        // One is counted for the statement.
        if (isOutcomeUnknown(error)) this.metrics.outcomeUnknown.inc(arrivals.size - 1);
        for (const { reject } of arrivals.values()) reject(error);
        return;
      }
    }
    for (const [name, arrival] of arrivals) {
      const answer = answers.get(name);
      if (answer === undefined) this.sendAlone(arrival);
      else arrival.resolve(answer);
    }
  }

  /** @returns what to call when the statement is over; it counts as over anyway when that takes too long */
  private begin(): () => void {
    this.underWay++;
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      this.underWay--;
      this.schedule();
    };
    const timer = setTimeout(end, PATIENCE_MS);
    return end;
  }
}

const isOutcomeUnknown = (error: unknown): boolean => error instanceof Problem && error.kind === 'outcome-unknown';

/** Whether the server itself said that the statement came to nothing, for a reason that may lie in one of its calls. */
function wasRefused(error: unknown): boolean {
  if (!(error instanceof Problem)) return sqlState(error) !== undefined;
  return error.status < 500 || isRetryable(error.cause);
}
