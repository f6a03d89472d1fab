import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { Gathering } from '../database/gathering.js';
import { type KeyValue } from './key-value.js';
import { type KeyValueName } from './key-value.service.js';
import { FIND_MANY, toKeyValue } from './key-value.sql.js';

/** One at a time: with two, each carries half as many reads, and costs as much. */
const LIMITS = { underWay: 1, calls: 128 };

/** Answers reads of single key-values that arrive together by one statement. */
@Injectable()
export class PointReads {
  private readonly reads: Gathering<KeyValueName, KeyValue | null>;

  constructor(private readonly database: Database) {
    this.reads = new Gathering((names, deadline) => this.findAll(names, deadline), LIMITS, database);
  }

  find(key: string, label: string): Promise<KeyValue | null> {
    return this.reads.call({ key, label });
  }

  private async findAll(names: readonly KeyValueName[], deadline: number): Promise<(KeyValue | null)[]> {
    const values = [names.map(({ key }) => key), names.map(({ label }) => label)];
    const rows = await this.database.query(FIND_MANY, values, deadline);
    const found = new Array<KeyValue | null>(names.length).fill(null);
    for (const row of rows) found[Number(row[0]) - 1] = toKeyValue(row, 1);
    return found;
  }
}
