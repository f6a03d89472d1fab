import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** The expression of the next fence, as `Lease1763000000005` explains it. */
const NEXT_FENCE = `greatest(
          last_fence + 1,
          (SELECT fence + 1 FROM lease_floor),
          (('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint << 42) + nextval('lease_fence_seq'))`;

/**
 * The same fences from a function that a session plans once. One written in SQL is planned again by each statement that calls it, at each
 * place where it does: two thirds of what a grant cost.
 */
export class LeaseFence1763000000013 implements MigrationInterface {
  name = 'LeaseFence1763000000013';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE OR REPLACE FUNCTION lease_next_fence(last_fence bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
      BEGIN
        RETURN ${NEXT_FENCE};
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE OR REPLACE FUNCTION lease_next_fence(last_fence bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
        SELECT ${NEXT_FENCE}
      $$`);
  }
}
