import { type Row, type Statement } from '../database/database.js';
import { noteEvent } from '../events/audit.sql.js';
import { type Lease } from './lease.js';

/**
 * The statements of the lease tables. Each decision is one statement or one function call: it locks the row, looks at it by the
 * database's clock, changes it, and gives back what it saw (reliability §4.2). The functions are in the migration that made the tables.
 */

const time = (expression: string): string =>
  `to_char(${expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** Milliseconds of a parameter as an interval. */
export const ms = (parameter: string): string => `${parameter}::bigint * interval '1 ms'`;

export const isHeld = (row: string): string => `(${row}.owner IS NOT NULL AND ${row}.expires_at > clock_timestamp())`;

const remainingMs = (row: string): string => `extract(epoch FROM ${row}.expires_at - clock_timestamp())::float8 * 1000`;

/** What `toLease` reads, in its order. */
export const COLUMNS = (row: string, waiters = `${row}.waiters`): string => `
  ${row}.stored_key, ${isHeld(row)}, ${row}.owner, ${row}.fence, ${time(`${row}.granted_at`)}, ${time(`${row}.expires_at`)},
  ${row}.ttl_ms, ${row}.renewals, ${waiters}, ${row}.metadata, ${row}.idempotency_key`;

/** Reads the columns of `COLUMNS` from a row, from the given position on. */
export function toLease(row: Row, from: number): Lease {
  const isHeldNow = row[from + 1] as boolean;
  const ifHeld = <T>(value: unknown): T | null => (isHeldNow ? (value as T) : null);
  return {
    storedKey: (row[from] as Buffer).toString(),
    isHeld: isHeldNow,
    owner: isHeldNow ? (row[from + 2] as Buffer).toString() : null,
    fence: row[from + 3] as string | null,
    grantedAt: ifHeld(row[from + 4]),
    expiresAt: ifHeld(row[from + 5]),
    ttlMs: isHeldNow ? Number(row[from + 6]) : null,
    renewals: isHeldNow ? (row[from + 7] as number) : 0,
    waiters: row[from + 8] as number,
    metadata: ifHeld(row[from + 9]),
    idempotencyKey: ifHeld(row[from + 10]),
  };
}

/** Tickets of processes that live; the counter in the row includes those that died with theirs. */
export const LIVE_WAITERS = (row: string): string => `
  CASE WHEN ${row}.waiters = 0 THEN 0 ELSE (
    SELECT count(*)::integer FROM lease_ticket t JOIN lease_replica r ON r.id = t.replica
     WHERE t.key_digest = ${row}.key_digest AND r.alive_until > clock_timestamp()) END`;

/**
 * Whether a lease as `row` has it may be granted: nobody waits for it, and it is not held. After an expiry it is free for its last
 * owner at once, and for others only after a delay.
 */
export const isFree = (row: string, { owner, delayMs }: { owner: string; delayMs: string }): string => `(
  ${row}.waiters = 0 AND (${row}.owner IS NULL
    OR ${row}.expires_at + CASE WHEN ${row}.owner = ${owner} THEN interval '0' ELSE ${ms(delayMs)} END <= clock_timestamp()))`;

/** Whether a lease could be granted if nobody waited for it. */
export const isOnlyAwaited = (row: string, delayMs: string): string =>
  `${row}.waiters > 0 AND (${row}.owner IS NULL OR ${row}.expires_at + ${ms(delayMs)} <= clock_timestamp())`;

/**
 * Takes a lease that is free and that nobody waits for.
 *
 * $1 digest, $2 stored key, $3 owner, $4 length in ms, $5 metadata, $6 idempotency key, $7 actor, $8 request id, $9 delay in ms after an
 * expiry. Answers whether it was granted, whether it could be but for those who wait, the row: as granted, or as seen; and whether a hold
 * that had run out was in the way of the grant.
 *
 * A lease seen as held is refused without touching its row, which would lock it and write to the log each time. Everything that
 * depends on the moment stands in `SET`, behind the row lock: a fence drawn in the inserted row would be older than that of a grant
 * it had to wait for. If that wait was for the purge of the row, the insertion goes on with its old fence, which can lie below
 * the purged one; the statement then takes everything back, and is repeated.
 */
export const TRY: Statement = {
  name: 'lease_try',
  isWrite: true,
  text: `
    WITH seen AS MATERIALIZED (
      SELECT * FROM lease WHERE key_digest = $1
    ), granted AS (
      INSERT INTO lease AS l (
        key_digest, stored_key, owner, fence, granted_at, expires_at, ttl_ms, metadata, idempotency_key, actor, request_id)
      SELECT $1, $2, $3::bytea, lease_next_fence(0), clock_timestamp(), clock_timestamp() + ${ms('$4')}, $4::bigint, $5::text, $6::text,
             $7::text, $8::uuid
       WHERE NOT EXISTS (SELECT FROM seen s WHERE NOT ${isFree('s', { owner: '$3', delayMs: '$9' })})
      ON CONFLICT ON CONSTRAINT lease_pkey DO UPDATE
         SET owner = excluded.owner, fence = lease_next_fence(l.fence), granted_at = clock_timestamp(),
             expires_at = clock_timestamp() + ${ms('$4')}, ttl_ms = excluded.ttl_ms, renewals = 0, metadata = excluded.metadata,
             idempotency_key = excluded.idempotency_key, ticket = NULL, actor = excluded.actor, request_id = excluded.request_id,
             touched_at = clock_timestamp()
       WHERE ${isFree('l', { owner: '$3', delayMs: '$9' })}
      RETURNING *
    )
    SELECT CASE WHEN g.fence <= s.fence THEN lease_refuse_fence() ELSE true END, false, ${COLUMNS('g')}, s.owner IS NOT NULL
      FROM granted g LEFT JOIN seen s ON true
    UNION ALL
    SELECT false, ${isOnlyAwaited('s', '$9')}, ${COLUMNS('s', LIVE_WAITERS('s'))}, false
      FROM seen s WHERE NOT EXISTS (SELECT FROM granted)`,
};

/**
 * Gives back a lease that nobody waits for. $1 digest, $2 owner or null, $3 fence or null, $4 the principal that must be the holder's or
 * null, $5 actor, $6 request id. Answers at most one row: the outcome, or `has-waiters` where the function must do it.
 */
export const RELEASE: Statement = {
  name: 'lease_release',
  isWrite: true,
  text: `
    WITH seen AS (
      SELECT * FROM lease WHERE key_digest = $1 FOR UPDATE
    ), freed AS (
      UPDATE lease l
         SET owner = NULL, metadata = NULL, idempotency_key = NULL, actor = $5::text, request_id = $6::uuid,
             touched_at = clock_timestamp()
        FROM seen s
       WHERE l.key_digest = $1 AND ${isHeld('s')} AND s.waiters = 0
         AND s.owner = coalesce($2::bytea, s.owner) AND s.fence = coalesce($3::bigint, s.fence)
         AND s.actor = coalesce($4::text, s.actor)
      RETURNING true
    )
    SELECT CASE
             WHEN EXISTS (SELECT FROM freed) THEN 'released'
             WHEN NOT ${isHeld('s')} THEN 'not-held'
             WHEN s.owner = coalesce($2::bytea, s.owner) AND s.fence = coalesce($3::bigint, s.fence)
              AND s.actor = coalesce($4::text, s.actor) THEN 'has-waiters'
             ELSE 'held-by-other'
           END
      FROM seen s`,
};

/**
 * $1 digest, $2 owner or null, $3 fence or null, $4 principal or null, $5 length in ms. Answers the row when it was extended. The row is
 * locked first: an `UPDATE` alone looks at the clock, then waits for whoever has the row, and would revive what expired meanwhile.
 */
export const RENEW: Statement = {
  name: 'lease_renew',
  isWrite: true,
  text: `
    WITH seen AS (
      SELECT * FROM lease WHERE key_digest = $1 FOR UPDATE
    )
    UPDATE lease l
       SET ttl_ms = CASE WHEN clock_timestamp() + ${ms('$5')} > s.expires_at THEN $5::bigint ELSE s.ttl_ms END,
           expires_at = greatest(s.expires_at, clock_timestamp() + ${ms('$5')}),
           renewals = s.renewals + 1, touched_at = clock_timestamp()
      FROM seen s
     WHERE l.key_digest = $1 AND ${isHeld('s')}
       AND s.owner = coalesce($2::bytea, s.owner) AND s.fence = coalesce($3::bigint, s.fence)
       AND s.actor = coalesce($4::text, s.actor)
    RETURNING ${COLUMNS('l', LIVE_WAITERS('l'))}`,
};

/**
 * Tells the present grant once more to the same caller, who repeats a request. From then on it belongs to the repetition: whoever served
 * the first request and finds its caller gone no longer gives it back. $1 digest, $2 fence. Answers the row, and how long the lease lasts
 * from now on in ms.
 */
export const CONFIRM: Statement = {
  name: 'lease_confirm',
  isWrite: true,
  text: `
    WITH seen AS (
      SELECT * FROM lease WHERE key_digest = $1 FOR UPDATE
    )
    UPDATE lease l SET ticket = NULL FROM seen s WHERE l.key_digest = $1 AND s.fence = $2 AND ${isHeld('s')}
    RETURNING ${COLUMNS('l', LIVE_WAITERS('l'))}, ${remainingMs('l')}`,
};

/** $1 digest. */
export const FIND: Statement = {
  name: 'lease_find',
  isWrite: false,
  text: `SELECT ${COLUMNS('l', LIVE_WAITERS('l'))} FROM lease l WHERE l.key_digest = $1`,
};

/** Bytes of a stored key that the index holds. */
export const INDEXED_BYTES = 512;

/**
 * A page in the order of stored keys. $1, $2 indexed part and digest of the last key of the page before, or what lies before the first
 * key; $3 what lies behind the last one; $4 the prefix; $5 bytes of the store's own part of it; $6 owner or null; $7 wanted state or
 * null; $8 limit. A key whose resource has a separator belongs to another store.
 *
 * The first two comparisons are the range of the index to walk, with one bound at each end whatever is asked for: a kept plan knows no
 * values, and takes a bound that may be left out for a filter. That range it has to walk in order until the page is full, and not to read
 * as a whole and sort. So the planner is told a number of rows, and all other conditions are one `CASE`: of each by itself it would
 * suppose that hardly any row meets it.
 *
 * @param most highest limit
 */
const listOf = (most: number): Statement => ({
  name: `lease_list_${most}`,
  isWrite: false,
  text: `
    SELECT * FROM (
      SELECT substring(l.stored_key FROM 1 FOR ${INDEXED_BYTES}) AS start, l.key_digest AS digest,
             ${COLUMNS('l', LIVE_WAITERS('l'))}
        FROM lease l
       WHERE (substring(l.stored_key FROM 1 FOR ${INDEXED_BYTES}), l.key_digest) > ($1::bytea, $2::bytea)
         AND substring(l.stored_key FROM 1 FOR ${INDEXED_BYTES}) < $3::bytea
         AND CASE
               WHEN substring(l.stored_key FROM 1 FOR length($4::bytea)) <> $4::bytea THEN false
               WHEN position('||'::bytea IN substring(l.stored_key FROM $5::integer + 1)) > 0 THEN false
               WHEN $6::bytea IS NOT NULL AND (l.owner = $6::bytea AND ${isHeld('l')}) IS NOT TRUE THEN false
               ELSE $7::text IS NULL OR ($7::text = 'held') = ${isHeld('l')}
             END
       ORDER BY start, digest
       LIMIT ${most}
    ) page
     ORDER BY start, digest
     LIMIT $8`,
});

/** What is read for a page of the default length, and for the longest: one more, which tells whether it is the last. */
const LISTS = [listOf(101), listOf(1001)] as const;

/** @param limit up to 1001 */
export const listFor = (limit: number): Statement => LISTS[limit <= 101 ? 0 : 1];

/** What the functions answer about the line, read by `toTurn`. */
const TURN = `f.state, f.ticket, f.fence, ${time('f.granted_at')}, ${time('f.expires_at')}, ${remainingMs('f')}, f.wake, f.waiters`;

/** Whether a hold had run out before the function looked: the statement around it sees the row as it was. */
const HAD_EXPIRED = `EXISTS (
  SELECT FROM lease l WHERE l.key_digest = $1 AND l.owner IS NOT NULL AND l.expires_at <= clock_timestamp())`;

/** $1 digest, $2 replica, $3 delay in ms. Its own column follows the turn. */
export const SETTLE: Statement = {
  name: 'lease_settle',
  isWrite: true,
  text: `SELECT ${TURN}, ${HAD_EXPIRED} FROM lease_settle($1, $2, $3) f`,
};

/** $1 to $11 as the function has them. Its own columns follow the turn. */
export const ENQUEUE: Statement = {
  name: 'lease_enqueue',
  isWrite: true,
  text: `SELECT ${TURN}, f.own_ticket, f.is_full, ${HAD_EXPIRED} FROM lease_enqueue($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) f`,
};

/** $1 digest, $2 tickets, $3 replica, $4 delay in ms. */
export const LEAVE: Statement = {
  name: 'lease_leave',
  isWrite: true,
  text: `SELECT ${TURN}, f.granted_ticket FROM lease_leave($1, $2, $3, $4) f`,
};

/** $1 to $9 as the function has them; owner, fence and ticket all null release whatever hold there is. */
export const RELEASE_TO_NEXT: Statement = {
  name: 'lease_release_to_next',
  isWrite: true,
  text: `SELECT ${TURN}, f.outcome FROM lease_release($1, $2, $3, $4, $5, $6, $7, $8, $9) f`,
};

/** The same with the columns of an audit event from $10 on, which is written if the hold was ended. */
export const RELEASE_AND_NOTE: Statement = {
  name: 'lease_release_and_note',
  isWrite: true,
  text: `
    WITH f AS MATERIALIZED (
      SELECT * FROM lease_release($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ), noted AS (
      ${noteEvent(10, `f WHERE f.outcome = 'released'`)}
    )
    SELECT ${TURN}, f.outcome FROM f`,
};

/** $1 replica, $2 how long it counts as alive, in ms. */
export const BEAT: Statement = {
  name: 'lease_beat',
  isWrite: true,
  text: `
    INSERT INTO lease_replica (id, alive_until) VALUES ($1, clock_timestamp() + ${ms('$2')})
    ON CONFLICT ON CONSTRAINT lease_replica_pkey DO UPDATE SET alive_until = clock_timestamp() + ${ms('$2')}`,
};

/**
 * $1 digests, $2 tickets, of the same length. Answers ticket, whether it is still in the line, the turn as far as it concerns it, and
 * whether the lease is held by the grant of the same request, which was sent twice.
 */
export const LOOK: Statement = {
  name: 'lease_look',
  isWrite: false,
  text: `
    SELECT w.ticket, t.id IS NOT NULL, NOT ${isHeld('l')},
           ${isHeld('l')} AND l.ticket = w.ticket, l.fence, ${time('l.granted_at')}, ${time('l.expires_at')},
           ${remainingMs('l')}, NULL, l.waiters,
           ${isHeld('l')} AND l.owner = t.owner AND l.idempotency_key = t.idempotency_key
      FROM unnest($1::bytea[], $2::bigint[]) AS w (key_digest, ticket)
      LEFT JOIN lease_ticket t ON t.key_digest = w.key_digest AND t.id = w.ticket
      LEFT JOIN lease l ON l.key_digest = w.key_digest`,
};

/** $1 digests, $2 request ids, of the same length, $3 replica. Answers request id and ticket of each place that such a request still has. */
export const FIND_TICKETS: Statement = {
  name: 'lease_find_tickets',
  isWrite: false,
  text: `
    SELECT w.request_id, t.id
      FROM unnest($1::bytea[], $2::uuid[]) AS w (key_digest, request_id)
      JOIN lease_ticket t ON t.key_digest = w.key_digest AND t.request_id = w.request_id AND t.replica = $3`,
};

/** $1 channels, $2 payloads, of the same length. A statement of its own, after the commit: within a write it would serialize all commits. */
export const NOTIFY: Statement = {
  name: 'lease_notify',
  isWrite: false,
  text: `SELECT pg_notify(n.channel, n.payload) FROM unnest($1::text[], $2::text[]) AS n (channel, payload)`,
};

/**
 * Forgets a batch of leases that rested for a day, and remembers the highest of their fences. $1 digest to go on after, $2 rows to look
 * at. Answers how many went and the last digest looked at, null at the end. A day is far longer than any statement of ours may run, so
 * no grant can be under way on a row that goes.
 */
export const PURGE: Statement = {
  name: 'lease_purge',
  isWrite: true,
  text: `
    WITH looked AS (
      SELECT * FROM lease WHERE key_digest > $1 ORDER BY key_digest LIMIT $2
    ), idle AS (
      SELECT l.key_digest FROM lease l JOIN looked USING (key_digest)
       WHERE l.touched_at < clock_timestamp() - interval '1 day'
         AND (l.owner IS NULL OR l.expires_at < clock_timestamp() - interval '1 day')
         AND NOT EXISTS (SELECT FROM lease_ticket t WHERE t.key_digest = l.key_digest)
         FOR UPDATE OF l SKIP LOCKED
    ), gone AS (
      DELETE FROM lease l USING idle WHERE l.key_digest = idle.key_digest RETURNING l.fence
    ), floor AS (
      UPDATE lease_floor f SET fence = g.fence FROM (SELECT max(fence) AS fence FROM gone) g WHERE g.fence > f.fence
    )
    SELECT (SELECT count(*) FROM gone), (SELECT key_digest FROM looked ORDER BY key_digest DESC LIMIT 1)`,
};

/**
 * $1 leases to look at, the first by digest: no index tells which are held, for it would have to change with each grant. Answers how many
 * of them are held, how many there were, and the last one's digest.
 */
export const COUNT_HELD: Statement = {
  name: 'lease_count_held',
  isWrite: false,
  text: `
    WITH looked AS MATERIALIZED (
      SELECT key_digest, ${isHeld('l')} AS held FROM lease l ORDER BY key_digest LIMIT $1
    )
    SELECT count(*) FILTER (WHERE held), count(*), (SELECT key_digest FROM looked ORDER BY key_digest DESC LIMIT 1) FROM looked`,
};

/** Processes that ended long ago, and the tickets that died with them. */
export const PURGE_REPLICAS: Statement = {
  name: 'lease_purge_replicas',
  isWrite: true,
  text: `
    WITH dead AS (
      DELETE FROM lease_replica WHERE alive_until < clock_timestamp() - interval '1 hour' RETURNING id
    )
    DELETE FROM lease_ticket t USING dead WHERE t.replica = dead.id`,
};
