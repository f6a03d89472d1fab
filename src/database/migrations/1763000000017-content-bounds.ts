import { type MigrationInterface, type QueryRunner } from 'typeorm';

const ROOT = '00000000000000000000000000000001';

/** Work that does not grow with what others have put into a folder. */
export class ContentBounds1763000000017 implements MigrationInterface {
  name = 'ContentBounds1763000000017';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION content_is_taken(p_parent text, p_id text, p_reserved text[]) RETURNS boolean LANGUAGE plpgsql AS $$
      BEGIN
        RETURN (p_parent = '${ROOT}' AND p_id = ANY (p_reserved))
            OR EXISTS (SELECT FROM content_object WHERE parent_uid = p_parent AND id = p_id);
      END
      $$`);
    // The id itself where it is free, else the first of id-1, id-2 and so on; behind many it may be a later one, for not all are looked
    // at. Steps are not to be foreseen: nobody can lay ids where they lead.
    await runner.query(`
      CREATE OR REPLACE FUNCTION content_free_id(p_parent text, p_id text, p_reserved text[]) RETURNS text LANGUAGE plpgsql AS $$
      DECLARE
        stem text := left(p_id, 240) || '-';
        taken bigint := 0;
        free bigint := 1;
        middle bigint;
      BEGIN
        IF NOT content_is_taken(p_parent, p_id, p_reserved) THEN RETURN p_id; END IF;
        WHILE content_is_taken(p_parent, stem || free, p_reserved) LOOP
          taken := free;
          free := CASE WHEN free < 20 THEN free + 1 ELSE 2 * free + floor(random() * free)::bigint END;
        END LOOP;
        WHILE free - taken > 1 LOOP
          middle := (taken + free) / 2;
          IF content_is_taken(p_parent, stem || middle, p_reserved) THEN taken := middle; ELSE free := middle; END IF;
        END LOOP;
        RETURN stem || free;
      END
      $$`);
    // Beside the one that processes of the version before still call. A row without a uid, and nothing behind it, says that there are more
    // than p_max: a level is counted before it is locked.
    await runner.query(`
      CREATE FUNCTION content_lock_subtree(p_uid text, p_max integer) RETURNS TABLE (uid text, level integer, version bigint)
      LANGUAGE plpgsql AS $$
      DECLARE
        current_level text[];
        depth integer := 0;
        room integer := p_max - 1;
      BEGIN
        RETURN QUERY SELECT o.uid, 0, o.version FROM content_object o WHERE o.uid = p_uid FOR UPDATE;
        IF NOT FOUND THEN RETURN; END IF;
        current_level := ARRAY[p_uid];
        LOOP
          depth := depth + 1;
          room := room - (
            SELECT count(*) FROM (SELECT FROM content_object o WHERE o.parent_uid = ANY (current_level) LIMIT room + 1) counted);
          IF room < 0 THEN
            RETURN QUERY SELECT NULL::text, depth, NULL::bigint;
            RETURN;
          END IF;
          SELECT array_agg(c.uid) INTO current_level
            FROM (SELECT o.uid FROM content_object o WHERE o.parent_uid = ANY (current_level) ORDER BY o.uid FOR UPDATE) c;
          EXIT WHEN current_level IS NULL;
          RETURN QUERY SELECT o.uid, depth, o.version FROM content_object o WHERE o.uid = ANY (current_level);
        END LOOP;
      END
      $$`);
    // Whether the navigation leaves an object out. Kept beside the fields, which those who read the navigation need not look at then; by
    // a trigger, so that processes of the version before keep it too.
    await runner.query(`ALTER TABLE content_object ADD COLUMN hidden boolean NOT NULL DEFAULT false`);
    await runner.query(`
      CREATE FUNCTION content_set_hidden() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        NEW.hidden := strpos(NEW.fields, '"exclude_from_nav"') > 0
          AND coalesce(NEW.fields::json ->> 'exclude_from_nav' = 'true', false);
        RETURN NEW;
      END
      $$`);
    await runner.query(`
      CREATE TRIGGER content_object_hidden BEFORE INSERT OR UPDATE OF fields ON content_object
        FOR EACH ROW EXECUTE FUNCTION content_set_hidden()`);
    await runner.query(`UPDATE content_object SET fields = fields WHERE strpos(fields, '"exclude_from_nav"') > 0`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE OR REPLACE FUNCTION content_free_id(p_parent text, p_id text, p_reserved text[]) RETURNS text LANGUAGE plpgsql AS $$
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
    await runner.query(`DROP TRIGGER content_object_hidden ON content_object`);
    await runner.query(`ALTER TABLE content_object DROP COLUMN hidden`);
    await runner.query(`DROP FUNCTION content_is_taken, content_lock_subtree(text, integer), content_set_hidden`);
  }
}
