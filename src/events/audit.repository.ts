import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, Repository } from 'typeorm';
import { Database, type Row } from '../database/database.js';
import { fromStoredText, toStoredText } from '../database/stored-text.js';
import { auditColumns, type AuditEvent, auditText, auditTextStart } from './audit-event.js';
import { AuditEventEntity } from './audit-event.entity.js';
import { boundOf, type Found, type Position, type Source } from './audit-page.js';
import { type AuditQuery, type TargetFilter } from './audit.requests.js';
import { ADD_EVENTS, EVENT_COLUMNS, EVENT_PAGE, PURGE_EVENTS, REVISION_PAGE } from './audit.sql.js';

/** State of a key-value before or after a change. */
export interface KeyValueState {
  readonly value: string | null;
  readonly contentType: string | null;
  readonly tags: unknown;
  readonly description: string | null;
  readonly locked: boolean;
}

/** One item of the log, whichever source it comes from. */
export interface AuditItem {
  readonly position: Position;
  readonly actor: string;
  readonly address: string;
  readonly requestId: string | null;
  readonly surface: string;
  readonly action: string;
  readonly target: string;
  readonly outcome: string;
  readonly reason: string | null;
  readonly before: KeyValueState | null;
  readonly after: KeyValueState | null;
  readonly details: unknown;
}

/** Rows that a page with filters looks at in each source: some milliseconds' worth. A page that ends for this reason says where to go on. */
const MAX_SCANNED = 10_000;

/** Surface of changes to key-values. */
export const CONFIG_SURFACE = 'config';
const NONE: Found<AuditItem> = { items: [], horizon: null };

/** Edge to the audit log: its own table, and the key-values' revisions, which are read here and never written. */
@Injectable()
export class AuditRepository extends Repository<AuditEventEntity> {
  constructor(
    @InjectDataSource() dataSource: DataSource,
    private readonly database: Database,
  ) {
    super(AuditEventEntity, dataSource.createEntityManager());
  }

  /**
   * Adds all of them or none.
   *
   * @param agesMs how long ago each happened, by a clock that only runs forward
   */
  async add(events: readonly AuditEvent[], agesMs: readonly number[]): Promise<void> {
    const rows = events.map(auditColumns);
    const columns = EVENT_COLUMNS.map((_column, index) => rows.map((row) => row[index]!));
    await this.database.query(ADD_EVENTS, [agesMs, ...columns]);
  }

  /** Rows of the log's own table, newest first. */
  async findEvents(query: AuditQuery, retentionDays: number): Promise<Found<AuditItem>> {
    const { target } = query;
    const rows = await this.database.query(EVENT_PAGE[target.kind], [
      ...rangeOf('e', query, retentionDays),
      filterText(query.actor),
      filterText(query.surface),
      ...(target.kind === 'any' ? [] : [eventTarget(target)]),
    ]);
    return toFound('e', query, rows, toEventItem);
  }

  /** Changes of key-values, newest first. */
  async findRevisions(query: AuditQuery, retentionDays: number): Promise<Found<AuditItem>> {
    if (query.surface !== null && query.surface !== CONFIG_SURFACE) return NONE;
    const { target } = query;
    const rows = await this.database.query(REVISION_PAGE[target.kind], [
      ...rangeOf('r', query, retentionDays),
      filterText(query.actor),
      ...(target.kind === 'any' ? [] : target.kind === 'prefix' ? [toStoredText(target.text)] : nameOf(target.text)),
    ]);
    return toFound('r', query, rows, toRevisionItem);
  }

  /**
   * Removes events older than the given days, the oldest first.
   *
   * @param limit rows at most
   * @returns rows removed
   */
  async purge(days: number, limit: number): Promise<number> {
    const [row] = await this.database.query(PURGE_EVENTS, [days, limit]);
    return Number(row![0]);
  }
}

/** Rows that a source looks at: without a filter each one matches, so one more than a page is enough. */
function scannedRows({ actor, surface, target, limit }: AuditQuery): number {
  return actor === null && surface === null && target.kind === 'any' ? limit + 1 : MAX_SCANNED;
}

function rangeOf(source: Source, query: AuditQuery, retentionDays: number): unknown[] {
  const { at, number } = boundOf(source, query.after);
  return [at, number, query.since ?? '-infinity', retentionDays, scannedRows(query), query.limit + 1];
}

const filterText = (text: string | null): string | null => (text === null ? null : auditText(text));

const eventTarget = ({ kind, text }: Exclude<TargetFilter, { kind: 'any' }>): string =>
  kind === 'exact' ? auditText(text) : toStoredText(auditTextStart(text));

/** Key and label of a target as the log writes it. */
function nameOf(target: string): [key: string, label: string] {
  const stored = toStoredText(target);
  const end = stored.indexOf('\n');
  return end < 0 ? [stored, ''] : [stored.slice(0, end), stored.slice(end + 1)];
}

function toFound(
  source: Source,
  query: AuditQuery,
  rows: readonly Row[],
  toItem: (row: Row) => AuditItem,
): Found<AuditItem> {
  const [scanned, at, number] = rows[0] as [number, string, string];
  const isCutShort = scanned >= scannedRows(query);
  return {
    items: rows.filter((row) => row[3] !== null).map(toItem),
    horizon: isCutShort ? { at, source, number } : null,
  };
}

function toEventItem(row: Row): AuditItem {
  const text = (index: number): string => fromStoredText(row[index] as string);
  return {
    position: { at: row[4] as string, source: 'e', number: row[3] as string },
    actor: text(5),
    address: text(6),
    requestId: row[7] as string | null,
    surface: text(8),
    action: text(9),
    target: text(10),
    outcome: text(11),
    reason: row[12] === null ? null : text(12),
    before: null,
    after: null,
    details: row[13] === null ? null : JSON.parse(row[13] as string),
  };
}

/** Columns of one state in a row of `REVISION_PAGE`: whether it is a tombstone, then the fields. */
const AFTER = 10;
const BEFORE = 16;

function toRevisionItem(row: Row): AuditItem {
  const key = row[8] as string;
  const label = row[9] as string;
  const before = toState(row, BEFORE);
  const after = toState(row, AFTER);
  return {
    position: { at: row[4] as string, source: 'r', number: row[3] as string },
    actor: row[5] as string,
    address: row[6] as string,
    requestId: row[7] as string,
    surface: CONFIG_SURFACE,
    action: actionOf(before, after),
    target: label === '' ? key : `${key}\n${label}`,
    outcome: 'done',
    reason: null,
    before,
    after,
    details: null,
  };
}

/** Null when there was no key-value: a tombstone, or no earlier revision. */
function toState(row: Row, from: number): KeyValueState | null {
  if (row[from] !== false) return null;
  const optional = (text: unknown): string | null => (text === null ? null : fromStoredText(text as string));
  return {
    value: optional(row[from + 1]),
    contentType: row[from + 2] as string | null,
    tags: JSON.parse(row[from + 3] as string),
    description: optional(row[from + 4]),
    locked: row[from + 5] as boolean,
  };
}

/** Which change leads from one state to the other. A put never makes read-only; one of an import may end it, along with other fields. */
function actionOf(before: KeyValueState | null, after: KeyValueState | null): 'put' | 'delete' | 'lock' | 'unlock' {
  if (after === null) return 'delete';
  if (after.locked) return 'lock';
  if (!before?.locked) return 'put';
  const isSame = JSON.stringify({ ...before, locked: false }) === JSON.stringify(after);
  return isSame ? 'unlock' : 'put';
}
