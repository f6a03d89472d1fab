import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Snapshots and the key-values that each of them keeps. An item is found by the snapshot's id and not by its name, for a name is used
 * again once its snapshot has expired. There is no state for being made: a snapshot and its items appear with one statement.
 */
export class Snapshot1763000000003 implements MigrationInterface {
  name = 'Snapshot1763000000003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE SEQUENCE snapshot_id_seq AS bigint CACHE 1`);
    await runner.query(`
      CREATE TABLE snapshot (
        id bigint NOT NULL,
        name text COLLATE "C" NOT NULL,
        etag text NOT NULL,
        status text NOT NULL,
        filters text NOT NULL,
        composition_type text NOT NULL,
        retention_period integer NOT NULL,
        tags text NOT NULL,
        description text,
        size integer NOT NULL,
        items_count integer NOT NULL,
        created timestamptz NOT NULL,
        expires timestamptz,
        actor text NOT NULL,
        address text NOT NULL,
        request_id uuid NOT NULL,
        CONSTRAINT snapshot_pkey PRIMARY KEY (id),
        CONSTRAINT snapshot_name UNIQUE (name),
        CONSTRAINT snapshot_status CHECK (status IN ('ready', 'archived', 'failed')),
        CONSTRAINT snapshot_expiry CHECK ((status = 'archived') = (expires IS NOT NULL))
      )`);
    // What a purge looks for; most snapshots are not archived.
    await runner.query(`CREATE INDEX snapshot_expires ON snapshot (expires) WHERE expires IS NOT NULL`);
    await runner.query(`
      CREATE TABLE snapshot_item (
        snapshot_id bigint NOT NULL,
        position integer NOT NULL,
        key text COLLATE "C" NOT NULL,
        label text COLLATE "C" NOT NULL,
        value text,
        content_type text,
        tags text NOT NULL,
        description text,
        locked boolean NOT NULL,
        etag text NOT NULL,
        revision bigint NOT NULL,
        last_modified timestamptz NOT NULL,
        CONSTRAINT snapshot_item_pkey PRIMARY KEY (snapshot_id, position),
        CONSTRAINT snapshot_item_snapshot FOREIGN KEY (snapshot_id) REFERENCES snapshot (id)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE snapshot_item`);
    await runner.query(`DROP TABLE snapshot`);
    await runner.query(`DROP SEQUENCE snapshot_id_seq`);
  }
}
