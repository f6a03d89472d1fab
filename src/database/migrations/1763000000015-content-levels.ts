import { type MigrationInterface, type QueryRunner } from 'typeorm';

const ROOT = '00000000000000000000000000000001';
/** Any fixed number that no other lock of ours has. */
const LEVELS_LOCK = '4841230198563203';

/**
 * How deep an object lies, and whether others fit below it. A level that somebody counted must not change before they are done: moves alone
 * change levels, so they keep each other and whatever counts out.
 */
export class ContentLevels1763000000015 implements MigrationInterface {
  name = 'ContentLevels1763000000015';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE OR REPLACE FUNCTION content_move_gate() RETURNS integer LANGUAGE sql VOLATILE AS $$
        SELECT pg_advisory_xact_lock(${LEVELS_LOCK});
        SELECT 1 FROM content_object WHERE uid = '${ROOT}' FOR NO KEY UPDATE
      $$`);
    // Of the root 0. Volatile, as the next one: it sees what was committed before it began, not before the statement around it did.
    await runner.query(`
      CREATE FUNCTION content_level(p_uid text) RETURNS integer LANGUAGE sql VOLATILE AS $$
        WITH RECURSIVE above (uid, parent_uid) AS (
          SELECT o.uid, o.parent_uid FROM content_object o WHERE o.uid = p_uid
          UNION ALL
          SELECT o.uid, o.parent_uid FROM above a JOIN content_object o ON o.uid = a.parent_uid)
        SELECT count(*)::integer - 1 FROM above
      $$`);
    // Whether p_tops with all below them would lie within p_max levels as children of p_parent; without any, whether a new one would.
    await runner.query(`
      CREATE FUNCTION content_fits(p_parent text, p_tops text[], p_max integer) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
      DECLARE
        room integer;
      BEGIN
        PERFORM pg_advisory_xact_lock_shared(${LEVELS_LOCK});
        room := p_max - content_level(p_parent);
        RETURN (cardinality(p_tops) > 0 OR room > 0) AND NOT EXISTS (
          WITH RECURSIVE below (uid, level) AS (
            SELECT top COLLATE "C", 1 FROM unnest(p_tops) top
            UNION ALL
            SELECT o.uid, b.level + 1
              FROM below b JOIN content_object o ON o.parent_uid = b.uid
             WHERE b.level <= room)
          SELECT FROM below WHERE level > room);
      END
      $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION content_fits, content_level`);
    await runner.query(`
      CREATE OR REPLACE FUNCTION content_move_gate() RETURNS integer LANGUAGE sql VOLATILE AS $$
        SELECT 1 FROM content_object WHERE uid = '${ROOT}' FOR NO KEY UPDATE
      $$`);
  }
}
