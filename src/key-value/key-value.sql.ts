import { type Row, type Statement } from '../database/database.js';
import { fromStoredText } from '../database/stored-text.js';
import { FENCE_COLUMNS, IS_CURRENT_AFTER, IS_CURRENT_BEFORE, lockLease, LOOK_AGAIN } from '../lease/lock-fence.sql.js';
import { type KeyValue } from './key-value.js';

/**
 * The statements of the key-value tables. Each decision is one statement: it locks the row, looks at the condition, writes state and
 * revision, and gives back what it saw, so that no second read can contradict it (reliability §4.1, §4.3).
 */

/** What `toKeyValue` reads, in its order. The clock is cut to seconds here: microseconds would not survive a JavaScript number. */
export const COLUMNS = (table: string): string =>
  ['key', 'label', 'value', 'content_type', 'tags', 'description', 'locked', 'etag', 'revision']
    .map((column) => `${table}.${column}`)
    .concat(`floor(date_part('epoch', ${table}.last_modified))::bigint`)
    .join(', ');

export const LAST_REVISION: Statement = {
  name: 'key_value_last_revision',
  isWrite: false,
  text: `SELECT last_value FROM key_value_revision_seq`,
};

/** Rows of history beyond which `STORE_CHANGES` does not count: a transaction that stays open for long holds the window open. */
export const STORE_CHANGES_LIMIT = 1000;

/**
 * What shows whether the store has changed (`StoreEpoch`): which server and which table this is (a restore under a
 * running service makes another one, whose rows have ids of old), the oldest transaction that has not ended, then number
 * and sum of the revisions visible from transaction $1 on, and of those from that oldest one on.
 */
export const STORE_CHANGES: Statement = {
  name: 'key_value_store_changes',
  isWrite: false,
  text: `
    SELECT pg_postmaster_start_time()::text || ' ' || pg_relation_filenode('key_value_revision')::text, now.xmin::text,
           count(r.xid), sum(r.revision)::text,
           count(r.xid) FILTER (WHERE r.xid >= now.xmin), sum(r.revision) FILTER (WHERE r.xid >= now.xmin)::text
      FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin) now
      LEFT JOIN LATERAL (
        SELECT xid, revision FROM key_value_revision WHERE xid >= least($1::xid8, now.xmin) ORDER BY xid LIMIT ${STORE_CHANGES_LIMIT}
      ) r ON true
     GROUP BY now.xmin`,
};

/** $1 keys, $2 labels, of the same length; each row is led by the position, from 1, of the pair that it answers. */
export const FIND_MANY: Statement = {
  name: 'key_value_find_many',
  isWrite: false,
  text: `
    SELECT wanted.position, ${COLUMNS('k')}
      FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (key, label, position)
      JOIN key_value k ON k.key = wanted.key AND k.label = wanted.label
     WHERE NOT k.deleted`,
};

export const FIND_AS_OF: Statement = {
  name: 'key_value_find_as_of',
  isWrite: false,
  text: `
    SELECT ${COLUMNS('r')}, r.deleted
      FROM key_value_revision r
     WHERE r.key = $1 AND r.label = $2 AND r.last_modified < $3::timestamptz
     ORDER BY r.last_modified DESC
     LIMIT 1`,
};

/**
 * The condition of a request against the locked row, as `precondition/condition.ts` spells its kinds. A tombstone counts as missing.
 */
export const conditionHolds = (row: string, kind: string, tag: string, isMissing = `${row}.deleted`): string => `
  CASE ${kind}
    WHEN 'none' THEN true
    WHEN 'match' THEN NOT ${isMissing} AND ${row}.etag = ${tag}
    WHEN 'match-any' THEN NOT ${isMissing}
    WHEN 'none-match' THEN ${isMissing} OR ${row}.etag <> ${tag}
    WHEN 'none-match-any' THEN ${isMissing}
  END`;

/** Every change draws entity tag, revision and time alike. Time never stands still or runs back for a key-value (promise P5). */
const stamp = (etag: string): string => `
  etag = ${etag},
  revision = nextval('key_value_revision_seq'),
  last_modified = greatest(clock_timestamp(), k.last_modified + interval '1 microsecond')`;

const REVISION_COLUMNS = `
  revision, key, label, value, content_type, tags, description, locked, deleted, etag, last_modified`;

/** What one kind of change adds to the shape that all share. */
export interface Change {
  name: string;
  /** Assignments beside the stamp. */
  set: string;
  /** What must be so about the row seen, beside the condition, for the change to be made. */
  when: string;
  /** Complete `INSERT … RETURNING` for a row that does not exist; left out where a change makes none. */
  create?: string;
  /** Whether the caller gets the state before the change. */
  returnsFormer?: boolean;
  /** The parameters that hold the digest of a lease's key and a fence, where the change is made only while that fence is current. */
  fencedBy?: readonly [digest: string, fence: string];
}

/**
 * Put, delete, lock and unlock share this shape and so the one place that writes a revision.
 *
 * Parameters: $1 key, $2 label, $3 new entity tag, $4 actor, $5 address, $6 request id, $7 condition, $8 its tag, then the change's own.
 * Answers at most one row: the revision it wrote, or null, and the row it wrote or else the row it saw under its lock. No row means
 * that there was none and none was made.
 *
 * A fenced change (`lockLease` says how) always answers a row, with `FENCE_COLUMNS` behind the others, which are null where there was no
 * row. It makes none by itself: an `INSERT` that meets another one waits for it, behind the last look at the clock.
 */
export function changeStatement({ name, set, when, create, returnsFormer = false, fencedBy }: Change): Statement {
  const written = create ? 'SELECT * FROM changed UNION ALL SELECT * FROM created' : 'SELECT * FROM changed';
  const answer = returnsFormer
    ? `SELECT (SELECT revision FROM written), ${COLUMNS('s')}, s.deleted FROM seen s`
    : `SELECT w.revision, ${COLUMNS('w')}, w.deleted FROM written w
       UNION ALL
       SELECT NULL, ${COLUMNS('s')}, s.deleted FROM seen s WHERE NOT EXISTS (SELECT FROM written)`;
  return {
    name,
    isWrite: true,
    text: `
      WITH ${fencedBy ? `${lockLease(...fencedBy)}, ` : ''}seen AS (
        SELECT * FROM key_value WHERE key = $1 AND label = $2 ${fencedBy ? `AND ${IS_CURRENT_BEFORE}` : ''} FOR UPDATE
      ), ${fencedBy ? `${LOOK_AGAIN}, ` : ''}changed AS (
        UPDATE key_value k SET ${set}, ${stamp('$3')}
          FROM seen
         WHERE k.key = $1 AND k.label = $2
           AND ${conditionHolds('seen', '$7::text', '$8::text')}
           AND ${when}
           ${fencedBy ? `AND ${IS_CURRENT_AFTER}` : ''}
        RETURNING k.*
      ), ${create ? `created AS (${create} RETURNING *), ` : ''}
      written AS (
        ${written}
      ), recorded AS (
        INSERT INTO key_value_revision (${REVISION_COLUMNS}, actor, address, request_id)
        SELECT ${REVISION_COLUMNS}, $4, $5, $6::uuid FROM written
      )
      ${fencedBy ? `SELECT a.*, ${FENCE_COLUMNS} FROM (SELECT) one LEFT JOIN (${answer}) a ON true` : answer}`,
  };
}

/** Where a put finds what it is given: parameters, or columns of a row that holds them. */
interface PutInput {
  readonly value: string;
  readonly contentType: string;
  readonly tags: string;
  readonly description: string;
  /** Whether the caller's version knows descriptions. */
  readonly hasDescription: string;
}

/** The rules of a put, for `k` being the row to change and `seen` the same one as it was locked. */
const putChange = ({ value, contentType, tags, description, hasDescription }: PutInput) => ({
  set: `
    value = ${value}, content_type = ${contentType}, tags = ${tags},
    description = CASE WHEN ${hasDescription} THEN ${description} WHEN k.deleted THEN NULL ELSE k.description END,
    locked = false, deleted = false`,
  // A put that alters nothing changes nothing: same entity tag, no revision (contract section 2.9).
  when: `
    NOT seen.locked
    AND (seen.deleted
      OR seen.value IS DISTINCT FROM ${value}
      OR seen.content_type IS DISTINCT FROM ${contentType}
      OR (seen.tags <> ${tags} AND seen.tags::jsonb <> ${tags}::jsonb)
      OR (${hasDescription} AND seen.description IS DISTINCT FROM ${description}))`,
});

/** $9 value, $10 content type, $11 tags, $12 description, $13 whether the caller's version knows descriptions. */
const PUT_INPUT: PutInput = {
  value: '$9::text',
  contentType: '$10::text',
  tags: '$11::text',
  description: '$12::text',
  hasDescription: '$13::boolean',
};

const CREATED_COLUMNS = 'key, label, value, content_type, tags, description, etag, revision, last_modified';

export const PUT = changeStatement({
  name: 'key_value_put',
  ...putChange(PUT_INPUT),
  // Two creations can meet: the loser finds nothing seen and nothing made, and the repository runs it once more.
  create: `
    INSERT INTO key_value (${CREATED_COLUMNS})
    SELECT $1, $2, $9::text, $10::text, $11::text, CASE WHEN $13::boolean THEN $12::text END, $3,
           nextval('key_value_revision_seq'), clock_timestamp()
     WHERE $7::text NOT IN ('match', 'match-any') AND NOT EXISTS (SELECT FROM seen)
    ON CONFLICT ON CONSTRAINT key_value_pkey DO NOTHING`,
});

const PUT_MANY_CHANGE = putChange({
  value: 'seen.new_value',
  contentType: 'seen.new_content_type',
  tags: 'seen.new_tags',
  description: 'seen.new_description',
  hasDescription: 'seen.has_description',
});

/**
 * How long a batch of puts waits for another transaction that is making one of its key-values, in milliseconds: long enough for a
 * commit, short for the others of the batch. It is the only thing that a batch waits for.
 */
const BATCH_LOCK_TIMEOUT = 100;

/**
 * Decides many puts, each as `PUT` would, and commits them together. $1 to $13 are arrays of what `PUT` takes, all of the same length;
 * no key-value comes twice. Each row is led by the position, from 1, of the put that it answers, and goes on as `PUT`'s.
 *
 * A put without a row was not decided: its key-value was locked by somebody else, or was being made or removed meanwhile, or there was
 * none and none might be made. Rows that exist are never waited for; creations are made in the order of the index, as imports do, so
 * that none can wait for another in a circle.
 */
export const PUT_MANY: Statement = {
  name: 'key_value_put_many',
  isWrite: true,
  text: `
    WITH wanted AS MATERIALIZED (
      SELECT *
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[],
                    $9::text[], $10::text[], $11::text[], $12::text[], $13::boolean[])
             WITH ORDINALITY AS w (new_key, new_label, new_etag, actor, address, request_id, condition, condition_tag,
                                   new_value, new_content_type, new_tags, new_description, has_description, position)
       WHERE (SELECT set_config('lock_timeout', '${BATCH_LOCK_TIMEOUT}', true)) IS NOT NULL
    ), locked AS (
      SELECT k.*, w.* FROM wanted w JOIN key_value k ON k.key = w.new_key AND k.label = w.new_label
         FOR UPDATE OF k SKIP LOCKED
    ), judged AS (
      SELECT *, ${conditionHolds('seen', 'seen.condition', 'seen.condition_tag')} AND ${PUT_MANY_CHANGE.when} AS applies
        FROM locked seen
    ), changed AS (
      UPDATE key_value k SET ${PUT_MANY_CHANGE.set}, ${stamp('seen.new_etag')}
        FROM judged seen
       WHERE k.key = seen.key AND k.label = seen.label AND seen.applies
      RETURNING k.*, seen.actor, seen.address, seen.request_id, seen.position
    ), made AS (
      INSERT INTO key_value (${CREATED_COLUMNS})
      SELECT w.new_key, w.new_label, w.new_value, w.new_content_type, w.new_tags,
             CASE WHEN w.has_description THEN w.new_description END, w.new_etag,
             nextval('key_value_revision_seq'), clock_timestamp()
        FROM wanted w
       WHERE w.condition NOT IN ('match', 'match-any')
         AND NOT EXISTS (SELECT FROM key_value k WHERE k.key = w.new_key AND k.label = w.new_label)
       ORDER BY w.new_key COLLATE "C", w.new_label COLLATE "C"
      ON CONFLICT ON CONSTRAINT key_value_pkey DO NOTHING
      RETURNING *
    ), written AS (
      SELECT * FROM changed
      UNION ALL
      SELECT m.*, w.actor, w.address, w.request_id, w.position FROM made m JOIN wanted w ON w.new_etag = m.etag
    ), recorded AS (
      INSERT INTO key_value_revision (${REVISION_COLUMNS}, actor, address, request_id)
      SELECT ${REVISION_COLUMNS}, actor, address, request_id FROM written
    )
    SELECT w.position, w.revision, ${COLUMNS('w')}, w.deleted FROM written w
    UNION ALL
    SELECT s.position, NULL, ${COLUMNS('s')}, s.deleted FROM judged s WHERE NOT s.applies`,
};

/** $14 digest of the lease's key, $15 fence. Needs a row to change: see `MAKE_ROOM`. */
export const FENCED_PUT = changeStatement({
  name: 'key_value_put_fenced',
  ...putChange(PUT_INPUT),
  fencedBy: ['$14', '$15'],
});

/**
 * A tombstone without a past, for a fenced put to bring to life: its row can be waited for before the last look at the clock. $1 key,
 * $2 label. Where the put then fails it stays behind, and counts as missing like any tombstone.
 */
export const MAKE_ROOM: Statement = {
  name: 'key_value_make_room',
  isWrite: true,
  text: `
    INSERT INTO key_value (key, label, tags, deleted, etag, revision, last_modified)
    VALUES ($1, $2, '{}', true, '', 0, clock_timestamp())
    ON CONFLICT ON CONSTRAINT key_value_pkey DO NOTHING`,
};

const REMOVE_CHANGE = {
  set: `value = NULL, content_type = NULL, tags = '{}', description = NULL, locked = false, deleted = true`,
  when: `NOT seen.deleted AND NOT seen.locked`,
  returnsFormer: true,
};

/** Leaves a tombstone; answers the key-value as it was before (contract section 2.10). */
export const REMOVE = changeStatement({ name: 'key_value_remove', ...REMOVE_CHANGE });

/** $9 digest of the lease's key, $10 fence. */
export const FENCED_REMOVE = changeStatement({
  name: 'key_value_remove_fenced',
  ...REMOVE_CHANGE,
  fencedBy: ['$9', '$10'],
});

/** How many columns `COLUMNS` names. */
export const COLUMN_COUNT = 10;

/** Reads the columns of `COLUMNS` from a row, from the given position on. */
export function toKeyValue(row: Row, from: number): KeyValue {
  const value = row[from + 2] as string | null;
  const description = row[from + 5] as string | null;
  return {
    key: row[from] as string,
    label: row[from + 1] as string,
    value: value === null ? null : fromStoredText(value),
    contentType: row[from + 3] as string | null,
    tags: row[from + 4] as string,
    description: description === null ? null : fromStoredText(description),
    locked: row[from + 6] as boolean,
    etag: row[from + 7] as string,
    revision: row[from + 8] as string,
    modifiedAt: Number(row[from + 9]),
  };
}
