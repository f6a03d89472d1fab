import { type Statement } from '../database/database.js';
import { type ChangeGuard } from './content-hooks.js';
import { ROOT_UID } from './content-object.js';

/**
 * The statements of the content tree. A change is one statement: it locks the row, asks the guard for its verdict behind that lock, makes
 * the change or not, and gives back what it decided (docs/adr/0004). Those with a verdict are made when the guard is known.
 */

const instant = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')`;

/** What `toSummary` reads, in its order. */
const SUMMARY = `o.uid, o.id, o.type, o.title, o.description, ${instant('o.created')}, ${instant('o.modified')}`;
/** What `toObject` reads behind it; null where an object is only passed by. */
const DETAILS_WHERE = (condition: string): string =>
  ['fields', 'version', 'created_by'].map((column) => `CASE WHEN ${condition} THEN o.${column} END`).join(', ');

/** $1 ids along the path. Answers the root and each object along the path as far as there are any; the object itself in full. */
export const FIND_BY_PATH: Statement = {
  name: 'content_find_by_path',
  isWrite: false,
  text: `
    WITH RECURSIVE walk (uid, depth) AS (
      SELECT uid, 0 FROM content_object WHERE uid = '${ROOT_UID}'
      UNION ALL
      SELECT c.uid, w.depth + 1
        FROM walk w JOIN content_object c ON c.parent_uid = w.uid AND c.id = ($1::text[])[w.depth + 1]
    )
    SELECT ${SUMMARY}, ${DETAILS_WHERE('w.depth = cardinality($1::text[])')}
      FROM walk w JOIN content_object o ON o.uid = w.uid
     ORDER BY w.depth`,
};

/** $1 uid. Answers the root and each object down to that one, which comes in full; nothing when there is no such object. */
export const FIND_BY_UID: Statement = {
  name: 'content_find_by_uid',
  isWrite: false,
  text: `
    WITH RECURSIVE walk (uid, parent_uid, height) AS (
      SELECT uid, parent_uid, 0 FROM content_object WHERE uid = $1
      UNION ALL
      SELECT p.uid, p.parent_uid, w.height + 1 FROM walk w JOIN content_object p ON p.uid = w.parent_uid
    )
    SELECT ${SUMMARY}, ${DETAILS_WHERE('w.height = 0')}
      FROM walk w JOIN content_object o ON o.uid = w.uid
     ORDER BY w.height DESC`,
};

/** $1 uid of the folder, $2 how many to pass over, $3 how many at most, $4 whether in full. Each row ends with the number of all. */
export const LIST_CHILDREN: Statement = {
  name: 'content_list_children',
  isWrite: false,
  text: `
    WITH total AS MATERIALIZED (SELECT count(*) AS children FROM content_object WHERE parent_uid = $1)
    SELECT ${SUMMARY}, CASE WHEN $4::boolean THEN o.fields END, o.version, o.created_by, total.children
      FROM total
      LEFT JOIN (content_page($1, $2::bigint, $3::bigint) page JOIN content_object o ON o.uid = page.uid) ON true
     ORDER BY page.place, page.uid`,
};

/** $1 uid, $2 parent, $3 id, $4 whether exactly that, $5 reserved ids, $6 type, $7 title, $8 description, $9 fields, $10 user, $11 levels. */
export const CREATE: Statement = {
  name: 'content_create',
  isWrite: true,
  text: `
    WITH room AS MATERIALIZED (
      SELECT content_fits($2, '{}', $11::integer) AS fits
    )
    SELECT outcome, new_id, new_version, ${instant('new_at')}
      FROM (SELECT FROM room WHERE fits OFFSET 0) r
     CROSS JOIN LATERAL content_create($1, $2, $3, $4::boolean, $5::text[], $6, $7, $8, $9, $10)
    UNION ALL
    SELECT 'too-deep', NULL, NULL, NULL FROM room WHERE NOT fits`,
};

/** $1 sources, $2 target, $3 user, $4 objects at most, $5 levels. */
export const COPY: Statement = {
  name: 'content_copy',
  isWrite: true,
  text: `SELECT outcome, source, new_uid, new_id FROM content_copy($1::text[], $2, $3, $4::integer, $5::integer)`,
};

/** Statements that ask the guard. */
export interface GuardedStatements {
  readonly update: Statement;
  readonly remove: Statement;
  readonly move: Statement;
}

/** Read by nobody: a guard need not use all of its parameters, and PostgreSQL takes none whose type nobody names. */
const CLAIM = 'claim AS (SELECT $2::text, $3::text, $4::boolean)';
const MAY_GO_ON = `verdict IN ('free', 'holder')`;

/**
 * Every one of them begins with $1 uid (of a move: uids), $2 user, $3 token, $4 whether the lock is released with the change.
 */
export function guardedStatements({
  verdictSql,
  changedSql,
}: Pick<ChangeGuard, 'verdictSql' | 'changedSql'>): GuardedStatements {
  const verdict = (uid: string): string => verdictSql(uid, '$2::text', '$3::text');
  const changed = (uid: string): string => changedSql(uid, '$2::text', '$3::text', '$4::boolean');
  return {
    /**
     * $5 versions that `If-Match` names, null for any; then what content_update takes: $6 id, $7 title, $8 description, $9 touched fields,
     * $10 new fields, $11 bytes at most, $12 child to reorder, $13 by how much, $14 among which. Answers verdict, whether the condition
     * holds, outcome and new version.
     */
    update: {
      name: 'content_update',
      isWrite: true,
      text: `
        WITH ${CLAIM}, seen AS MATERIALIZED (
          SELECT uid, version FROM content_object WHERE uid = $1 FOR UPDATE
        ), judged AS MATERIALIZED (
          SELECT uid, ${verdict('seen.uid')} AS verdict, $5::bigint[] IS NULL OR version = ANY ($5::bigint[]) AS holds FROM seen
        ), changed AS MATERIALIZED (
          SELECT j.uid, c.outcome, c.new_version
            FROM (SELECT uid FROM judged WHERE ${MAY_GO_ON} AND holds OFFSET 0) j
           CROSS JOIN LATERAL content_update(j.uid, $2, $6, $7, $8, $9::text[], $10, $11::integer, $12, $13, $14::text[]) c
        ), touched AS MATERIALIZED (
          SELECT ${changed('changed.uid')} FROM changed WHERE outcome = 'done'
        )
        SELECT verdict, holds, outcome, new_version, (SELECT count(*) FROM touched)
          FROM judged LEFT JOIN changed ON true`,
    },
    /**
     * $5 versions that `If-Match` names, null for any, $6 objects at most. Answers verdict of the object, whether the condition holds, uids
     * in the way, outcome. Where there are too many, nothing is judged.
     */
    remove: {
      name: 'content_remove',
      isWrite: true,
      text: `
        WITH ${CLAIM}, seen AS MATERIALIZED (
          SELECT uid, level, version FROM content_lock_subtree($1, $6::integer)
        ), size AS MATERIALIZED (
          SELECT bool_or(uid IS NULL) AS is_too_large FROM seen
        ), judged AS MATERIALIZED (
          SELECT uid, level, ${verdict('seen.uid')} AS verdict,
                 level > 0 OR $5::bigint[] IS NULL OR version = ANY ($5::bigint[]) AS holds
            FROM seen WHERE NOT (SELECT is_too_large FROM size)
        ), decided AS MATERIALIZED (
          SELECT bool_and(${MAY_GO_ON}) AS may_go_on, bool_and(holds) AS holds, array_agg(uid) AS uids,
                 (array_agg(uid ORDER BY level, uid) FILTER (WHERE NOT (${MAY_GO_ON})))[1:5] AS in_the_way,
                 (array_agg(verdict ORDER BY level, uid) FILTER (WHERE NOT (${MAY_GO_ON})))[1] AS verdict
            FROM judged HAVING count(*) > 0
        )
        SELECT coalesce(verdict, 'free'), holds, in_the_way,
               CASE WHEN may_go_on AND holds THEN content_remove(uids) END
          FROM decided
        UNION ALL
        SELECT 'free', true, NULL, 'too-many' FROM size WHERE is_too_large`,
    },
    /**
     * $5 target, $6 levels. Answers for each source in turn: its uid, verdict, outcome, new id; an outcome that is not done stands in each
     * row. What comes no deeper than it is always fits, and is not looked through.
     */
    move: {
      name: 'content_move',
      isWrite: true,
      text: `
        WITH ${CLAIM}, gate AS MATERIALIZED (
          SELECT content_move_gate() AS passed
        ), seen AS MATERIALIZED (
          SELECT o.uid, s.place
            FROM gate, unnest($1::text[]) WITH ORDINALITY s (uid, place) JOIN content_object o ON o.uid = s.uid
           ORDER BY s.place FOR UPDATE OF o
        ), judged AS MATERIALIZED (
          SELECT uid, place, ${verdict('seen.uid')} AS verdict FROM seen
        ), decided AS MATERIALIZED (
          SELECT array_agg(uid) AS uids FROM judged HAVING bool_and(${MAY_GO_ON}) AND count(*) = cardinality($1::text[])
        ), room AS MATERIALIZED (
          SELECT sinking = '{}' OR content_fits($5, sinking, $6::integer) AS fits
            FROM (SELECT ARRAY(SELECT uid FROM unnest(uids) uid WHERE content_level(uid) <= content_level($5)) AS sinking
                    FROM decided OFFSET 0) d
        ), changed AS MATERIALIZED (
          SELECT c.* FROM (SELECT FROM room WHERE fits OFFSET 0) r CROSS JOIN LATERAL content_move($1::text[], $5, $2) c
          UNION ALL
          SELECT 'too-deep', NULL, NULL FROM room WHERE NOT fits
        ), touched AS MATERIALIZED (
          SELECT ${changed('changed.source')} FROM changed WHERE outcome = 'done'
        )
        SELECT judged.uid, verdict, outcome, new_id, (SELECT count(*) FROM touched)
          FROM judged LEFT JOIN changed ON changed.source = judged.uid OR changed.source IS NULL
         ORDER BY place`,
    },
  };
}
