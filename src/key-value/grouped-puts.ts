import { Injectable } from '@nestjs/common';
import { Database, type Row } from '../database/database.js';
import { Metrics } from '../metrics/metrics.js';
import { Problem } from '../problem/problem.js';
import { PUT, PUT_MANY } from './key-value.sql.js';

interface WaitingPut {
  /** The parameters of `PUT`. */
  readonly values: readonly unknown[];
  readonly name: string;
  readonly characters: number;
  /** When its time for database work is over, by `performance.now()`. */
  readonly deadline: number;
  readonly resolve: (answer: Row | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Statements under way at once: while one is committed the next is worked on. More only make smaller ones. */
const MAX_UNDER_WAY = 2;
/** Puts that one statement decides; what is beyond waits for the next. */
const MAX_PUTS = 64;
/** Characters of values and tags in one statement, so that it stays a matter of milliseconds. A single put may have more. */
const MAX_CHARACTERS = 256 * 1024;
/** Milliseconds after which a statement no longer keeps others waiting: one that hangs must cost a connection, not the queue. */
const PATIENCE_MS = 200;

const PARAMETERS = 13;
const VALUE_AT = 8;
const TAGS_AT = 10;
const DESCRIPTION_AT = 11;

/**
 * Decides puts that arrive together by one statement, which they share with its commit; each is judged by its own condition, and is
 * acknowledged after the commit. A put that comes alone is sent at once, by itself.
 *
 * Two puts of one key-value never share a statement: the later one waits for the next. A put that the statement left undecided, and each
 * one of a statement that the server refused, is run by itself, so that nobody waits for, or fails with, somebody else's. Where the
 * outcome of the statement is unknown, that of each is, and none is repeated (promise P13).
 */
@Injectable()
export class GroupedPuts {
  private waiting: WaitingPut[] = [];
  private readonly namesUnderWay = new Set<string>();
  private underWay = 0;
  private isScheduled = false;

  constructor(
    private readonly database: Database,
    private readonly metrics: Metrics,
  ) {}

  /**
   * @param values the parameters of `PUT`
   * @returns the row that `PUT` would answer
   */
  put(values: readonly unknown[]): Promise<Row | undefined> {
    const lengthAt = (index: number): number => (values[index] as string | null)?.length ?? 0;
    return new Promise((resolve, reject) => {
      this.waiting.push({
        values,
        // No name has a control character.
        name: `${values[0] as string}\n${values[1] as string}`,
        characters: lengthAt(VALUE_AT) + lengthAt(TAGS_AT) + lengthAt(DESCRIPTION_AT),
        deadline: this.database.newDeadline(),
        resolve,
        reject,
      });
      this.schedule();
    });
  }

  /** The rest of this turn of the event loop may bring more requests. */
  private schedule(): void {
    if (this.isScheduled || this.underWay >= MAX_UNDER_WAY || this.waiting.length === 0) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      const puts = this.takeBatch();
      if (puts.length > 0) void this.send(puts);
    });
  }

  /** In order of arrival; of each name the first, unless one of it is under way. */
  private takeBatch(): WaitingPut[] {
    const batch: WaitingPut[] = [];
    const left: WaitingPut[] = [];
    const names = new Set(this.namesUnderWay);
    let characters = 0;
    for (const put of this.waiting) {
      const hasRoom = batch.length < MAX_PUTS && (batch.length === 0 || characters + put.characters <= MAX_CHARACTERS);
      if (hasRoom && !names.has(put.name)) {
        batch.push(put);
        characters += put.characters;
      } else left.push(put);
      // Also of one that stays, so that none of its name overtakes it.
      names.add(put.name);
    }
    this.waiting = left;
    return batch;
  }

  private async send(puts: readonly WaitingPut[]): Promise<void> {
    const end = this.begin(puts);
    this.schedule();
    if (puts.length === 1) await this.sendAlone(puts[0]!);
    else {
      try {
        const rows = await this.database.queryTogether(PUT_MANY, columnsOf(puts));
        const answers = new Array<Row | undefined>(puts.length);
        for (const [position, ...answer] of rows ?? []) answers[Number(position) - 1] = answer;
        puts.forEach((put, index) => {
          const answer = answers[index];
          if (answer) put.resolve(answer);
          else void this.sendAlone(put);
        });
      } catch (error) {
        if (error instanceof Problem && error.kind === 'outcome-unknown') {
          // One is counted for the statement.
          this.metrics.outcomeUnknown.inc(puts.length - 1);
        }
        for (const { reject } of puts) reject(error);
      }
    }
    end();
  }

  private async sendAlone({ values, deadline, resolve, reject }: WaitingPut): Promise<void> {
    try {
      const [row] = await this.database.query(PUT, values, deadline);
      resolve(row);
    } catch (error) {
      reject(error);
    }
  }

  /** @returns what to call when the statement is over; it is done by itself when that takes too long */
  private begin(puts: readonly WaitingPut[]): () => void {
    this.underWay++;
    for (const { name } of puts) this.namesUnderWay.add(name);
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      this.underWay--;
      for (const { name } of puts) this.namesUnderWay.delete(name);
      this.schedule();
    };
    const timer = setTimeout(end, PATIENCE_MS);
    return end;
  }
}

/** One array for each parameter of `PUT`, in its order. */
function columnsOf(puts: readonly WaitingPut[]): unknown[][] {
  return Array.from({ length: PARAMETERS }, (_, column) => puts.map(({ values }) => values[column]));
}
