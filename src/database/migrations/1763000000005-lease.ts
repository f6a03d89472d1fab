import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Leases: who holds a stored key until when, and who waits for it. Stored keys and owners are bytes: Dapr takes any text, U+0000 and
 * megabytes included, and compares it bytewise; so the key of the table is a digest.
 */
export class Lease1763000000005 implements MigrationInterface {
  name = 'Lease1763000000005';

  async up(runner: QueryRunner): Promise<void> {
    // CACHE 1: a connection that kept numbers for itself would hand out old ones after newer ones of others.
    await runner.query(`CREATE SEQUENCE lease_fence_seq AS bigint CACHE 1`);
    await runner.query(`CREATE SEQUENCE lease_ticket_seq AS bigint CACHE 1`);
    await runner.query(`
      CREATE TABLE lease (
        key_digest bytea NOT NULL,
        stored_key bytea NOT NULL,
        owner bytea,
        fence bigint,
        granted_at timestamptz,
        expires_at timestamptz,
        ttl_ms bigint,
        renewals integer NOT NULL DEFAULT 0,
        metadata text,
        idempotency_key text,
        ticket bigint,
        waiters integer NOT NULL DEFAULT 0,
        actor text,
        request_id uuid,
        touched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT lease_pkey PRIMARY KEY (key_digest)
      ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)`);
    // No index on what a grant or a release changes: their updates then stay on the page and touch no index at all.
    await runner.query(`CREATE INDEX lease_stored_key_idx ON lease (substring(stored_key FROM 1 FOR 512), key_digest)`);
    await runner.query(`
      CREATE TABLE lease_ticket (
        id bigint NOT NULL,
        key_digest bytea NOT NULL,
        replica uuid NOT NULL,
        owner bytea NOT NULL,
        ttl_ms bigint NOT NULL,
        metadata text,
        idempotency_key text,
        actor text NOT NULL,
        request_id uuid NOT NULL,
        CONSTRAINT lease_ticket_pkey PRIMARY KEY (key_digest, id)
      )`);
    await runner.query(`
      CREATE TABLE lease_replica (
        id uuid NOT NULL,
        alive_until timestamptz NOT NULL,
        CONSTRAINT lease_replica_pkey PRIMARY KEY (id)
      )`);
    // One row: no fence at or below it is given to a stored key whose own row was purged.
    await runner.query(`
      CREATE TABLE lease_floor (
        id smallint NOT NULL DEFAULT 1,
        fence bigint NOT NULL DEFAULT 0,
        CONSTRAINT lease_floor_pkey PRIMARY KEY (id),
        CONSTRAINT lease_floor_id_check CHECK (id = 1)
      )`);
    await runner.query(`INSERT INTO lease_floor DEFAULT VALUES`);

    // The timeline rises with each promotion, so it leads: a standby that missed the last moments cannot grant a fence twice. The
    // last fence and the floor count as well, for a dump that was restored elsewhere starts on a lower timeline again.
    await runner.query(`
      CREATE FUNCTION lease_next_fence(last_fence bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
        SELECT greatest(
          last_fence + 1,
          (SELECT fence + 1 FROM lease_floor),
          (('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint << 42) + nextval('lease_fence_seq'))
      $$`);

    // Each statement of a plpgsql function sees what was committed before it began, so what follows the row lock sees everything that
    // the former holder of that lock did. One statement with sub-queries would not: it lost wake-ups (reliability section 3).
    await runner.query(`
      CREATE FUNCTION lease_settle(p_digest bytea, p_replica uuid, p_delay_ms bigint)
      RETURNS TABLE (state text, ticket bigint, fence bigint, granted_at timestamptz, expires_at timestamptz, wake uuid,
        waiters integer)
      LANGUAGE plpgsql AS $$
      DECLARE
        l lease%ROWTYPE;
        head lease_ticket%ROWTYPE;
        is_alive boolean;
        dead integer := 0;
      BEGIN
        SELECT * INTO l FROM lease WHERE key_digest = p_digest FOR UPDATE;
        IF NOT FOUND THEN
          RETURN QUERY SELECT 'free', NULL::bigint, NULL::bigint, NULL::timestamptz, NULL::timestamptz, NULL::uuid, 0;
          RETURN;
        END IF;
        IF l.owner IS NOT NULL AND l.expires_at > clock_timestamp() THEN
          RETURN QUERY SELECT 'held', NULL::bigint, l.fence, l.granted_at, l.expires_at, NULL::uuid, l.waiters;
          RETURN;
        END IF;
        LOOP
          SELECT * INTO head FROM lease_ticket t WHERE t.key_digest = p_digest ORDER BY t.id LIMIT 1;
          EXIT WHEN NOT FOUND;
          SELECT r.alive_until > clock_timestamp() INTO is_alive FROM lease_replica r WHERE r.id = head.replica;
          EXIT WHEN is_alive;
          DELETE FROM lease_ticket t WHERE t.key_digest = p_digest AND t.id = head.id;
          dead := dead + 1;
        END LOOP;
        IF l.owner IS DISTINCT FROM head.owner AND l.expires_at + p_delay_ms * interval '1 ms' > clock_timestamp()
           AND l.owner IS NOT NULL THEN
          IF dead > 0 THEN
            UPDATE lease u SET waiters = greatest(u.waiters - dead, 0) WHERE u.key_digest = p_digest;
          END IF;
          RETURN QUERY SELECT 'held', NULL::bigint, l.fence, l.granted_at, l.expires_at + p_delay_ms * interval '1 ms', NULL::uuid, 0;
        ELSIF head.id IS NULL THEN
          IF l.waiters <> 0 THEN
            UPDATE lease SET waiters = 0 WHERE key_digest = p_digest;
          END IF;
          RETURN QUERY SELECT 'free', NULL::bigint, l.fence, NULL::timestamptz, NULL::timestamptz, NULL::uuid, 0;
        ELSIF head.replica = p_replica THEN
          DELETE FROM lease_ticket t WHERE t.key_digest = p_digest AND t.id = head.id;
          RETURN QUERY
            UPDATE lease u
               SET owner = head.owner, fence = lease_next_fence(u.fence), granted_at = clock_timestamp(),
                   expires_at = clock_timestamp() + head.ttl_ms * interval '1 ms', ttl_ms = head.ttl_ms, renewals = 0,
                   metadata = head.metadata, idempotency_key = head.idempotency_key, ticket = head.id,
                   waiters = greatest(u.waiters - dead - 1, 0), actor = head.actor, request_id = head.request_id,
                   touched_at = clock_timestamp()
             WHERE u.key_digest = p_digest
            RETURNING 'granted', u.ticket, u.fence, u.granted_at, u.expires_at, NULL::uuid, u.waiters;
        ELSE
          IF dead > 0 THEN
            UPDATE lease u SET waiters = greatest(u.waiters - dead, 1) WHERE u.key_digest = p_digest;
          END IF;
          RETURN QUERY SELECT 'waiting', NULL::bigint, l.fence, NULL::timestamptz, NULL::timestamptz, head.replica, 0;
        END IF;
      END $$`);

    // A ticket is promised to nobody and worthless after a crash, so its commit need not wait for the disk.
    await runner.query(`
      CREATE FUNCTION lease_enqueue(
        p_digest bytea, p_stored_key bytea, p_replica uuid, p_delay_ms bigint, p_owner bytea, p_ttl_ms bigint, p_metadata text,
        p_idempotency_key text, p_actor text, p_request_id uuid, p_max_waiters integer)
      RETURNS TABLE (
        own_ticket bigint, is_full boolean,
        state text, ticket bigint, fence bigint, granted_at timestamptz, expires_at timestamptz, wake uuid,
        waiters integer)
      LANGUAGE plpgsql AS $$
      DECLARE
        l lease%ROWTYPE;
        own bigint;
        s record;
      BEGIN
        LOOP
          SELECT * INTO l FROM lease WHERE key_digest = p_digest FOR UPDATE;
          EXIT WHEN FOUND;
          INSERT INTO lease (key_digest, stored_key) VALUES (p_digest, p_stored_key) ON CONFLICT DO NOTHING;
        END LOOP;
        IF l.waiters >= p_max_waiters THEN
          DELETE FROM lease_ticket t
           WHERE t.key_digest = p_digest
             AND NOT EXISTS (SELECT FROM lease_replica r WHERE r.id = t.replica AND r.alive_until > clock_timestamp());
          UPDATE lease u SET waiters = (SELECT count(*) FROM lease_ticket t WHERE t.key_digest = p_digest)
           WHERE u.key_digest = p_digest
          RETURNING u.waiters INTO l.waiters;
        END IF;
        IF l.waiters >= p_max_waiters THEN
          RETURN QUERY SELECT NULL::bigint, true, 'held', NULL::bigint, NULL::bigint, NULL::timestamptz, NULL::timestamptz, NULL::uuid, 0;
          RETURN;
        END IF;
        IF l.owner = p_owner AND l.idempotency_key = p_idempotency_key AND l.expires_at > clock_timestamp() THEN
          RETURN QUERY SELECT NULL::bigint, false, 'own', NULL::bigint, l.fence, l.granted_at, l.expires_at, NULL::uuid, l.waiters;
          RETURN;
        END IF;
        own := nextval('lease_ticket_seq');
        INSERT INTO lease_ticket (id, key_digest, replica, owner, ttl_ms, metadata, idempotency_key, actor, request_id)
        VALUES (own, p_digest, p_replica, p_owner, p_ttl_ms, p_metadata, p_idempotency_key, p_actor, p_request_id);
        UPDATE lease u SET waiters = u.waiters + 1, touched_at = clock_timestamp() WHERE u.key_digest = p_digest;
        SELECT * INTO s FROM lease_settle(p_digest, p_replica, p_delay_ms);
        IF s.state <> 'granted' THEN
          PERFORM set_config('synchronous_commit', 'off', true);
        END IF;
        RETURN QUERY SELECT own, false, s.state, s.ticket, s.fence, s.granted_at, s.expires_at, s.wake, s.waiters;
      END $$`);

    // Many may leave at once; a ticket among them that was granted already is told with its grant.
    await runner.query(`
      CREATE FUNCTION lease_leave(p_digest bytea, p_tickets bigint[], p_replica uuid, p_delay_ms bigint)
      RETURNS TABLE (
        granted_ticket bigint,
        state text, ticket bigint, fence bigint, granted_at timestamptz, expires_at timestamptz, wake uuid,
        waiters integer)
      LANGUAGE plpgsql AS $$
      DECLARE
        l lease%ROWTYPE;
        gone integer;
      BEGIN
        SELECT * INTO l FROM lease WHERE key_digest = p_digest FOR UPDATE;
        DELETE FROM lease_ticket t WHERE t.key_digest = p_digest AND t.id = ANY (p_tickets);
        GET DIAGNOSTICS gone = ROW_COUNT;
        IF gone > 0 THEN
          UPDATE lease u SET waiters = greatest(u.waiters - gone, 0) WHERE u.key_digest = p_digest;
        END IF;
        RETURN QUERY
          SELECT CASE WHEN s.state = 'held' AND l.ticket = ANY (p_tickets) THEN l.ticket END, s.*
            FROM lease_settle(p_digest, p_replica, p_delay_ms) s;
      END $$`);

    await runner.query(`
      CREATE FUNCTION lease_release(
        p_digest bytea, p_owner bytea, p_fence bigint, p_holder text, p_actor text, p_request_id uuid, p_replica uuid,
        p_delay_ms bigint, p_ticket bigint)
      RETURNS TABLE (
        outcome text,
        state text, ticket bigint, fence bigint, granted_at timestamptz, expires_at timestamptz, wake uuid,
        waiters integer)
      LANGUAGE plpgsql AS $$
      DECLARE
        l lease%ROWTYPE;
        verdict text;
      BEGIN
        SELECT * INTO l FROM lease WHERE key_digest = p_digest FOR UPDATE;
        verdict := CASE
          WHEN l.owner IS NULL OR l.expires_at <= clock_timestamp() THEN 'not-held'
          WHEN l.owner = coalesce(p_owner, l.owner) AND l.fence = coalesce(p_fence, l.fence)
           AND l.actor = coalesce(p_holder, l.actor) AND (p_ticket IS NULL OR l.ticket = p_ticket) THEN 'released'
          ELSE 'held-by-other'
        END;
        IF verdict = 'released' THEN
          UPDATE lease u
             SET owner = NULL, metadata = NULL, idempotency_key = NULL, actor = p_actor, request_id = p_request_id,
                 touched_at = clock_timestamp()
           WHERE u.key_digest = p_digest;
        END IF;
        RETURN QUERY SELECT verdict, s.* FROM lease_settle(p_digest, p_replica, p_delay_ms) s;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION lease_release(bytea, bytea, bigint, text, text, uuid, uuid, bigint, bigint)`);
    await runner.query(`DROP FUNCTION lease_leave(bytea, bigint[], uuid, bigint)`);
    await runner.query(
      `DROP FUNCTION lease_enqueue(bytea, bytea, uuid, bigint, bytea, bigint, text, text, text, uuid, integer)`,
    );
    await runner.query(`DROP FUNCTION lease_settle(bytea, uuid, bigint)`);
    await runner.query(`DROP FUNCTION lease_next_fence(bigint)`);
    for (const table of ['lease_floor', 'lease_replica', 'lease_ticket', 'lease'])
      await runner.query(`DROP TABLE ${table}`);
    await runner.query(`DROP SEQUENCE lease_ticket_seq`);
    await runner.query(`DROP SEQUENCE lease_fence_seq`);
  }
}
