import { type Statement } from '../database/database.js';

/** Rows that one statement looks at, so that each holds its locks for a moment only (reliability F20). */
export const BATCH_SIZE = 1000;

const OLDER_THAN_RETENTION = `< clock_timestamp() - $1::int * interval '1 day'`;

/**
 * Removes, among the next revisions after $2, those that were superseded before the retention time ($1 days). A revision's own age
 * says nothing: the state that still holds, or held at an instant within the time, is kept for ever (promise P6).
 * Answers how many went, and the revision up to which was looked; null when there was nothing old enough left.
 */
export const PURGE_SUPERSEDED: Statement = {
  name: 'retention_superseded',
  isWrite: true,
  text: `
    WITH looked AS (
      SELECT r.revision, r.key, r.label, r.last_modified
        FROM key_value_revision r
       WHERE r.revision > $2::bigint
       ORDER BY r.revision
       LIMIT ${BATCH_SIZE}
    ), old AS (
      SELECT l.revision FROM looked l
       WHERE l.last_modified ${OLDER_THAN_RETENTION}
         AND EXISTS (SELECT FROM key_value_revision newer
                      WHERE newer.key = l.key AND newer.label = l.label AND newer.last_modified > l.last_modified
                        AND newer.last_modified ${OLDER_THAN_RETENTION})
    ), gone AS (
      DELETE FROM key_value_revision r USING old WHERE r.revision = old.revision RETURNING r.revision
    )
    SELECT (SELECT count(*) FROM gone), (SELECT max(revision) FROM looked WHERE last_modified ${OLDER_THAN_RETENTION})`,
};

/**
 * Removes key-values deleted before the retention time ($1 days), with whatever is left of their history. The row lock is that of any
 * other change: whoever makes the key-value again meanwhile either comes first and is kept, or starts a new history.
 */
export const PURGE_DELETED: Statement = {
  name: 'retention_deleted',
  isWrite: true,
  text: `
    WITH old AS (
      SELECT key, label FROM key_value
       WHERE deleted AND last_modified ${OLDER_THAN_RETENTION}
       ORDER BY key, label
       LIMIT ${BATCH_SIZE}
         FOR UPDATE SKIP LOCKED
    ), removed AS (
      DELETE FROM key_value k USING old WHERE k.key = old.key AND k.label = old.label AND k.deleted
      RETURNING k.key, k.label, k.revision
    ), gone AS (
      DELETE FROM key_value_revision r USING removed
       WHERE r.key = removed.key AND r.label = removed.label AND r.revision <= removed.revision
      RETURNING r.revision
    )
    SELECT (SELECT count(*) FROM removed), (SELECT count(*) FROM gone)`,
};
