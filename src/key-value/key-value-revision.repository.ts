import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, Repository } from 'typeorm';
import { Database } from '../database/database.js';
import { type KeyValue } from './key-value.js';
import { type KeyValueFilter, listRevisionRange, listRevisions } from './key-value-list.sql.js';
import { KeyValueRevisionEntity } from './key-value-revision.entity.js';
import { toKeyValue } from './key-value.sql.js';
import { type RevisionCursor } from './rules/continuation-token.js';
import { type ItemRange } from './rules/item-range.js';

/** Edge to the history of key-values. Rows are written by the statements that change key-values, and only read here. */
@Injectable()
export class KeyValueRevisionRepository extends Repository<KeyValueRevisionEntity> {
  constructor(
    @InjectDataSource() dataSource: DataSource,
    private readonly database: Database,
  ) {
    super(KeyValueRevisionEntity, dataSource.createEntityManager());
  }

  async listPage(filter: KeyValueFilter, after: RevisionCursor | null): Promise<KeyValue[]> {
    const { statement, values } = listRevisions(filter, after);
    return (await this.database.query(statement, values)).map((row) => toKeyValue(row, 0));
  }

  /** The items of a range, at most a page of them, and how many items there are in all. */
  async listRange(filter: KeyValueFilter, range: ItemRange): Promise<{ items: KeyValue[]; total: number }> {
    const { statement, values } = listRevisionRange(filter, range);
    const rows = await this.database.query(statement, values);
    return {
      total: Number(rows[0]![0]),
      items: rows.filter((row) => row[1] !== null).map((row) => toKeyValue(row, 1)),
    };
  }
}
