import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Functions of changes, as they were but for what they cost: none may cost the product of what is sent and what is stored, or grow with what
 * somebody else left behind.
 */
export class ContentCosts1763000000016 implements MigrationInterface {
  name = 'ContentCosts1763000000016';

  async up(runner: QueryRunner): Promise<void> {
    // In both: an array that is a parameter is scanned for each row, a subquery over it is hashed once.
    await runner.query(`
      CREATE OR REPLACE FUNCTION content_reorder(p_parent text, p_child text, p_delta text, p_subset text[]) RETURNS text LANGUAGE plpgsql AS $$
      DECLARE
        ids text[];
        uids text[];
        places bigint[];
        origin integer;
        target integer;
        place bigint;
      BEGIN
        SELECT array_agg(id ORDER BY position, uid), array_agg(uid ORDER BY position, uid), array_agg(position ORDER BY position, uid)
          INTO ids, uids, places
          FROM content_object
         WHERE parent_uid = p_parent AND (p_subset IS NULL OR id IN (SELECT unnest(p_subset)));
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
        -- Those in between take one place each towards where the child was; their places stay what they are. Each by its uid: a join
        -- would be planned for few, and the comparison with the parent is one that no index can answer in its stead.
        FOR i IN least(origin, target) .. greatest(origin, target) LOOP
          place := places[CASE i WHEN origin THEN target ELSE i - sign(target - origin)::integer END];
          UPDATE content_object c SET position = place
           WHERE c.uid = uids[i] AND c.parent_uid IS NOT DISTINCT FROM p_parent AND c.position <> place;
        END LOOP;
        RETURN 'done';
      END
      $$`);
    await runner.query(`
      CREATE OR REPLACE FUNCTION content_update(p_uid text, p_user text, p_id text, p_title text, p_description text, p_touched text[],
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
                   WHERE key NOT IN (SELECT unnest(p_touched))
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
    // A former token is found by its key, as the one who holds it writes it: all others of its object may be millions.
    await runner.query(`
      CREATE OR REPLACE FUNCTION content_lock_verdict(p_uid text, p_user text, p_token text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
      DECLARE
        l content_lock%ROWTYPE;
        issued timestamptz;
        known uuid;
      BEGIN
        SELECT * INTO l FROM content_lock WHERE uid = p_uid;
        IF l.expires_at > clock_timestamp() THEN
          RETURN CASE WHEN l.holder = p_user AND l.token::text = p_token THEN 'holder' ELSE 'locked' END;
        END IF;
        IF p_token IS NULL THEN RETURN 'free'; END IF;
        known := CASE WHEN p_token ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN p_token::uuid END;
        issued := CASE WHEN l.token::text = p_token THEN l.issued_at ELSE (
          SELECT t.issued_at FROM content_lock_token t WHERE t.uid = p_uid AND t.token = known) END;
        PERFORM FROM content_object o
          WHERE o.uid = p_uid AND CASE WHEN o.last_by = p_user THEN o.other_at ELSE o.last_at END > issued;
        RETURN CASE WHEN FOUND THEN 'stale-token' ELSE 'free' END;
      END
      $$`);
  }

  // They answer what they answered, to every version of the service.
  async down(): Promise<void> {}
}
