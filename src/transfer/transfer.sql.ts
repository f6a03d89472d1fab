import { COLUMNS } from '../key-value/key-value.sql.js';

/**
 * The statements of an import, all in one transaction. Rows are written in batches that carry the texts; entity tag, revision and time
 * come last, in one statement over names only, because the answer about a past instant must not change long after it (promise P6).
 */

/** Any fixed number that no other lock of ours has. */
const IMPORT_LOCK = '4841230198563202';

/** Imports and seeds take turns; requests of the API do not wait for this one. */
export const TAKE_TURN = `SELECT pg_advisory_xact_lock(${IMPORT_LOCK})`;

/**
 * Instead of the limits of a request (reliability §4.6), in milliseconds: a batch may meet a busy disk, and a row or the turn may be
 * another import's.
 */
export const OWN_LIMITS = `SET LOCAL statement_timeout = 60000; SET LOCAL lock_timeout = 60000;
  SET LOCAL idle_in_transaction_session_timeout = 60000`;

/** What is stamped must be committed within the write deadline of promise P6, or not at all. */
export const STAMP_LIMIT = `SET LOCAL statement_timeout = 5000`;

/** $1 keys, $2 labels. Tombstones are found too. */
const WANTED = `unnest($1::text[], $2::text[]) AS wanted (key, label)
  JOIN key_value k ON k.key = wanted.key AND k.label = wanted.label`;

export const FIND = `SELECT ${COLUMNS('k')}, k.deleted FROM ${WANTED} ORDER BY k.key, k.label`;
/** In the order of the store, as every import locks. */
export const FIND_AND_LOCK = `${FIND} FOR UPDATE OF k`;

/**
 * A tombstone for every name that has no row, so that the rows can be locked before anything is decided. None is ever seen: the same
 * transaction brings it to life or is rolled back. A row that is there is locked already here, as an update that never happens locks
 * it: an old tombstone could be purged before it is looked at.
 */
export const MAKE_ROOM = `
  INSERT INTO key_value (key, label, tags, deleted, etag, revision, last_modified)
  SELECT wanted.key, wanted.label, '{}', true, '', 0, clock_timestamp()
    FROM unnest($1::text[], $2::text[]) AS wanted (key, label)
   ORDER BY wanted.key COLLATE "C", wanted.label COLLATE "C"
  ON CONFLICT ON CONSTRAINT key_value_pkey DO UPDATE SET deleted = key_value.deleted WHERE false`;

/** $1 keys, $2 labels, $3 values, $4 content types, $5 tags, $6 descriptions. */
export const WRITE = `
  UPDATE key_value k
     SET value = wanted.value, content_type = wanted.content_type, tags = wanted.tags, description = wanted.description,
         locked = false, deleted = false
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
      AS wanted (key, label, value, content_type, tags, description)
   WHERE k.key = wanted.key AND k.label = wanted.label`;

/** What a delete leaves behind, as `REMOVE` of key-value does. $1 keys, $2 labels. */
export const BURY = `
  UPDATE key_value k
     SET value = NULL, content_type = NULL, tags = '{}', description = NULL, locked = false, deleted = true
    FROM unnest($1::text[], $2::text[]) AS wanted (key, label)
   WHERE k.key = wanted.key AND k.label = wanted.label`;

/**
 * Draws revision and time for every row written, and records it. Time never runs back for a key-value (promise P5).
 *
 * $1 keys, $2 labels, $3 entity tags, $4 actor, $5 address, $6 request id.
 */
export const STAMP = `
  WITH stamped AS (
    UPDATE key_value k
       SET etag = wanted.etag,
           revision = nextval('key_value_revision_seq'),
           last_modified = greatest(clock_timestamp(), k.last_modified + interval '1 microsecond')
      FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (key, label, etag)
     WHERE k.key = wanted.key AND k.label = wanted.label
    RETURNING k.*
  )
  INSERT INTO key_value_revision (revision, key, label, value, content_type, tags, description, locked, deleted, etag,
                                  last_modified, actor, address, request_id)
  SELECT revision, key, label, value, content_type, tags, description, locked, deleted, etag, last_modified, $4, $5, $6::uuid
    FROM stamped`;
