import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * How deep an object lies, and whether others fit below it. Nobody is kept from changing what was counted: the bound is there so that
 * nothing costs more and more, and changes that meet can pass it by what was added meanwhile, which would make all others wait.
 */
export class ContentLevels1763000000015 implements MigrationInterface {
  name = 'ContentLevels1763000000015';

  async up(runner: QueryRunner): Promise<void> {
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
        places integer[];
        levels integer[];
        olds text[];
        froms text[];
        news text[];
        parents text[];
        refusal text;
        kept integer;
        top text;
        chosen text;
      BEGIN
        PERFORM FROM content_object WHERE uid = p_target FOR NO KEY UPDATE;
        IF NOT FOUND THEN
          RETURN QUERY SELECT 'gone', NULL::text, NULL::text, NULL::text;
          RETURN;
        END IF;
        WITH RECURSIVE tree (place, level, old, old_parent, new, new_parent) AS (
          SELECT s.place::integer, 1, s.uid COLLATE "C", NULL COLLATE "C", replace(gen_random_uuid()::text, '-', ''), p_target
            FROM unnest(p_sources) WITH ORDINALITY s (uid, place)
          UNION ALL
          SELECT t.place, t.level + 1, c.uid, c.parent_uid, replace(gen_random_uuid()::text, '-', ''), t.new
            FROM tree t JOIN content_object c ON c.parent_uid = t.old)
        SELECT array_agg(t.place), array_agg(level), array_agg(old), array_agg(old_parent), array_agg(new), array_agg(new_parent),
               CASE WHEN count(*) > p_max_objects THEN 'too-many'
                    WHEN max(level) > p_max_levels - content_level(p_target) THEN 'too-deep' END
          INTO places, levels, olds, froms, news, parents, refusal
          FROM (SELECT * FROM tree LIMIT p_max_objects + 1) t;
        IF refusal IS NULL THEN
          -- Kept until the copy is made, each where it was found.
          PERFORM FROM unnest(olds, froms) n (old, "from") JOIN content_object o ON o.uid = n.old
            WHERE n."from" IS NULL OR o.parent_uid = n."from" FOR KEY SHARE OF o;
          GET DIAGNOSTICS kept = ROW_COUNT;
          IF kept < cardinality(olds) THEN refusal := 'source-gone'; END IF;
        END IF;
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
  }
}
