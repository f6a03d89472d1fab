import { Problem } from '../problem/problem.js';
import { type Database } from './database.js';
import { StatementLine } from './statement-line.js';

/** How calls of one kind, each of which changes something, are answered. */
export interface Answering<Call, Answer> {
  /** What the call is about: no statement takes two calls of one name. */
  nameOf(call: Call): string;
  /** About how much the call adds to a statement, in bytes. */
  bytesOf(call: Call): number;
  /** Bytes of one statement, so that it stays a matter of milliseconds; a call that is bigger by itself goes alone. */
  readonly maxBytes: number;
  /**
   * What becomes of a call whose name is on its way with another one: it waits, so that calls of one name are decided in the order of
   * their arrival, or it goes alone at once, so that many calls of one name do not hold up each other.
   */
  readonly ofSameName: 'waits' | 'goes-alone';
  /** @param deadline of its database work, by `performance.now()` */
  alone(call: Call, deadline: number): Promise<Answer>;
  /**
   * Decides many by one statement, which is sent once at most (`Database.queryTogether`).
   *
   * @returns answers by the names of their calls, a call without one was not decided; null when none was, and nothing was changed
   */
  together(calls: readonly Call[]): Promise<ReadonlyMap<string, Answer> | null>;
}

interface Arrival<Call, Answer> {
  readonly call: Call;
  readonly name: string;
  readonly deadline: number;
  readonly resolve: (answer: Answer | Promise<Answer>) => void;
  readonly reject: (error: unknown) => void;
}

/** Statements under way at once: while one is committed the next is worked on. More only make smaller ones. */
const MAX_UNDER_WAY = 2;
/** Calls that one statement decides. */
const MAX_CALLS = 64;

/**
 * Sends calls that arrive together as one statement, which they share with its commit; each is judged by itself, and acknowledged after
 * the commit. One that comes alone is sent at once, by itself.
 *
 * What the statement did not decide, and each call of one that the server refused as a whole, is sent by itself: nobody waits for, or
 * fails with, somebody else's. If the outcome of the statement is unknown, that of each is, and none is repeated (promise P13). If the
 * database is away, those that wait are refused with it: they would only wait for the same refusal.
 */
export class Arrivals<Call, Answer> {
  private readonly line: StatementLine<Arrival<Call, Answer>>;

  constructor(
    private readonly answering: Answering<Call, Answer>,
    private readonly database: Pick<Database, 'newDeadline' | 'refuseCrowd'>,
  ) {
    this.line = new StatementLine(
      MAX_UNDER_WAY,
      () => this.takeNext(),
      (taken) => (taken.length > 1 ? this.sendTogether(taken) : this.sendAlone(taken[0]!)),
    );
  }

  send(call: Call): Promise<Answer> {
    if (this.line.isFull) return Promise.reject(this.database.refuseCrowd());
    return new Promise((resolve, reject) => {
      const name = this.answering.nameOf(call);
      this.line.add({ call, name, deadline: this.database.newDeadline(), resolve, reject });
    });
  }

  /** In order of arrival; what does not fit any more, or has to wait for another of its name, is left for the next statement. */
  private takeNext(): Arrival<Call, Answer>[] {
    const { answering, line } = this;
    const names = new Set<string>();
    if (answering.ofSameName === 'waits') {
      for (const arrivals of line.underWay) for (const { name } of arrivals) names.add(name);
    }
    const taken: Arrival<Call, Answer>[] = [];
    const left: Arrival<Call, Answer>[] = [];
    let bytes = 0;
    for (const [index, arrival] of line.waiting.entries()) {
      if (taken.length === MAX_CALLS) {
        left.push(...line.waiting.slice(index));
        break;
      }
      const ownBytes = answering.bytesOf(arrival.call);
      const hasRoom = taken.length === 0 || bytes + ownBytes <= answering.maxBytes;
      if (!names.has(arrival.name)) {
        // The name counts for one that is left, too: none of its name overtakes it.
        names.add(arrival.name);
        if (hasRoom) bytes += ownBytes;
        (hasRoom ? taken : left).push(arrival);
      } else if (answering.ofSameName === 'waits') left.push(arrival);
      else void this.sendAlone(arrival);
    }
    line.waiting = left;
    return taken;
  }

  private sendAlone({ call, deadline, resolve, reject }: Arrival<Call, Answer>): Promise<void> {
    return this.answering.alone(call, deadline).then(resolve, (error: unknown) => {
      reject(error);
    });
  }

  private async sendTogether(arrivals: readonly Arrival<Call, Answer>[]): Promise<void> {
    try {
      const answers = await this.answering.together(arrivals.map(({ call }) => call));
      for (const arrival of arrivals) {
        const answer = answers?.get(arrival.name);
        if (answer === undefined) void this.sendAlone(arrival);
        else arrival.resolve(answer);
      }
    } catch (error) {
      const isAway = error instanceof Problem && error.kind === 'unavailable';
      for (const { reject } of isAway ? [...arrivals, ...this.line.waiting.splice(0)] : arrivals) reject(error);
    }
  }
}

/** One array for each parameter of a statement for one call, in their order: what the statement for many takes. */
export const columnsOf = (rows: readonly (readonly unknown[])[]): unknown[][] =>
  rows[0]!.map((_, column) => rows.map((row) => row[column]));
