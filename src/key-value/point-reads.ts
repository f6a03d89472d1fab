import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { type KeyValue } from './key-value.js';
import { FIND_MANY, toKeyValue } from './key-value.sql.js';

interface PointRead {
  readonly key: string;
  readonly label: string;
  readonly resolve: (found: KeyValue | null) => void;
  readonly reject: (error: unknown) => void;
}

/** Statements under way at once: while one is on its way back the next can already be worked on. More only make smaller ones. */
const MAX_UNDER_WAY = 2;
/** Reads that one statement answers; what is beyond waits for the next. */
const MAX_READS = 128;

/**
 * Answers reads of single key-values that arrive together by one statement. It is sent after all of them have arrived, so each still
 * sees every change acknowledged before it was asked (promise P3); what they share is the cost of a round trip. A read that comes
 * alone is sent at once, by itself.
 */
@Injectable()
export class PointReads {
  private waiting: PointRead[] = [];
  private underWay = 0;
  private isScheduled = false;

  constructor(private readonly database: Database) {}

  find(key: string, label: string): Promise<KeyValue | null> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ key, label, resolve, reject });
      this.schedule();
    });
  }

  /** The rest of this turn of the event loop may bring more requests. */
  private schedule(): void {
    if (this.isScheduled || this.underWay >= MAX_UNDER_WAY || this.waiting.length === 0) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      void this.send(this.waiting.splice(0, MAX_READS));
    });
  }

  private async send(reads: readonly PointRead[]): Promise<void> {
    this.underWay++;
    this.schedule();
    try {
      const rows = await this.database.query(FIND_MANY, [reads.map(({ key }) => key), reads.map(({ label }) => label)]);
      const found = new Array<KeyValue | null>(reads.length).fill(null);
      for (const row of rows) found[Number(row[0]) - 1] = toKeyValue(row, 1);
      reads.forEach(({ resolve }, index) => resolve(found[index]!));
    } catch (error) {
      for (const { reject } of reads) reject(error);
    } finally {
      this.underWay--;
      this.schedule();
    }
  }
}
