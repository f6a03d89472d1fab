import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Key-values and their history. `label` is '' for "no label", which the contract never stores as such; names compare by bytes
 * (`COLLATE "C"`), as the contract's ordinal order asks. A deleted key-value keeps its row, so that making it again draws revision
 * and time under the row lock (reliability §4.3).
 */
export class KeyValue1763000000001 implements MigrationInterface {
  name = 'KeyValue1763000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE SEQUENCE key_value_revision_seq AS bigint CACHE 1`);
    await runner.query(`
      CREATE TABLE key_value (
        key text COLLATE "C" NOT NULL,
        label text COLLATE "C" NOT NULL,
        value text,
        content_type text,
        tags text NOT NULL,
        description text,
        locked boolean NOT NULL DEFAULT false,
        deleted boolean NOT NULL DEFAULT false,
        etag text NOT NULL,
        revision bigint NOT NULL,
        last_modified timestamptz NOT NULL,
        CONSTRAINT key_value_pkey PRIMARY KEY (key, label)
      ) WITH (fillfactor = 85)`);
    // Pages of one label, and the distinct labels, without passing by every other label's rows.
    await runner.query(`CREATE INDEX key_value_label_key ON key_value (label, key)`);
    // Tag filters; most key-values have no tags, and those pay nothing for the index.
    await runner.query(`
      CREATE INDEX key_value_tags ON key_value USING gin ((tags::jsonb) jsonb_path_ops) WHERE tags <> '{}'`);
    await runner.query(`
      CREATE TABLE key_value_revision (
        revision bigint NOT NULL,
        key text COLLATE "C" NOT NULL,
        label text COLLATE "C" NOT NULL,
        value text,
        content_type text,
        tags text NOT NULL,
        description text,
        locked boolean NOT NULL,
        deleted boolean NOT NULL,
        etag text NOT NULL,
        last_modified timestamptz NOT NULL,
        actor text NOT NULL,
        address text NOT NULL,
        request_id uuid NOT NULL,
        xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
        CONSTRAINT key_value_revision_pkey PRIMARY KEY (revision)
      )`);
    // The history of one key-value, newest first, and its state at an instant as a single index probe.
    await runner.query(`
      CREATE INDEX key_value_revision_history ON key_value_revision (key, label, last_modified DESC)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE key_value_revision`);
    await runner.query(`DROP TABLE key_value`);
    await runner.query(`DROP SEQUENCE key_value_revision_seq`);
  }
}
