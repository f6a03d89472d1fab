import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, Repository } from 'typeorm';
import { Database } from '../database/database.js';
import { toStoredText } from '../database/stored-text.js';
import { toKeyValue } from '../key-value/key-value.sql.js';
import { type Author, type KeyValue } from '../key-value/key-value.js';
import { newEtag } from '../key-value/rules/etag.js';
import { type Condition } from '../precondition/condition.js';
import { type Snapshot, type SnapshotInput, type SnapshotListFilter } from './snapshot.js';
import { SnapshotEntity } from './snapshot.entity.js';
import {
  CHANGE_STATUS,
  createSnapshot,
  FIND,
  LIST_ITEMS,
  listSnapshots,
  PURGE_EXPIRED,
  toSnapshot,
} from './snapshot.sql.js';

/** What a change of status found and did, decided by its one statement. */
export interface StatusChange {
  readonly isChanged: boolean;
  /** The snapshot as written, or else as it was seen under the lock. Null = there is none. */
  readonly snapshot: Snapshot | null;
}

/** Rows that one statement of a purge removes: few enough that it is over soon and keeps nobody waiting. */
const MAX_PURGED = 1000;

/** Edge to the tables of snapshots. Each method is one SQL statement; what a change found is for the service to judge. */
@Injectable()
export class SnapshotRepository extends Repository<SnapshotEntity> {
  constructor(
    @InjectDataSource() dataSource: DataSource,
    private readonly database: Database,
  ) {
    super(SnapshotEntity, dataSource.createEntityManager());
  }

  /** @returns null when the name is taken */
  async createNamed(name: string, input: SnapshotInput, author: Author): Promise<Snapshot | null> {
    const description = input.description === null ? null : toStoredText(input.description);
    const { statement, values } = createSnapshot({ name, etag: newEtag(), input, description, author });
    const [row] = await this.database.query(statement, values);
    return row ? toSnapshot(row, 0) : null;
  }

  async findNamed(name: string): Promise<Snapshot | null> {
    const [row] = await this.database.query(FIND, [name]);
    return row ? toSnapshot(row, 0) : null;
  }

  async listPage(filter: SnapshotListFilter, after: string | null): Promise<Snapshot[]> {
    const { statement, values } = listSnapshots(filter, after);
    return (await this.database.query(statement, values)).map((row) => toSnapshot(row, 0));
  }

  /** @param offset number of items before the page */
  async listItems(name: string, offset: number): Promise<KeyValue[]> {
    return (await this.database.query(LIST_ITEMS, [name, offset])).map((row) => toKeyValue(row, 0));
  }

  async changeStatus(
    name: string,
    status: 'ready' | 'archived',
    condition: Condition,
    author: Author,
  ): Promise<StatusChange> {
    const tag = 'tag' in condition ? condition.tag : null;
    const [row] = await this.database.query(CHANGE_STATUS, [
      name,
      status,
      newEtag(),
      author.actor,
      author.address,
      author.requestId,
      condition.kind,
      tag,
    ]);
    return row ? { isChanged: row[0] as boolean, snapshot: toSnapshot(row, 1) } : { isChanged: false, snapshot: null };
  }

  /**
   * Reclaims the space of snapshots that are gone already.
   *
   * @param limit rows to remove at most, of snapshots and of items together; never more than 1,000
   * @returns how many it removed; to be called again until there are none
   */
  async purgeExpired(limit: number): Promise<number> {
    const [row] = await this.database.query(PURGE_EXPIRED, [Math.min(limit, MAX_PURGED)]);
    return Number(row![0]);
  }
}
