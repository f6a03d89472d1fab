import { Injectable } from '@nestjs/common';
import { Arrivals, columnsOf } from '../database/arrivals.js';
import { Database, type Row } from '../database/database.js';
import { PUT, PUT_MANY } from './key-value.sql.js';

/** The parameters of `PUT`. */
type PutValues = readonly unknown[];

/** Characters of values and tags in one statement. A single put may have more. */
const MAX_CHARACTERS = 256 * 1024;

const VALUE_AT = 8;
const TAGS_AT = 10;
const DESCRIPTION_AT = 11;

/** Decides puts that arrive together by one statement, which they share with its commit. Two of one key-value never share one. */
@Injectable()
export class GroupedPuts {
  private readonly arrivals: Arrivals<PutValues, Row | null>;

  constructor(private readonly database: Database) {
    this.arrivals = new Arrivals<PutValues, Row | null>(
      {
        nameOf,
        bytesOf: (values) => lengthAt(values, VALUE_AT) + lengthAt(values, TAGS_AT) + lengthAt(values, DESCRIPTION_AT),
        maxBytes: MAX_CHARACTERS,
        ofSameName: 'waits',
        alone: async (values, deadline) => (await this.database.query(PUT, values, deadline))[0] ?? null,
        together: (puts) => this.putTogether(puts),
      },
      database,
    );
  }

  /**
   * @param values the parameters of `PUT`
   * @returns the row that `PUT` answers; null when it answers none
   */
  put(values: PutValues): Promise<Row | null> {
    return this.arrivals.send(values);
  }

  private async putTogether(puts: readonly PutValues[]): Promise<Map<string, Row> | null> {
    const rows = await this.database.queryTogether(PUT_MANY, columnsOf(puts), puts.length);
    return rows && new Map(rows.map(([position, ...answer]) => [nameOf(puts[Number(position) - 1]!), answer]));
  }
}

/** Key and label; no name has a control character. */
const nameOf = ([key, label]: PutValues): string => `${key as string}\n${label as string}`;

const lengthAt = (values: PutValues, index: number): number => (values[index] as string | null)?.length ?? 0;
