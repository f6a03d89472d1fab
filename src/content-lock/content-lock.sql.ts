import { type Row, type Statement } from '../database/database.js';
import { noteEvent } from '../events/audit.sql.js';
import { type ContentLock } from './content-lock.js';

/**
 * The statements of content locks. Each operation is one function call (see the migration that made them): it locks the object's row,
 * decides by the database's clock, and gives back the lock as it then is, so that an answer never contradicts its decision.
 */

const utc = (column: string, format: string): string => `to_char(${column} AT TIME ZONE 'UTC', '${format}')`;
const micros = (column: string): string => utc(column, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

/** What `toLock` reads, in its order. */
const LOCK = (row: string): string => `
  ${row}.uid, ${row}.holder, ${row}.token, ${utc(`${row}.created`, 'YYYY-MM-DD"T"HH24:MI:SS')},
  floor(extract(epoch FROM ${row}.created))::bigint, ${row}.timeout_s, ${row}.stealable`;
const LOCK_WIDTH = 7;

/** Reads the columns of `LOCK` from a row, from the given position on; null when they are. */
export function toLock(row: Row, from: number): ContentLock | null {
  const [uid, holder, token, created, createdEpoch, timeout, isStealable] = row.slice(from, from + LOCK_WIDTH);
  if (uid === null) return null;
  return {
    uid: uid as string,
    holder: holder as string,
    token: token as string,
    created: created as string,
    createdEpoch: Number(createdEpoch),
    timeout: timeout as number,
    isStealable: isStealable as boolean,
  };
}

export const PRESENT_AT = 1;
export const FORMER_AT = PRESENT_AT + LOCK_WIDTH;

/** What the audit log keeps of a lock that was ended. */
const ENDED = `json_build_object(
  'uid', (former).uid, 'holder', (former).holder, 'created', ${utc('(former).created', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')},
  'timeout', (former).timeout_s, 'stealable', (former).stealable)::text`;

/** Only where a lock may be ended by force: the columns of the audit event follow the function's parameters, and it has its own details. */
const forcedOperation = (name: string, call: string, eventFrom: number): Statement => ({
  name,
  isWrite: true,
  text: `
    WITH done AS MATERIALIZED (
      SELECT * FROM ${call}
    ), noted AS (
      ${noteEvent(eventFrom, `done WHERE outcome IN ('stolen', 'forced')`, ENDED)}
    )
    SELECT outcome, ${LOCK('(present)')}, ${LOCK('(former)')} FROM done`,
});

const operation = (name: string, call: string): Statement => ({
  name,
  isWrite: true,
  text: `SELECT outcome, ${LOCK('(present)')}, ${LOCK('(former)')} FROM ${call}`,
});

/** $1 uid, $2 user, $3 timeout in seconds, $4 stealable, $5 force, $6 whether the user may break any lock, $7 default timeout. */
const TAKE_CALL = 'content_lock_take($1, $2, $3::integer, $4::boolean, $5::boolean, $6::boolean, $7::integer)';
export const TAKE = operation('content_lock_take', TAKE_CALL);
/** The columns of the audit event from $8 on. */
export const TAKE_BY_FORCE = forcedOperation('content_lock_take_by_force', TAKE_CALL, 8);

/** $1 uid, $2 user, $3 timeout in seconds. */
export const REFRESH = operation('content_lock_refresh', 'content_lock_refresh($1, $2, $3::integer)');

/** $1 uid, $2 user, $3 force, $4 whether the user may break any lock. */
const RELEASE_CALL = 'content_lock_release($1, $2, $3::boolean, $4::boolean)';
export const RELEASE = operation('content_lock_release', RELEASE_CALL);
/** The columns of the audit event from $5 on. */
export const RELEASE_BY_FORCE = forcedOperation('content_lock_release_by_force', RELEASE_CALL, 5);

/** $1 uid, $2 token. */
export const RELEASE_BY_TOKEN: Statement = {
  name: 'content_lock_release_by_token',
  isWrite: true,
  text: 'SELECT outcome FROM content_lock_release_by_token($1, $2)',
};

/** $1 uids. Answers the locks that are in force. */
export const FIND: Statement = {
  name: 'content_lock_find',
  isWrite: false,
  text: `SELECT ${LOCK('l')} FROM content_lock l WHERE l.uid = ANY ($1::text[]) AND l.expires_at > clock_timestamp()`,
};

/** $1 how many are counted at most. */
export const COUNT_HELD: Statement = {
  name: 'content_lock_count_held',
  isWrite: false,
  text: `
    SELECT count(*) FROM (SELECT FROM content_lock WHERE expires_at > clock_timestamp() LIMIT $1::integer) held`,
};

/**
 * $1 prefix of the path, $2 holder or null, $3 uid behind which to go on, $4 how many at most. The locks are walked in the order of the
 * answer, each up to the root, and no further than the page goes.
 */
export const LIST: Statement = {
  name: 'content_lock_list',
  isWrite: false,
  text: `
    SELECT h.uid, object.path, object.title, h.holder, ${micros('h.created')}, ${micros('h.expires_at')}, h.timeout_s, h.stealable
      FROM content_lock h
     CROSS JOIN LATERAL (
       WITH RECURSIVE above (parent_uid, path, title) AS (
         SELECT o.parent_uid, CASE WHEN o.parent_uid IS NULL THEN '/' ELSE '/' || o.id END, o.title
           FROM content_object o WHERE o.uid = h.uid
         UNION ALL
         SELECT o.parent_uid, CASE WHEN o.parent_uid IS NULL THEN a.path ELSE '/' || o.id || a.path END, a.title
           FROM above a JOIN content_object o ON o.uid = a.parent_uid)
       SELECT path, title FROM above WHERE parent_uid IS NULL) object
     WHERE h.expires_at > clock_timestamp() AND h.uid > $3 AND ($2::text IS NULL OR h.holder = $2::text)
       AND starts_with(object.path, $1)
     ORDER BY h.uid
     LIMIT $4::integer`,
};

/** $1 rows at most. Tokens of locks that ended more than a day ago, and locks that ran out then; answers how many there were. */
export const PURGE: Statement = {
  name: 'content_lock_purge',
  isWrite: true,
  text: `
    WITH tokens AS (
      DELETE FROM content_lock_token WHERE (uid, token) IN (
        SELECT uid, token FROM content_lock_token WHERE ended_at < clock_timestamp() - interval '1 day'
         ORDER BY ended_at LIMIT $1::integer FOR UPDATE SKIP LOCKED)
      RETURNING 1
    ), locks AS (
      DELETE FROM content_lock WHERE uid IN (
        SELECT uid FROM content_lock WHERE expires_at < clock_timestamp() - interval '1 day'
         ORDER BY expires_at LIMIT $1::integer FOR UPDATE SKIP LOCKED)
      RETURNING 1
    )
    SELECT (SELECT count(*) FROM tokens), (SELECT count(*) FROM locks)`,
};
