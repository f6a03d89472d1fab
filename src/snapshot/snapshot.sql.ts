import { type Row, type Statement } from '../database/database.js';
import { fromStoredText } from '../database/stored-text.js';
import {
  hasTags,
  keysAfter,
  matches,
  PAGE_SIZE,
  type Prepared,
  prepared,
  Values,
  where,
} from '../key-value/key-value-list.sql.js';
import { COLUMNS as ITEM_COLUMNS, conditionHolds } from '../key-value/key-value.sql.js';
import {
  type CompositionType,
  type Snapshot,
  type SnapshotFilter,
  type SnapshotFilterText,
  type SnapshotInput,
  type SnapshotListFilter,
  type SnapshotStatus,
} from './snapshot.js';

/**
 * The statements of the snapshot tables. Each decision is one statement; an expired snapshot is none, by the database's clock, whether
 * or not its rows are still there.
 */

/** Contract section 12: bytes of one snapshot. */
const MAX_BYTES = 1024 * 1024;

/** Beside its texts an item counts its entity tag (43 characters) and its time (25), which are kept and sent as well. */
const ITEM_OVERHEAD_BYTES = 68;

/** More items than this cannot fit, so no filter needs to read on. */
const MAX_ITEMS = Math.ceil(MAX_BYTES / ITEM_OVERHEAD_BYTES);

const isLive = (table: string): string => `(${table}.expires IS NULL OR ${table}.expires > clock_timestamp())`;

/** What `toSnapshot` reads, in its order. */
const COLUMNS = (table: string): string =>
  [
    'name',
    'etag',
    'status',
    'filters',
    'composition_type',
    'size',
    'items_count',
    'tags',
    'retention_period',
    'description',
  ]
    .map((column) => `${table}.${column}`)
    .concat(
      `floor(date_part('epoch', ${table}.created))::bigint`,
      // Seven digits of the second, as the real service writes this one time.
      `to_char(${table}.expires AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"0+00:00"')`,
    )
    .join(', ');

const ITEM_FIELDS = `key, label, value, content_type, tags, description, locked, etag, revision, last_modified`;

const ITEM_BYTES = `
  octet_length(k.key) + octet_length(k.label) + coalesce(octet_length(k.value), 0) + coalesce(octet_length(k.content_type), 0)
  + octet_length(k.tags) + coalesce(octet_length(k.description), 0) + ${ITEM_OVERHEAD_BYTES}`;

/**
 * Its items come in the order of the index: their number is hidden from the planner, which would for so many rather read all that a
 * prefix selects, and sort them.
 */
const selectedBy = (filter: SnapshotFilter, ordinal: number, values: Values): string => `
  (SELECT ${ordinal} AS filter, ${ITEM_BYTES} AS bytes, k.*
     FROM key_value k
     ${where([
       'NOT k.deleted',
       ...keysAfter('k', filter.key, null, values),
       ...matches('k.label', filter.label, values),
       ...hasTags('k.tags', filter.tags, values),
       // Nothing is read for a name that is taken.
       'NOT EXISTS (SELECT FROM taken)',
     ])}
    ORDER BY k.key, k.label LIMIT (SELECT ${MAX_ITEMS}))`;

/** One item of each key (the last filter wins) or of each key and label. */
const COMPOSED: Readonly<Record<CompositionType, string>> = {
  key: 'SELECT DISTINCT ON (key) * FROM matched ORDER BY key, filter DESC',
  key_label: 'SELECT DISTINCT ON (key, label) * FROM matched ORDER BY key, label',
};

export interface SnapshotCreation {
  readonly name: string;
  readonly etag: string;
  readonly input: SnapshotInput;
  /** As `toStoredText` writes it. */
  readonly description: string | null;
  readonly author: { readonly actor: string; readonly address: string; readonly requestId: string };
}

/**
 * Takes the name, unless a snapshot that has not expired has it, and keeps the key-values that the filters select. All filters and the
 * decision are one statement, which sees the store as it was at one instant. Answers the snapshot made, or no row.
 */
export function createSnapshot({ name, etag, input, description, author }: SnapshotCreation): Prepared {
  const values = new Values();
  const nameValue = values.add(name);
  const matched = input.filters.map((filter, ordinal) => selectedBy(filter, ordinal, values));
  const text = `
    WITH taken AS MATERIALIZED (
      SELECT FROM snapshot s WHERE s.name = ${nameValue} AND ${isLive('s')}
    ), expired AS MATERIALIZED (
      SELECT s.id FROM snapshot s WHERE s.name = ${nameValue} AND NOT ${isLive('s')}
    ), matched AS (
      ${matched.join(' UNION ALL ')}
    ), captured AS MATERIALIZED (
      ${COMPOSED[input.compositionType]}
    ), totals AS (
      SELECT count(*) AS items_count, coalesce(sum(bytes), 0) AS size, coalesce(sum(bytes), 0) <= ${MAX_BYTES} AS fits FROM captured
    ), made AS (
      INSERT INTO snapshot AS s (id, name, etag, status, filters, composition_type, retention_period, tags, description, size,
                                 items_count, created, expires, actor, address, request_id)
      SELECT nextval('snapshot_id_seq'), ${nameValue}, ${values.add(etag)}, CASE WHEN fits THEN 'ready' ELSE 'failed' END,
             ${values.add(JSON.stringify(input.filterTexts))}, ${values.add(input.compositionType)},
             ${values.add(input.retentionInSeconds)}::integer, ${values.add(input.tags)}, ${values.add(description)},
             CASE WHEN fits THEN size ELSE 0 END, CASE WHEN fits THEN items_count ELSE 0 END, clock_timestamp(), NULL,
             ${values.add(author.actor)}, ${values.add(author.address)}, ${values.add(author.requestId)}::uuid
        FROM totals WHERE NOT EXISTS (SELECT FROM taken)
      -- Whoever comes second waits here for the first, and then finds a name that is taken.
      ON CONFLICT ON CONSTRAINT snapshot_name DO UPDATE
         SET (id, etag, status, filters, composition_type, retention_period, tags, description, size, items_count, created,
              expires, actor, address, request_id)
           = (EXCLUDED.id, EXCLUDED.etag, EXCLUDED.status, EXCLUDED.filters, EXCLUDED.composition_type,
              EXCLUDED.retention_period, EXCLUDED.tags, EXCLUDED.description, EXCLUDED.size, EXCLUDED.items_count,
              EXCLUDED.created, NULL, EXCLUDED.actor, EXCLUDED.address, EXCLUDED.request_id)
       WHERE NOT ${isLive('s')}
      RETURNING s.*
    ), forgotten AS (
      DELETE FROM snapshot_item i USING expired WHERE i.snapshot_id = expired.id AND EXISTS (SELECT FROM made)
    ), kept AS (
      INSERT INTO snapshot_item (snapshot_id, position, ${ITEM_FIELDS})
      SELECT made.id, row_number() OVER (ORDER BY c.key, c.label), ${ITEM_FIELDS.replaceAll(/\w+/g, 'c.$&')}
        FROM captured c CROSS JOIN made WHERE made.status = 'ready'
    )
    SELECT ${COLUMNS('made')} FROM made`;
  // Three filters have too many shapes for each to keep a plan; without a name the plan, which knows no values either, is forgotten.
  return { statement: { name: '', text, isWrite: true }, values: values.list };
}

export const FIND: Statement = {
  name: 'snapshot_find',
  isWrite: false,
  text: `SELECT ${COLUMNS('s')} FROM snapshot s WHERE s.name = $1 AND ${isLive('s')}`,
};

/** A page of snapshots after a name, in the order of names. */
export function listSnapshots(filter: SnapshotListFilter, after: string | null): Prepared {
  const values = new Values();
  const conditions = [
    isLive('s'),
    ...matches('s.name', filter.name, values),
    `s.status = ANY (${values.add(filter.statuses)}::text[])`,
  ];
  if (after !== null) conditions.push(`s.name > ${values.add(after)}`);
  const text = `SELECT ${COLUMNS('s')} FROM snapshot s ${where(conditions)} ORDER BY s.name LIMIT ${PAGE_SIZE}`;
  return prepared('snapshot_page', text, values);
}

/** $1 name, $2 position behind which the page begins. A snapshot that failed has no items. */
export const LIST_ITEMS: Statement = {
  name: 'snapshot_items',
  isWrite: false,
  text: `
    SELECT ${ITEM_COLUMNS('i')}
      FROM snapshot s JOIN snapshot_item i ON i.snapshot_id = s.id
     WHERE s.name = $1 AND ${isLive('s')} AND i.position > $2::integer
     ORDER BY i.position LIMIT ${PAGE_SIZE}`,
};

/**
 * Archives or recovers. $1 name, $2 wanted status, $3 new entity tag, $4 actor, $5 address, $6 request id, $7 condition, $8 its tag.
 * Answers the row that it wrote or else the row that it saw under its lock; no row means that there is none.
 */
export const CHANGE_STATUS: Statement = {
  name: 'snapshot_change_status',
  isWrite: true,
  text: `
    WITH seen AS (
      SELECT * FROM snapshot s WHERE s.name = $1 AND ${isLive('s')} FOR UPDATE
    ), changed AS (
      UPDATE snapshot s
         SET status = $2::text, etag = $3, actor = $4, address = $5, request_id = $6::uuid,
             expires = CASE $2::text WHEN 'archived' THEN clock_timestamp() + make_interval(secs => s.retention_period) END
        FROM seen
       WHERE s.name = $1
         AND ${conditionHolds('seen', '$7::text', '$8::text', 'false')}
         AND seen.status <> 'failed' AND seen.status <> $2::text
      RETURNING s.*
    )
    SELECT true, ${COLUMNS('c')} FROM changed c
    UNION ALL
    SELECT false, ${COLUMNS('s')} FROM seen s WHERE NOT EXISTS (SELECT FROM changed)`,
};

/**
 * Removes what expired, at most $1 rows in all: a snapshot with many items takes several calls, its own row going last. Whoever makes
 * a snapshot of the same name meanwhile is not waited for.
 */
export const PURGE_EXPIRED: Statement = {
  name: 'snapshot_purge_expired',
  isWrite: true,
  text: `
    WITH expired AS MATERIALIZED (
      SELECT s.id FROM snapshot s WHERE s.expires <= clock_timestamp() ORDER BY s.expires LIMIT $1::integer FOR UPDATE SKIP LOCKED
    ), removed AS (
      DELETE FROM snapshot s USING expired
       WHERE s.id = expired.id AND NOT EXISTS (SELECT FROM snapshot_item i WHERE i.snapshot_id = expired.id)
      RETURNING s.id
    ), emptied AS (
      DELETE FROM snapshot_item i
       USING (SELECT i.snapshot_id, i.position FROM expired JOIN snapshot_item i ON i.snapshot_id = expired.id
               LIMIT $1::integer - (SELECT count(*) FROM removed)) AS some_items
       WHERE i.snapshot_id = some_items.snapshot_id AND i.position = some_items.position
      RETURNING i.position
    )
    SELECT (SELECT count(*) FROM removed) + (SELECT count(*) FROM emptied)`,
};

/** Reads the columns of `COLUMNS` from a row, from the given position on. */
export function toSnapshot(row: Row, from: number): Snapshot {
  const description = row[from + 9] as string | null;
  return {
    name: row[from] as string,
    etag: row[from + 1] as string,
    status: row[from + 2] as SnapshotStatus,
    filters: JSON.parse(row[from + 3] as string) as SnapshotFilterText[],
    compositionType: row[from + 4] as CompositionType,
    sizeInBytes: row[from + 5] as number,
    itemsCount: row[from + 6] as number,
    tags: row[from + 7] as string,
    retentionInSeconds: row[from + 8] as number,
    description: description === null ? null : fromStoredText(description),
    createdAt: Number(row[from + 10]),
    expires: row[from + 11] as string | null,
  };
}
