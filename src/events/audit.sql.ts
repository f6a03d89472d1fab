import { type Statement } from '../database/database.js';

/**
 * The statements of the audit log. Both sources are read alike: from a position on, newest first, along an index by time; at most $5 rows
 * are looked at, and at most $6 of those that match are given. Each row is led by the number of rows looked at and by the position of
 * the last of them; a source without a match answers one row with nothing behind those three.
 */

const iso = (time: string): string => `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** A filter that is off when its parameter is null. */
const equals = (column: string, parameter: string): string =>
  `(${parameter}::text IS NULL OR ${column} = ${parameter}::text)`;

/** The sub-select is evaluated once, so that it can bound the index range although the clock moves. */
const NOT_BEFORE = `(SELECT greatest($3::timestamptz, clock_timestamp() - $4::int * interval '1 day'))`;

/** What `auditColumns` gives, in its order. */
export const EVENT_COLUMNS = [
  'actor',
  'address',
  'request_id',
  'surface',
  'action',
  'target',
  'outcome',
  'reason',
  'details',
] as const;

/**
 * A part of the `WITH` of a statement that ends something by force: the event is written in the same transaction or the change is not
 * made. What `auditColumns` gives follows from parameter `first` on.
 *
 * @param from where the rows come from for each of which the event is written, with a condition
 * @param details SQL of the JSON text, where only the statement knows what it ended
 */
export const noteEvent = (first: number, from: string, details?: string): string => {
  const values = EVENT_COLUMNS.map((column, index) => {
    if (column === 'details' && details !== undefined) return details;
    return `$${first + index}::${column === 'request_id' ? 'uuid' : 'text'}`;
  });
  return `INSERT INTO audit_event (${EVENT_COLUMNS.join(', ')}) SELECT ${values.join(', ')} FROM ${from}`;
};

/**
 * $1 ages in milliseconds: how long ago each happened, for events that were queued; $2 actors, $3 addresses, $4 request ids,
 * $5 surfaces, $6 actions, $7 targets, $8 outcomes, $9 reasons, $10 details.
 */
export const ADD_EVENTS: Statement = {
  name: 'audit_add',
  isWrite: true,
  text: `
    INSERT INTO audit_event (at, ${EVENT_COLUMNS.join(', ')})
    SELECT clock_timestamp() - e.age * interval '1 millisecond',
           ${EVENT_COLUMNS.map((column) => `e.${column}`).join(', ')}
      FROM unnest($1::float8[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                  $10::text[]) WITH ORDINALITY
        AS e (age, ${EVENT_COLUMNS.join(', ')}, position)
     ORDER BY e.position`,
};

/** How a statement looks for targets: every shape keeps one prepared plan. */
export type TargetShape = 'any' | 'exact' | 'prefix';

const eventPage = (shape: TargetShape): Statement => ({
  name: `audit_events_${shape}`,
  isWrite: false,
  text: `
    WITH scanned AS MATERIALIZED (
      SELECT * FROM audit_event
       WHERE (at, id) < ($1::timestamptz, $2::bigint) AND at >= ${NOT_BEFORE}
       ORDER BY at DESC, id DESC
       LIMIT $5::int
    ), last AS (
      SELECT at, id FROM scanned ORDER BY at, id LIMIT 1
    ), matching AS (
      SELECT * FROM scanned
       WHERE ${equals('actor', '$7')} AND ${equals('surface', '$8')}
         ${{ any: '', exact: 'AND target = $9::text', prefix: 'AND starts_with(target, $9::text)' }[shape]}
       ORDER BY at DESC, id DESC
       LIMIT $6::int
    )
    SELECT s.count, ${iso('last.at')}, last.id,
           m.id, ${iso('m.at')}, m.actor, m.address, m.request_id, m.surface, m.action, m.target, m.outcome, m.reason, m.details
      FROM (SELECT count(*)::int FROM scanned) s
      LEFT JOIN last ON true
      LEFT JOIN matching m ON true
     ORDER BY m.at DESC, m.id DESC`,
});

/** A key-value's target in the log: its key, and for one with a label a line feed, which no name contains, and the label. */
const KEY_VALUE_TARGET = `(CASE label WHEN '' THEN key ELSE key || E'\\n' || label END)`;

/** Columns of a key-value's state, in the order that `audit.repository.ts` reads. */
const STATE = (row: string): string =>
  ['value', 'content_type', 'tags', 'description', 'locked'].map((column) => `${row}.${column}`).join(', ');

/**
 * $7 actor, then $8 key and $9 label, or $8 the beginning of the target. One key-value is read along its own history, so that asking for
 * it does not pass by everything else that was changed.
 */
const revisionPage = (shape: TargetShape): Statement => ({
  name: `audit_revisions_${shape}`,
  isWrite: false,
  text: `
    WITH scanned AS MATERIALIZED (
      SELECT r.revision, r.last_modified, r.key, r.label, r.actor FROM key_value_revision r
       WHERE (r.last_modified, r.revision) < ($1::timestamptz, $2::bigint) AND r.last_modified >= ${NOT_BEFORE}
         ${shape === 'exact' ? 'AND r.key = $8::text AND r.label = $9::text' : ''}
       ORDER BY r.last_modified DESC, r.revision DESC
       LIMIT $5::int
    ), last AS (
      SELECT last_modified, revision FROM scanned ORDER BY last_modified, revision LIMIT 1
    ), matching AS (
      SELECT revision FROM scanned
       WHERE ${equals('actor', '$7')} ${shape === 'prefix' ? `AND starts_with(${KEY_VALUE_TARGET}, $8::text)` : ''}
       ORDER BY last_modified DESC, revision DESC
       LIMIT $6::int
    )
    SELECT s.count, ${iso('last.last_modified')}, last.revision,
           r.revision, ${iso('r.last_modified')}, r.actor, r.address, r.request_id, r.key, r.label, r.deleted, ${STATE('r')},
           p.deleted, ${STATE('p')}
      FROM (SELECT count(*)::int FROM scanned) s
      LEFT JOIN last ON true
      LEFT JOIN (matching m
                 JOIN key_value_revision r ON r.revision = m.revision
                 LEFT JOIN LATERAL (
                   SELECT * FROM key_value_revision former
                    WHERE former.key = r.key AND former.label = r.label AND former.last_modified < r.last_modified
                    ORDER BY former.last_modified DESC LIMIT 1
                 ) p ON true) ON true
     ORDER BY r.last_modified DESC, r.revision DESC`,
});

const inEachShape = (make: (shape: TargetShape) => Statement): Record<TargetShape, Statement> => ({
  any: make('any'),
  exact: make('exact'),
  prefix: make('prefix'),
});

export const EVENT_PAGE = inEachShape(eventPage);
export const REVISION_PAGE = inEachShape(revisionPage);

/** $1 days, $2 rows at most. Processes that purge at once pass by each other's rows. */
export const PURGE_EVENTS: Statement = {
  name: 'audit_purge',
  isWrite: true,
  text: `
    WITH old AS (
      SELECT id FROM audit_event
       WHERE at < (SELECT clock_timestamp() - $1::int * interval '1 day')
       ORDER BY at, id
       LIMIT $2::int
         FOR UPDATE SKIP LOCKED
    ), gone AS (
      DELETE FROM audit_event e USING old WHERE e.id = old.id RETURNING e.id
    )
    SELECT count(*) FROM gone`,
};
