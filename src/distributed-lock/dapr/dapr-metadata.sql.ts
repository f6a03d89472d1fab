import { type Statement } from '../../database/database.js';

export const LIST_LABELS: Statement = {
  name: 'dapr_metadata_list',
  isWrite: false,
  text: `SELECT key, value FROM dapr_metadata ORDER BY key`,
};

/**
 * Sets a label unless that would be one too many, or too much text in all; gives a row when it did. Labels set at once may pass the
 * limits by as many as there are connections: they are there to bound the answers, and not worth a lock.
 */
export const PUT_LABEL: Statement = {
  name: 'dapr_metadata_put',
  isWrite: true,
  text: `
    INSERT INTO dapr_metadata (key, value)
    SELECT $1::text, $2::text
      FROM (SELECT count(*) AS labels, coalesce(sum(octet_length(key) + octet_length(value)), 0) AS bytes
              FROM dapr_metadata WHERE key <> $1::text) others
     WHERE others.labels < $3::integer AND others.bytes + octet_length($1::text) + octet_length($2::text) <= $4::integer
    ON CONFLICT ON CONSTRAINT dapr_metadata_pkey DO UPDATE SET value = excluded.value
    RETURNING 1`,
};
