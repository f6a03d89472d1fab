import { type MigrationInterface, type QueryRunner } from 'typeorm';

const ROOT = '00000000000000000000000000000001';

/**
 * The content tree, as an adjacency list: renaming and moving touch one row. The functions are the parts of changes that must look again
 * behind a row lock: each statement of theirs sees what was committed before it began. Whatever changes the set of an object's children,
 * their ids or their order holds the object's row lock, so children cannot come to an object that goes.
 */
export class Content1763000000008 implements MigrationInterface {
  name = 'Content1763000000008';

  async up(runner: QueryRunner): Promise<void> {
    // One for the whole tree: an entity tag of an object that was deleted fits nothing that takes its place.
    await runner.query(`CREATE SEQUENCE content_version_seq AS bigint CACHE 1`);
    await runner.query(`
      CREATE TABLE content_object (
        uid text COLLATE "C" NOT NULL,
        parent_uid text COLLATE "C",
        id text COLLATE "C" NOT NULL,
        type text NOT NULL,
        title text NOT NULL,
        description text NOT NULL,
        fields text NOT NULL,
        position bigint NOT NULL,
        version bigint NOT NULL,
        created timestamptz NOT NULL,
        modified timestamptz NOT NULL,
        created_by text NOT NULL,
        last_by text NOT NULL,
        last_at timestamptz NOT NULL,
        other_at timestamptz,
        CONSTRAINT content_object_pkey PRIMARY KEY (uid),
        CONSTRAINT content_object_sibling UNIQUE (parent_uid, id),
        CONSTRAINT content_object_parent FOREIGN KEY (parent_uid) REFERENCES content_object (uid),
        CONSTRAINT content_object_root CHECK ((parent_uid IS NULL) = (uid = '${ROOT}'))
      )`);
    await runner.query(`CREATE INDEX content_object_order ON content_object (parent_uid, position, uid)`);
    await runner.query(`
      INSERT INTO content_object (uid, parent_uid, id, type, title, description, fields, position, version, created, modified,
        created_by, last_by, last_at)
      SELECT '${ROOT}', NULL, 'site', 'Plone Site', 'Site', '', '{}', 0, nextval('content_version_seq'), at, at, 'latchkey',
             'latchkey', at
        FROM (SELECT clock_timestamp() AS at) now`);

    // The id itself where it is free, else the first of id-1, id-2 and so on. Reserved ids are no choice at the root.
    await runner.query(`
      CREATE FUNCTION content_free_id(p_parent text, p_id text, p_reserved text[]) RETURNS text LANGUAGE plpgsql AS $$
      DECLARE
        candidate text := p_id;
        n integer := 0;
      BEGIN
        WHILE (p_parent = '${ROOT}' AND candidate = ANY (p_reserved))
           OR EXISTS (SELECT FROM content_object WHERE parent_uid = p_parent AND id = candidate) LOOP
          n := n + 1;
          candidate := left(p_id, 240) || '-' || n;
        END LOOP;
        RETURN candidate;
      END
      $$`);
    await runner.query(`
      CREATE FUNCTION content_last_position(p_parent text) RETURNS bigint LANGUAGE sql VOLATILE AS $$
        SELECT coalesce((SELECT max(position) FROM content_object WHERE parent_uid = p_parent), 0)
      $$`);

    // Children in their order. The planner takes a folder for small, and would read and sort all of a large one for each page.
    await runner.query(`
      CREATE FUNCTION content_page(p_parent text, p_start bigint, p_size bigint) RETURNS TABLE (uid text, place bigint)
      LANGUAGE sql STABLE ROWS 25 SET enable_sort = off SET enable_bitmapscan = off AS $$
        SELECT o.uid, o.position FROM content_object o WHERE o.parent_uid = p_parent
         ORDER BY o.parent_uid, o.position, o.uid OFFSET p_start LIMIT p_size
      $$`);

    // p_is_exact: the id or nothing. Outcomes: done, gone (the parent), id-taken, uid-taken.
    await runner.query(`
      CREATE FUNCTION content_create(p_uid text, p_parent text, p_id text, p_is_exact boolean, p_reserved text[], p_type text,
        p_title text, p_description text, p_fields text, p_user text)
      RETURNS TABLE (outcome text, new_id text, new_version bigint, new_at timestamptz) LANGUAGE plpgsql AS $$
      DECLARE
        chosen text := p_id;
        broken text;
      BEGIN
        PERFORM FROM content_object WHERE uid = p_parent FOR NO KEY UPDATE;
        IF NOT FOUND THEN
          RETURN QUERY SELECT 'gone', NULL::text, NULL::bigint, NULL::timestamptz;
          RETURN;
        END IF;
        LOOP
          IF NOT p_is_exact THEN chosen := content_free_id(p_parent, p_id, p_reserved); END IF;
          BEGIN
            RETURN QUERY
              INSERT INTO content_object AS o (uid, parent_uid, id, type, title, description, fields, position, version, created,
                modified, created_by, last_by, last_at)
              SELECT p_uid, p_parent, chosen, p_type, p_title, p_description, p_fields, content_last_position(p_parent) + 1,
                     nextval('content_version_seq'), at, at, p_user, p_user, at
                FROM (SELECT clock_timestamp() AS at) now
              RETURNING 'done', o.id, o.version, o.created;
            RETURN;
          EXCEPTION WHEN unique_violation THEN
            GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
            -- A rename does not hold the parent's lock and may have come first.
            IF p_is_exact OR broken <> 'content_object_sibling' THEN
              RETURN QUERY SELECT CASE broken WHEN 'content_object_sibling' THEN 'id-taken' ELSE 'uid-taken' END, NULL::text,
                                  NULL::bigint, NULL::timestamptz;
              RETURN;
            END IF;
          END;
        END LOOP;
      END
      $$`);

    // Moves a child among all children, or among those in p_subset, by p_delta places: 'top', 'bottom' or a number. The caller holds
    // the row lock of the parent. Outcomes: done, unknown-child, ordering-mismatch.
    await runner.query(`
      CREATE FUNCTION content_reorder(p_parent text, p_child text, p_delta text, p_subset text[]) RETURNS text LANGUAGE plpgsql AS $$
      DECLARE
        ids text[];
        uids text[];
        places bigint[];
        origin integer;
        target integer;
      BEGIN
        SELECT array_agg(id ORDER BY position, uid), array_agg(uid ORDER BY position, uid), array_agg(position ORDER BY position, uid)
          INTO ids, uids, places
          FROM content_object
         WHERE parent_uid = p_parent AND (p_subset IS NULL OR id = ANY (p_subset));
        IF p_subset IS NOT NULL AND ids IS DISTINCT FROM p_subset THEN RETURN 'ordering-mismatch'; END IF;
        origin := array_position(ids, p_child);
        IF origin IS NULL THEN RETURN 'unknown-child'; END IF;
        IF p_subset IS NULL AND p_delta IN ('top', 'bottom') THEN
          UPDATE content_object
             SET position = CASE p_delta WHEN 'top' THEN places[1] - 1 ELSE places[cardinality(places)] + 1 END
           WHERE uid = uids[origin] AND parent_uid = p_parent;
          RETURN 'done';
        END IF;
        target := CASE p_delta
          WHEN 'top' THEN 1
          WHEN 'bottom' THEN cardinality(ids)
          ELSE greatest(1, least(cardinality(ids)::bigint, origin + p_delta::bigint)) END;
        -- Those in between take one place each towards where the child was; their places stay what they are.
        UPDATE content_object c SET position = n.position
          FROM (SELECT uids[i] AS uid, places[i - sign(target - origin)::integer] AS position
                  FROM generate_series(least(origin, target), greatest(origin, target)) i
                 WHERE i <> origin
                UNION ALL
                SELECT uids[origin], places[target]) n
         WHERE c.uid = n.uid AND c.parent_uid = p_parent AND c.position <> n.position;
        RETURN 'done';
      END
      $$`);

    // Changes an object whose row the caller has locked. Null leaves a member as it is; p_touched names the fields that are taken away,
    // and p_fields is the JSON object of those that come instead. Without any change there is no new version. Outcomes: done, id-taken,
    // too-large, and those of content_reorder.
    await runner.query(`
      CREATE FUNCTION content_update(p_uid text, p_user text, p_id text, p_title text, p_description text, p_touched text[],
        p_fields text, p_max_bytes integer, p_child text, p_delta text, p_subset text[])
      RETURNS TABLE (outcome text, new_version bigint) LANGUAGE plpgsql AS $$
      DECLARE
        o content_object%ROWTYPE;
        merged text;
        result text := 'done';
      BEGIN
        SELECT * INTO o FROM content_object WHERE uid = p_uid;
        IF p_id IS NULL AND p_title IS NULL AND p_description IS NULL AND cardinality(p_touched) = 0 AND p_child IS NULL THEN
          RETURN QUERY SELECT 'done', o.version;
          RETURN;
        END IF;
        merged := o.fields;
        IF cardinality(p_touched) > 0 THEN
          SELECT coalesce(json_object_agg(key, value ORDER BY part, place)::text, '{}') INTO merged
            FROM (SELECT 1 AS part, place, key, value FROM json_each(o.fields::json) WITH ORDINALITY f (key, value, place)
                   WHERE key <> ALL (p_touched)
                  UNION ALL
                  SELECT 2, place, key, value FROM json_each(p_fields::json) WITH ORDINALITY f (key, value, place)) members;
          IF octet_length(merged) > p_max_bytes THEN
            RETURN QUERY SELECT 'too-large', o.version;
            RETURN;
          END IF;
        END IF;
        BEGIN
          IF p_child IS NOT NULL THEN result := content_reorder(p_uid, p_child, p_delta, p_subset); END IF;
          IF result = 'done' THEN
            UPDATE content_object c
               SET id = coalesce(p_id, c.id), title = coalesce(p_title, c.title),
                   description = coalesce(p_description, c.description), fields = merged,
                   version = nextval('content_version_seq'),
                   modified = greatest(clock_timestamp(), c.modified + interval '1 microsecond'),
                   last_by = p_user, last_at = clock_timestamp(),
                   other_at = CASE WHEN c.last_by = p_user THEN c.other_at ELSE c.last_at END
             WHERE c.uid = p_uid
            RETURNING c.version INTO o.version;
          END IF;
        EXCEPTION WHEN unique_violation THEN
          result := 'id-taken';
        END;
        RETURN QUERY SELECT result, o.version;
      END
      $$`);

    // Locks an object and everything below it, level by level: once a level is locked nothing can come to it, so the next one is complete.
    await runner.query(`
      CREATE FUNCTION content_lock_subtree(p_uid text) RETURNS TABLE (uid text, level integer, version bigint)
      LANGUAGE plpgsql AS $$
      DECLARE
        current_level text[];
        depth integer := 0;
      BEGIN
        RETURN QUERY SELECT o.uid, 0, o.version FROM content_object o WHERE o.uid = p_uid FOR UPDATE;
        IF NOT FOUND THEN RETURN; END IF;
        current_level := ARRAY[p_uid];
        LOOP
          depth := depth + 1;
          SELECT array_agg(c.uid) INTO current_level
            FROM (SELECT o.uid FROM content_object o WHERE o.parent_uid = ANY (current_level) ORDER BY o.uid FOR UPDATE) c;
          EXIT WHEN current_level IS NULL;
          RETURN QUERY SELECT o.uid, depth, o.version FROM content_object o WHERE o.uid = ANY (current_level);
        END LOOP;
      END
      $$`);
    await runner.query(`
      CREATE FUNCTION content_remove(p_uids text[]) RETURNS text LANGUAGE plpgsql AS $$
      BEGIN
        DELETE FROM content_object o WHERE o.uid = ANY (p_uids);
        RETURN 'done';
      END
      $$`);

    // Moves take turns: two that each would put one object below the other see each other's result.
    await runner.query(`
      CREATE FUNCTION content_move_gate() RETURNS integer LANGUAGE sql VOLATILE AS $$
        SELECT 1 FROM content_object WHERE uid = '${ROOT}' FOR NO KEY UPDATE
      $$`);
    // The caller has passed the gate and locked the sources. Outcomes: done for each source; or gone (the target) or cycle, once.
    await runner.query(`
      CREATE FUNCTION content_move(p_sources text[], p_target text, p_user text)
      RETURNS TABLE (outcome text, source text, new_id text) LANGUAGE plpgsql AS $$
      DECLARE
        s content_object%ROWTYPE;
        place integer;
        chosen text;
      BEGIN
        PERFORM FROM content_object WHERE uid = p_target FOR NO KEY UPDATE;
        IF NOT FOUND THEN
          RETURN QUERY SELECT 'gone', NULL::text, NULL::text;
          RETURN;
        END IF;
        PERFORM FROM (
          WITH RECURSIVE above (uid, parent_uid) AS (
            SELECT o.uid, o.parent_uid FROM content_object o WHERE o.uid = p_target
            UNION ALL
            SELECT o.uid, o.parent_uid FROM above a JOIN content_object o ON o.uid = a.parent_uid)
          SELECT FROM above WHERE above.uid = ANY (p_sources)) hit;
        IF FOUND THEN
          RETURN QUERY SELECT 'cycle', NULL::text, NULL::text;
          RETURN;
        END IF;
        FOR place IN 1 .. cardinality(p_sources) LOOP
          SELECT * INTO s FROM content_object o WHERE o.uid = p_sources[place];
          chosen := s.id;
          WHILE s.parent_uid <> p_target LOOP
            chosen := content_free_id(p_target, s.id, '{}');
            BEGIN
              UPDATE content_object o
                 SET parent_uid = p_target, id = chosen, position = content_last_position(p_target) + 1,
                     version = nextval('content_version_seq'),
                     modified = greatest(clock_timestamp(), o.modified + interval '1 microsecond'),
                     last_by = p_user, last_at = clock_timestamp(),
                     other_at = CASE WHEN o.last_by = p_user THEN o.other_at ELSE o.last_at END
               WHERE o.uid = s.uid;
              EXIT;
            EXCEPTION WHEN unique_violation THEN
              -- A rename in the target came first; the next look sees it.
              NULL;
            END;
          END LOOP;
          RETURN QUERY SELECT 'done', s.uid, chosen;
        END LOOP;
      END
      $$`);

    // Copies each source with all below it. Outcomes: done for each source; or gone (the target), source-gone or too-many, once.
    await runner.query(`
      CREATE FUNCTION content_copy(p_sources text[], p_target text, p_user text, p_max_objects integer)
      RETURNS TABLE (outcome text, source text, new_uid text, new_id text) LANGUAGE plpgsql AS $$
      DECLARE
        total bigint := 0;
        place integer;
        olds text[];
        news text[];
        parents text[];
        chosen text;
      BEGIN
        PERFORM FROM content_object WHERE uid = p_target FOR NO KEY UPDATE;
        IF NOT FOUND THEN
          RETURN QUERY SELECT 'gone', NULL::text, NULL::text, NULL::text;
          RETURN;
        END IF;
        FOR place IN 1 .. cardinality(p_sources) LOOP
          -- Kept until the copy is made.
          PERFORM FROM content_object o WHERE o.uid = p_sources[place] FOR KEY SHARE;
          IF NOT FOUND THEN
            RETURN QUERY SELECT 'source-gone', NULL::text, NULL::text, NULL::text;
            RETURN;
          END IF;
          total := total + (
            WITH RECURSIVE tree (uid) AS (
              SELECT p_sources[place] COLLATE "C"
              UNION ALL
              SELECT c.uid FROM tree t JOIN content_object c ON c.parent_uid = t.uid)
            SELECT count(*) FROM (SELECT FROM tree LIMIT p_max_objects + 1) counted);
          IF total > p_max_objects THEN
            RETURN QUERY SELECT 'too-many', NULL::text, NULL::text, NULL::text;
            RETURN;
          END IF;
        END LOOP;
        FOR place IN 1 .. cardinality(p_sources) LOOP
          WITH RECURSIVE tree (old, new, new_parent) AS (
            SELECT p_sources[place] COLLATE "C", replace(gen_random_uuid()::text, '-', ''), p_target
            UNION ALL
            SELECT c.uid, replace(gen_random_uuid()::text, '-', ''), t.new
              FROM tree t JOIN content_object c ON c.parent_uid = t.old)
          SELECT array_agg(old), array_agg(new), array_agg(new_parent) INTO olds, news, parents FROM tree;
          LOOP
            SELECT content_free_id(p_target, o.id, '{}') INTO chosen FROM content_object o WHERE o.uid = p_sources[place];
            BEGIN
              INSERT INTO content_object (uid, parent_uid, id, type, title, description, fields, position, version, created, modified,
                created_by, last_by, last_at)
              SELECT n.new, n.new_parent, CASE WHEN n.new = news[1] THEN chosen ELSE o.id END, o.type, o.title, o.description, o.fields,
                     CASE WHEN n.new = news[1] THEN content_last_position(p_target) + 1 ELSE o.position END,
                     nextval('content_version_seq'), at, at, p_user, p_user, at
                FROM unnest(olds, news, parents) n (old, new, new_parent)
                JOIN content_object o ON o.uid = n.old, (SELECT clock_timestamp() AS at) now;
              EXIT;
            EXCEPTION WHEN unique_violation THEN
              NULL;
            END;
          END LOOP;
          RETURN QUERY SELECT 'done', p_sources[place], news[1], chosen;
        END LOOP;
      END
      $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION content_free_id, content_last_position, content_page, content_create, content_reorder, content_update, content_lock_subtree,
        content_remove, content_move_gate, content_move, content_copy`);
    await runner.query(`DROP TABLE content_object`);
    await runner.query(`DROP SEQUENCE content_version_seq`);
  }
}
