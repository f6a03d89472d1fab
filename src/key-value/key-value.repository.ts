import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, Repository } from 'typeorm';
import { Database, type Statement } from '../database/database.js';
import { toStoredText } from '../database/stored-text.js';
import { type Condition, mayCreate } from '../precondition/condition.js';
import { unavailable } from '../problem/catalogue.js';
import { type Author, type Fence, type KeyValue } from './key-value.js';
import { type KeyValueFilter, listNames, listPage } from './key-value-list.sql.js';
import { GroupedPuts } from './grouped-puts.js';
import { KeyValueEntity } from './key-value.entity.js';
import {
  COLUMN_COUNT,
  FENCED_PUT,
  FENCED_REMOVE,
  FIND_AS_OF,
  LAST_REVISION,
  MAKE_ROOM,
  PUT,
  REMOVE,
  toKeyValue,
} from './key-value.sql.js';
import { PointReads } from './point-reads.js';
import { type KeyValueCursor } from './rules/continuation-token.js';
import { newEtag } from './rules/etag.js';
import { type KeyValueInput } from './rules/key-value-input.js';
import { type StringFilter } from './rules/string-filter.js';

/** What a change found and did, decided by its one statement. */
export interface ChangeResult {
  /** Position of the change in the store's order; null when nothing was written. */
  readonly revision: string | null;
  /** The row written; for a removal, or when nothing was written, the row as it was seen under the lock. Null = there is none. */
  readonly row: KeyValue | null;
  /** Of a fenced change only: the last fence granted, and whether the change's own was the holder's. If it was not, `row` says nothing. */
  readonly fence?: { readonly current: string | null; readonly holds: boolean };
}

const NOTHING: ChangeResult = { revision: null, row: null };

/** Position of `FENCE_COLUMNS` in the answer of a change: behind revision, row and whether it is deleted. */
const FENCE_AT = 2 + COLUMN_COUNT;

/** Creations of one key that may come first before a put gives up; each makes the row that the next attempt finds. */
const MAX_LOST_CREATIONS = 5;

/**
 * Edge to the tables of key-values. Each method is one SQL statement, which requests that arrive together may share; what a change
 * found is for the service to judge.
 */
@Injectable()
export class KeyValueRepository extends Repository<KeyValueEntity> {
  constructor(
    @InjectDataSource() dataSource: DataSource,
    private readonly database: Database,
    private readonly pointReads: PointReads,
    private readonly groupedPuts: GroupedPuts,
  ) {
    super(KeyValueEntity, dataSource.createEntityManager());
  }

  /** Position of the newest change of the whole store; decimal text. */
  async lastRevision(): Promise<string> {
    const [row] = await this.database.query(LAST_REVISION, []);
    return row![0] as string;
  }

  findCurrent(key: string, label: string): Promise<KeyValue | null> {
    return this.pointReads.find(key, label);
  }

  /** @param before milliseconds since 1970; only changes before it are visible */
  async findBefore(key: string, label: string, before: number): Promise<KeyValue | null> {
    const [row] = await this.database.query(FIND_AS_OF, [key, label, new Date(before).toISOString()]);
    return row && row[COLUMN_COUNT] !== true ? toKeyValue(row, 0) : null;
  }

  async listPage(filter: KeyValueFilter, after: KeyValueCursor | null): Promise<KeyValue[]> {
    const { statement, values } = listPage(filter, after);
    return (await this.database.query(statement, values)).map((row) => toKeyValue(row, 0));
  }

  /** Distinct names in order; '' stands for no label. */
  async listNames(
    column: 'key' | 'label',
    filter: StringFilter,
    after: string | null,
    before: number | null,
  ): Promise<string[]> {
    const { statement, values } = listNames(column, filter, after, before);
    return (await this.database.query(statement, values)).map((row) => row[0] as string);
  }

  async put(
    key: string,
    label: string,
    input: KeyValueInput & { readonly hasDescription: boolean },
    condition: Condition,
    author: Author,
    fence: Fence | null = null,
  ): Promise<ChangeResult> {
    const value = input.value === null ? null : toStoredText(input.value);
    const description = input.description === null ? null : toStoredText(input.description);
    const own = [value, input.contentType, input.tags, description, input.hasDescription];
    for (let attempt = 0; attempt < MAX_LOST_CREATIONS; attempt++) {
      const result = fence
        ? await this.change(FENCED_PUT, key, label, condition, author, [...own, fence.digest, fence.fence])
        : await this.change(PUT, key, label, condition, author, own);
      // Nothing seen, yet nothing made although it may be: another creation came first. Its row is there now.
      if (result.row !== null || !mayCreate(condition) || result.fence?.holds === false) return result;
      if (fence) await this.database.query(MAKE_ROOM, [key, label]);
    }
    throw unavailable();
  }

  async removeCurrent(
    key: string,
    label: string,
    condition: Condition,
    author: Author,
    fence: Fence | null = null,
  ): Promise<ChangeResult> {
    return fence
      ? this.change(FENCED_REMOVE, key, label, condition, author, [fence.digest, fence.fence])
      : this.change(REMOVE, key, label, condition, author, []);
  }

  /** Runs a statement of the shape that `changeStatement` makes, or has `PUT` run together with others. */
  async change(
    statement: Statement,
    key: string,
    label: string,
    condition: Condition,
    author: Author,
    own: readonly unknown[],
  ): Promise<ChangeResult> {
    const tag = 'tag' in condition ? condition.tag : null;
    const values = [key, label, newEtag(), author.actor, author.address, author.requestId, condition.kind, tag, ...own];
    const row =
      statement === PUT ? await this.groupedPuts.put(values) : (await this.database.query(statement, values))[0];
    if (!row) return NOTHING;
    // The fenced statements answer a row in any case, without a key where they saw none.
    const isMissing = row[1 + COLUMN_COUNT] === true || row[1] === null;
    const result = { revision: row[0] as string | null, row: isMissing ? null : toKeyValue(row, 1) };
    if (row.length <= FENCE_AT) return result;
    return { ...result, fence: { current: row[FENCE_AT] as string | null, holds: row[FENCE_AT + 1] as boolean } };
  }
}
