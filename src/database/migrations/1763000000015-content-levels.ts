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
    // Beside the one that processes of the version before still call. What is copied is settled before the first of it is made: a source
    // may lie in another one, and the target in a source. Outcomes: done for each source; or gone (the target), source-gone, too-many or
    // too-deep, once.
    await runner.query(`
      CREATE FUNCTION content_copy(p_sources text[], p_target text, p_user text, p_max_objects integer, p_max_levels integer)
      RETURNS TABLE (outcome text, source text, new_uid text, new_id text) LANGUAGE plpgsql AS $$
      DECLARE
        nth integer;
        places integer[];
        levels integer[];
        olds text[];
        news text[];
        parents text[];
        refusal text;
        top text;
        chosen text;
      BEGIN
        PERFORM pg_advisory_xact_lock_shared(${LEVELS_LOCK});
        PERFORM FROM content_object WHERE uid = p_target FOR NO KEY UPDATE;
        IF NOT FOUND THEN
          RETURN QUERY SELECT 'gone', NULL::text, NULL::text, NULL::text;
          RETURN;
        END IF;
        FOR nth IN 1 .. cardinality(p_sources) LOOP
          -- Kept until the copy is made.
          PERFORM FROM content_object o WHERE o.uid = p_sources[nth] FOR KEY SHARE;
          IF NOT FOUND THEN
            RETURN QUERY SELECT 'source-gone', NULL::text, NULL::text, NULL::text;
            RETURN;
          END IF;
        END LOOP;
        WITH RECURSIVE tree (place, level, old, new, new_parent) AS (
          SELECT s.place::integer, 1, s.uid COLLATE "C", replace(gen_random_uuid()::text, '-', ''), p_target
            FROM unnest(p_sources) WITH ORDINALITY s (uid, place)
          UNION ALL
          SELECT t.place, t.level + 1, c.uid, replace(gen_random_uuid()::text, '-', ''), t.new
            FROM tree t JOIN content_object c ON c.parent_uid = t.old)
        SELECT array_agg(t.place), array_agg(level), array_agg(old), array_agg(new), array_agg(new_parent),
               CASE WHEN count(*) > p_max_objects THEN 'too-many'
                    WHEN max(level) > p_max_levels - content_level(p_target) THEN 'too-deep' END
          INTO places, levels, olds, news, parents, refusal
          FROM (SELECT * FROM tree LIMIT p_max_objects + 1) t;
        IF refusal IS NOT NULL THEN
          RETURN QUERY SELECT refusal, NULL::text, NULL::text, NULL::text;
          RETURN;
        END IF;
        FOR nth IN 1 .. cardinality(p_sources) LOOP
          LOOP
            SELECT content_free_id(p_target, o.id, '{}') INTO chosen FROM content_object o WHERE o.uid = p_sources[nth];
            BEGIN
              INSERT INTO content_object (uid, parent_uid, id, type, title, description, fields, position, version, created, modified,
                created_by, last_by, last_at)
              SELECT n.new, n.new_parent, CASE WHEN n.level = 1 THEN chosen ELSE o.id END, o.type, o.title, o.description, o.fields,
                     CASE WHEN n.level = 1 THEN content_last_position(p_target) + 1 ELSE o.position END,
                     nextval('content_version_seq'), at, at, p_user, p_user, at
                FROM unnest(places, levels, olds, news, parents) n (place, level, old, new, new_parent)
                JOIN content_object o ON o.uid = n.old, (SELECT clock_timestamp() AS at) now
               WHERE n.place = nth;
              EXIT;
            EXCEPTION WHEN unique_violation THEN
              NULL;
            END;
          END LOOP;
          SELECT n.new INTO top FROM unnest(places, levels, news) n (place, level, new) WHERE n.place = nth AND n.level = 1;
          RETURN QUERY SELECT 'done', p_sources[nth], top, chosen;
        END LOOP;
      END
      $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION content_fits, content_level, content_copy(text[], text, text, integer, integer)`);
    await runner.query(`
      CREATE OR REPLACE FUNCTION content_move_gate() RETURNS integer LANGUAGE sql VOLATILE AS $$
        SELECT 1 FROM content_object WHERE uid = '${ROOT}' FOR NO KEY UPDATE
      $$`);
  }
}
