import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, Repository } from 'typeorm';
import { Database, type Statement } from '../database/database.js';
import { auditColumns, type AuditEvent } from '../events/audit-event.js';
import { Metrics } from '../metrics/metrics.js';
import { fromStoredText } from '../database/stored-text.js';
import {
  type ContentLock,
  type ListedLock,
  type LockOptions,
  type LockResult,
  type LockUser,
  type RefreshOutcome,
  type ReleaseOutcome,
  type TakeOutcome,
} from './content-lock.js';
import { ContentLockEntity } from './content-lock.entity.js';
import {
  COUNT_HELD,
  FIND,
  FORMER_AT,
  LIST,
  PRESENT_AT,
  PURGE,
  REFRESH,
  RELEASE,
  RELEASE_BY_FORCE,
  RELEASE_BY_TOKEN,
  TAKE,
  TAKE_BY_FORCE,
  toLock,
} from './content-lock.sql.js';
import { DEFAULT_TIMEOUT } from './rules/lock-input.js';

/** Locks counted for an operator: each asks for an entry of an index, and more editors than that are not at work at once. */
const MAX_COUNTED = 10_000;

/** Which locks the board shows; null for any. */
export interface LockFilter {
  readonly pathPrefix: string;
  readonly holder: string | null;
}

/** What the audit log says of a lock that is ended; the statement that ends it adds whose it was. */
export type ForcedEvent = Omit<AuditEvent, 'details'>;

/** Edge to the tables of content locks. Each method is one statement; the operations answer null when the object is gone. */
@Injectable()
export class ContentLockRepository extends Repository<ContentLockEntity> {
  constructor(
    @InjectDataSource() dataSource: DataSource,
    private readonly database: Database,
    private readonly metrics: Metrics,
  ) {
    super(ContentLockEntity, dataSource.createEntityManager());
    metrics.contentLocksHeld.readFrom(() => this.countHeld(MAX_COUNTED));
  }

  /** @param event noted in the same statement when another's lock is ended */
  take(uid: string, user: LockUser, options: LockOptions, event: ForcedEvent): Promise<LockResult<TakeOutcome> | null> {
    const { timeout, stealable, force } = options;
    const values = [uid, user.name, timeout, stealable, force, user.mayBreak, DEFAULT_TIMEOUT];
    return force ? this.operate(TAKE_BY_FORCE, [...values, ...columnsOf(event)]) : this.operate(TAKE, values);
  }

  refresh(uid: string, user: LockUser, timeout: number | null): Promise<LockResult<RefreshOutcome> | null> {
    return this.operate(REFRESH, [uid, user.name, timeout]);
  }

  /** @param event noted in the same statement when another's lock is ended */
  release(uid: string, user: LockUser, force: boolean, event: ForcedEvent): Promise<LockResult<ReleaseOutcome> | null> {
    const values = [uid, user.name, force, user.mayBreak];
    return force ? this.operate(RELEASE_BY_FORCE, [...values, ...columnsOf(event)]) : this.operate(RELEASE, values);
  }

  /** Ends the lock whoever holds it, and notes that. */
  breakLock(uid: string, event: ForcedEvent): Promise<LockResult<'free' | 'forced'> | null> {
    return this.operate(RELEASE_BY_FORCE, [uid, null, true, true, ...columnsOf(event)]);
  }

  /** Ends the lock that has this token; any other, or none, is left alone. */
  async releaseByToken(uid: string, token: string): Promise<void> {
    await this.database.query(RELEASE_BY_TOKEN, [uid, token]);
  }

  /** The locks that are in force, by uid. */
  async findLocks(uids: readonly string[]): Promise<ReadonlyMap<string, ContentLock>> {
    if (uids.length === 0) return new Map();
    const rows = await this.database.query(FIND, [uids]);
    return new Map(rows.map((row) => [row[0] as string, toLock(row, 0)!]));
  }

  /** Locks in force in the order of their uids. @param after uid behind which to go on, '' for the first page */
  async list({ pathPrefix, holder }: LockFilter, after: string, limit: number): Promise<ListedLock[]> {
    const rows = await this.database.query(LIST, [pathPrefix, holder, after, limit]);
    return rows.map(([uid, path, title, heldBy, created, expiresAt, timeout, isStealable]) => ({
      uid: uid as string,
      path: path as string,
      title: fromStoredText(title as string),
      holder: heldBy as string,
      created: created as string,
      expiresAt: expiresAt as string,
      timeout: timeout as number,
      isStealable: isStealable as boolean,
    }));
  }

  /** Locks in force now. @param limit no more are counted */
  async countHeld(limit: number): Promise<number> {
    const [row] = await this.database.query(COUNT_HELD, [limit]);
    return Number(row![0]);
  }

  /** Forgets what ended more than a day ago. @param limit of each kind at most */
  async purge(limit: number): Promise<{ tokens: number; locks: number }> {
    const [row] = await this.database.query(PURGE, [limit]);
    return { tokens: Number(row![0]), locks: Number(row![1]) };
  }

  private async operate<Outcome>(
    statement: Statement,
    values: readonly unknown[],
  ): Promise<LockResult<Outcome> | null> {
    const [row] = await this.database.query(statement, values);
    if (!row) return null;
    if (row[0] === 'stolen' || row[0] === 'forced') this.metrics.locksForced.inc({ kind: 'content' });
    return { outcome: row[0] as Outcome, lock: toLock(row, PRESENT_AT), former: toLock(row, FORMER_AT) };
  }
}

/** All but the details, which come last. */
const columnsOf = (event: ForcedEvent): (string | null)[] => auditColumns(event).slice(0, -1);
