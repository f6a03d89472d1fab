import { type Statement } from '../database/database.js';
import { COLUMNS, isFree, isHeld, isOnlyAwaited, LIVE_WAITERS, ms } from './lease.sql.js';

/**
 * The same decisions as those of `lease.sql.ts`, for many keys by one statement and with one commit. No key comes twice. Each row is
 * locked, looked at and changed as there; but a row that somebody else has locked is passed by, so that no call waits for what only
 * another one has to wait for, and two batches cannot wait for each other. For what is not decided there is no row in the answer: these
 * calls go by the single statement.
 */

/**
 * Parameters from $1 on as arrays of these types. In sub-selects, because the planner would else look at how many elements there are, and
 * so make a new plan each time: ten times the cost of the rest.
 */
const arrays = (...types: string[]): string =>
  types.map((type, index) => `(SELECT $${index + 1}::${type}[])`).join(', ');

/** The same of a row that the columns of its own call follow. */
const isFreeForIts = (row: string): string => isFree(row, { owner: `${row}.wanted_owner`, delayMs: `${row}.delay_ms` });

/**
 * How long a batch waits for another transaction that is making one of its rows, in milliseconds: long enough for a commit, short for
 * the other calls. It is the only thing that a batch waits for.
 */
const LOCK_TIMEOUT_MS = 100;

/**
 * $1 digests, $2 stored keys, $3 owners, $4 lengths in ms, $5 metadata, $6 idempotency keys, $7 actors, $8 request ids, $9 delays in ms
 * after an expiry, all of the same length. Answers the digest, and then what `TRY` answers.
 *
 * Rows that were not there are inserted in the order of their digests: who inserts one of them at the same moment is waited for,
 * a short time.
 */
export const TRY_MANY: Statement = {
  name: 'lease_try_many',
  isWrite: true,
  text: `
    WITH wanted AS (
      SELECT *
        FROM unnest(${arrays('bytea', 'bytea', 'bytea', 'bigint', 'text', 'text', 'text', 'uuid', 'bigint')}) AS w (
          wanted_digest, wanted_key, wanted_owner, wanted_ms, wanted_metadata, wanted_idempotency, wanted_actor, wanted_request,
          delay_ms)
       WHERE (SELECT set_config('lock_timeout', '${LOCK_TIMEOUT_MS}', true)) IS NOT NULL
    ), seen AS MATERIALIZED (
      SELECT * FROM wanted w LEFT JOIN lease l ON l.key_digest = w.wanted_digest
    ), looked AS MATERIALIZED (
      SELECT s.*, ${isFreeForIts('s')} AS is_free FROM seen s
    ), locked AS MATERIALIZED (
      SELECT k.wanted_owner, k.wanted_ms, k.wanted_metadata, k.wanted_idempotency, k.wanted_actor, k.wanted_request,
             k.delay_ms, l.key_digest, l.owner, l.expires_at, l.waiters
        FROM looked k JOIN lease l ON l.key_digest = k.key_digest
       WHERE k.is_free
         FOR UPDATE OF l SKIP LOCKED
    ), retaken AS (
      UPDATE lease l
         SET owner = k.wanted_owner, fence = lease_next_fence(l.fence), granted_at = clock_timestamp(),
             expires_at = clock_timestamp() + ${ms('k.wanted_ms')}, ttl_ms = k.wanted_ms, renewals = 0,
             metadata = k.wanted_metadata, idempotency_key = k.wanted_idempotency, ticket = NULL, actor = k.wanted_actor,
             request_id = k.wanted_request, touched_at = clock_timestamp()
        FROM locked k
       WHERE l.key_digest = k.key_digest AND ${isFreeForIts('k')}
      RETURNING l.*, k.owner IS NOT NULL AS had_expired
    ), made AS (
      INSERT INTO lease AS l (
        key_digest, stored_key, owner, fence, granted_at, expires_at, ttl_ms, metadata, idempotency_key, actor, request_id)
      SELECT k.wanted_digest, k.wanted_key, k.wanted_owner, lease_next_fence(0), clock_timestamp(),
             clock_timestamp() + ${ms('k.wanted_ms')}, k.wanted_ms, k.wanted_metadata, k.wanted_idempotency, k.wanted_actor,
             k.wanted_request
        FROM looked k
       WHERE k.key_digest IS NULL
       ORDER BY k.wanted_digest
      ON CONFLICT ON CONSTRAINT lease_pkey DO NOTHING
      RETURNING *
    )
    SELECT r.key_digest, true, false, ${COLUMNS('r')}, r.had_expired FROM retaken r
    UNION ALL
    SELECT m.key_digest, true, false, ${COLUMNS('m')}, false FROM made m
    UNION ALL
    SELECT k.key_digest, false, ${isOnlyAwaited('k', 'k.delay_ms')}, ${COLUMNS('k', LIVE_WAITERS('k'))}, false
      FROM looked k WHERE k.key_digest IS NOT NULL AND NOT k.is_free`,
};

/**
 * $1 digests, $2 owners or null, $3 fences or null, $4 principals or null, $5 actors, $6 request ids, all of the same length. Answers the
 * digest and the outcome, as `RELEASE` does.
 */
export const RELEASE_MANY: Statement = {
  name: 'lease_release_many',
  isWrite: true,
  text: `
    WITH seen AS (
      SELECT w.*, l.*
        FROM unnest(${arrays('bytea', 'bytea', 'bigint', 'text', 'text', 'uuid')}) AS w (
               claimed_digest, claimed_owner, claimed_fence, claimed_actor, new_actor, new_request)
        JOIN lease l ON l.key_digest = w.claimed_digest
         FOR UPDATE OF l SKIP LOCKED
    ), judged AS MATERIALIZED (
      SELECT s.key_digest, s.new_actor, s.new_request,
             CASE
               WHEN NOT ${isHeld('s')} THEN 'not-held'
               WHEN s.owner <> s.claimed_owner OR s.fence <> s.claimed_fence OR s.actor <> s.claimed_actor THEN 'held-by-other'
               WHEN s.waiters > 0 THEN 'has-waiters'
               ELSE 'released'
             END AS outcome
        FROM seen s
    ), freed AS (
      UPDATE lease l
         SET owner = NULL, metadata = NULL, idempotency_key = NULL, actor = j.new_actor, request_id = j.new_request,
             touched_at = clock_timestamp()
        FROM judged j
       WHERE l.key_digest = j.key_digest AND j.outcome = 'released'
      RETURNING j.key_digest, j.outcome
    )
    SELECT * FROM freed
    UNION ALL
    SELECT j.key_digest, j.outcome FROM judged j WHERE j.outcome <> 'released'`,
};
