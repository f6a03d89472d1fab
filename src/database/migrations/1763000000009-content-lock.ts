import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Locks of content objects. Whoever grants, refreshes, ends or judges one holds the row lock of its object first and looks at the clock
 * behind it; so does every change of content, which is how a change and a lock never pass each other. Each statement of these functions
 * sees what was committed before it began, and with it every lock that was granted before the object's row was got.
 */
export class ContentLock1763000000009 implements MigrationInterface {
  name = 'ContentLock1763000000009';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE content_lock (
        uid text COLLATE "C" NOT NULL,
        holder text NOT NULL,
        token uuid NOT NULL,
        issued_at timestamptz NOT NULL,
        created timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        timeout_s integer NOT NULL,
        stealable boolean NOT NULL,
        CONSTRAINT content_lock_pkey PRIMARY KEY (uid),
        CONSTRAINT content_lock_object FOREIGN KEY (uid) REFERENCES content_object (uid) ON DELETE CASCADE
      )`);
    await runner.query(`
      CREATE TABLE content_lock_token (
        uid text COLLATE "C" NOT NULL,
        token uuid NOT NULL,
        issued_at timestamptz NOT NULL,
        ended_at timestamptz NOT NULL,
        CONSTRAINT content_lock_token_pkey PRIMARY KEY (uid, token),
        CONSTRAINT content_lock_token_object FOREIGN KEY (uid) REFERENCES content_object (uid) ON DELETE CASCADE
      )`);
    await runner.query(`CREATE INDEX content_lock_token_ended ON content_lock_token (ended_at)`);
    await runner.query(`CREATE INDEX content_lock_expiry ON content_lock (expires_at)`);

    // Ends the lock of an object, run out or not, and remembers its token.
    await runner.query(`
      CREATE FUNCTION content_lock_end(p_uid text) RETURNS void LANGUAGE sql VOLATILE AS $$
        WITH ended AS (DELETE FROM content_lock WHERE uid = p_uid RETURNING uid, token, issued_at)
        INSERT INTO content_lock_token (uid, token, issued_at, ended_at)
        SELECT uid, token, issued_at, clock_timestamp() FROM ended
      $$`);

    // What a change by this user with this token meets: free, holder, locked, or stale-token (content contract section 5: the token is
    // known and no longer current, and somebody else changed the object since it was issued). The caller has locked the object's row.
    await runner.query(`
      CREATE FUNCTION content_lock_verdict(p_uid text, p_user text, p_token text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
      DECLARE
        l content_lock%ROWTYPE;
        issued timestamptz;
      BEGIN
        SELECT * INTO l FROM content_lock WHERE uid = p_uid;
        IF l.expires_at > clock_timestamp() THEN
          RETURN CASE WHEN l.holder = p_user AND l.token::text = p_token THEN 'holder' ELSE 'locked' END;
        END IF;
        IF p_token IS NULL THEN RETURN 'free'; END IF;
        issued := CASE WHEN l.token::text = p_token THEN l.issued_at ELSE (
          SELECT t.issued_at FROM content_lock_token t WHERE t.uid = p_uid AND t.token::text = p_token) END;
        PERFORM FROM content_object o
          WHERE o.uid = p_uid AND CASE WHEN o.last_by = p_user THEN o.other_at ELSE o.last_at END > issued;
        RETURN CASE WHEN FOUND THEN 'stale-token' ELSE 'free' END;
      END
      $$`);

    // The object was changed by its lock's holder: the clock starts again, or the lock ends with the change.
    await runner.query(`
      CREATE FUNCTION content_lock_changed(p_uid text, p_user text, p_token text, p_release boolean) RETURNS text
      LANGUAGE plpgsql VOLATILE AS $$
      BEGIN
        PERFORM FROM content_lock
          WHERE uid = p_uid AND holder = p_user AND token::text = p_token AND expires_at > clock_timestamp();
        IF NOT FOUND THEN RETURN 'none'; END IF;
        IF p_release THEN
          PERFORM content_lock_end(p_uid);
          RETURN 'released';
        END IF;
        UPDATE content_lock SET created = at, expires_at = at + timeout_s * interval '1 second'
          FROM (SELECT clock_timestamp() AS at) now
         WHERE uid = p_uid;
        RETURN 'refreshed';
      END
      $$`);

    // Of each operation: nothing when the object is gone, else its outcome, the lock as it is now, and another's lock that it met.
    // Outcomes of taking: taken, renewed (the caller has it), held, not-stealable, stolen. Null keeps an option, or takes the default.
    await runner.query(`
      CREATE FUNCTION content_lock_take(p_uid text, p_user text, p_timeout_s integer, p_stealable boolean, p_force boolean,
        p_may_break boolean, p_default_timeout_s integer)
      RETURNS TABLE (outcome text, present content_lock, former content_lock) LANGUAGE plpgsql VOLATILE AS $$
      DECLARE
        at timestamptz;
        is_held boolean;
        seconds integer;
      BEGIN
        PERFORM FROM content_object o WHERE o.uid = p_uid FOR UPDATE;
        IF NOT FOUND THEN RETURN; END IF;
        at := clock_timestamp();
        SELECT l.* INTO former FROM content_lock l WHERE l.uid = p_uid AND l.expires_at > at;
        is_held := FOUND;
        IF is_held AND former.holder = p_user THEN
          outcome := 'renewed';
          seconds := coalesce(p_timeout_s, former.timeout_s);
          UPDATE content_lock l
             SET created = at, expires_at = at + seconds * interval '1 second', timeout_s = seconds,
                 stealable = coalesce(p_stealable, l.stealable)
           WHERE l.uid = p_uid
          RETURNING l.* INTO present;
          former := NULL;
        ELSIF is_held AND NOT p_force THEN
          outcome := 'held';
          present := former;
        ELSIF is_held AND NOT former.stealable AND NOT p_may_break THEN
          outcome := 'not-stealable';
          present := former;
        ELSE
          outcome := CASE WHEN is_held THEN 'stolen' ELSE 'taken' END;
          seconds := coalesce(p_timeout_s, p_default_timeout_s);
          PERFORM content_lock_end(p_uid);
          INSERT INTO content_lock AS l (uid, holder, token, issued_at, created, expires_at, timeout_s, stealable)
          VALUES (p_uid, p_user, gen_random_uuid(), at, at, at + seconds * interval '1 second', seconds, coalesce(p_stealable, true))
          RETURNING l.* INTO present;
        END IF;
        RETURN NEXT;
      END
      $$`);

    // Outcomes: refreshed, held (by somebody else), free.
    await runner.query(`
      CREATE FUNCTION content_lock_refresh(p_uid text, p_user text, p_timeout_s integer)
      RETURNS TABLE (outcome text, present content_lock, former content_lock) LANGUAGE plpgsql VOLATILE AS $$
      DECLARE
        at timestamptz;
      BEGIN
        PERFORM FROM content_object o WHERE o.uid = p_uid FOR UPDATE;
        IF NOT FOUND THEN RETURN; END IF;
        at := clock_timestamp();
        SELECT l.* INTO present FROM content_lock l WHERE l.uid = p_uid AND l.expires_at > at;
        IF NOT FOUND THEN
          outcome := 'free';
        ELSIF present.holder <> p_user THEN
          outcome := 'held';
          former := present;
        ELSE
          outcome := 'refreshed';
          UPDATE content_lock l
             SET created = at, expires_at = at + coalesce(p_timeout_s, l.timeout_s) * interval '1 second',
                 timeout_s = coalesce(p_timeout_s, l.timeout_s)
           WHERE l.uid = p_uid
          RETURNING l.* INTO present;
        END IF;
        RETURN NEXT;
      END
      $$`);

    // Outcomes: released, free, held (by somebody else), not-stealable, forced. Without a user every lock is somebody else's.
    await runner.query(`
      CREATE FUNCTION content_lock_release(p_uid text, p_user text, p_force boolean, p_may_break boolean)
      RETURNS TABLE (outcome text, present content_lock, former content_lock) LANGUAGE plpgsql VOLATILE AS $$
      BEGIN
        PERFORM FROM content_object o WHERE o.uid = p_uid FOR UPDATE;
        IF NOT FOUND THEN RETURN; END IF;
        SELECT l.* INTO former FROM content_lock l WHERE l.uid = p_uid AND l.expires_at > clock_timestamp();
        IF NOT FOUND THEN
          outcome := 'free';
        ELSIF former.holder = p_user THEN
          outcome := 'released';
          PERFORM content_lock_end(p_uid);
        ELSIF NOT p_force THEN
          outcome := 'held';
          present := former;
        ELSIF NOT former.stealable AND NOT p_may_break THEN
          outcome := 'not-stealable';
          present := former;
        ELSE
          outcome := 'forced';
          PERFORM content_lock_end(p_uid);
        END IF;
        RETURN NEXT;
      END
      $$`);

    // Outcomes: released, stale.
    await runner.query(`
      CREATE FUNCTION content_lock_release_by_token(p_uid text, p_token text)
      RETURNS TABLE (outcome text) LANGUAGE plpgsql VOLATILE AS $$
      BEGIN
        PERFORM FROM content_object o WHERE o.uid = p_uid FOR UPDATE;
        PERFORM FROM content_lock l WHERE l.uid = p_uid AND l.token::text = p_token AND l.expires_at > clock_timestamp();
        outcome := CASE WHEN FOUND THEN 'released' ELSE 'stale' END;
        IF outcome = 'released' THEN PERFORM content_lock_end(p_uid); END IF;
        RETURN NEXT;
      END
      $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION content_lock_verdict, content_lock_changed, content_lock_take, content_lock_refresh, content_lock_release,
        content_lock_release_by_token, content_lock_end`);
    await runner.query(`DROP TABLE content_lock_token`);
    await runner.query(`DROP TABLE content_lock`);
  }
}
