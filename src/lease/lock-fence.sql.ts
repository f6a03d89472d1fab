/**
 * Common table expressions that bind a statement to a fence (reliability §4.2). The statement locks its own row in one that is called
 * `seen`, reads `fence_before` in that one's `WHERE`, and acts only where `fence_after` says so:
 *
 * 1. `lease_locked` locks the lease's row. Until the statement is committed nobody can be granted the lease, or release it: a fence looked
 *    up without that lock can be an old one by the time of the write.
 * 2. `fence_before` looks at the clock. Not in `lease_locked` itself, where PostgreSQL evaluates `WHERE` and columns before it waits.
 * 3. `fence_after` looks once more, when `seen` has been read to its end and so has waited for its lock; the lease may be over by then.
 *
 * @param digest, fence parameters of the statement, such as `$9`
 */
export const lockLease = (digest: string, fence: string): string => `
  lease_locked AS MATERIALIZED (
    SELECT l.owner, l.fence, l.expires_at FROM lease l WHERE l.key_digest = ${digest}::bytea FOR SHARE
  ), fence_before AS MATERIALIZED (
    SELECT l.fence, l.expires_at,
           l.owner IS NOT NULL AND l.fence = ${fence}::bigint AND l.expires_at > clock_timestamp() AS is_current
      FROM lease_locked l
  )`;

/** Follows `seen`. */
export const LOOK_AGAIN = `
  fence_after AS MATERIALIZED (
    SELECT before.is_current AND before.expires_at > clock_timestamp() AS is_current
      FROM fence_before before CROSS JOIN (SELECT count(*) AS rows FROM seen) waited
     WHERE waited.rows >= 0
  )`;

export const IS_CURRENT_BEFORE = `(SELECT is_current FROM fence_before)`;
export const IS_CURRENT_AFTER = `(SELECT is_current FROM fence_after)`;

/** The last fence granted, null when none is known; whether the statement's own was the holder's at both looks. */
export const FENCE_COLUMNS = `(SELECT fence FROM fence_before), coalesce(${IS_CURRENT_AFTER}, false)`;
