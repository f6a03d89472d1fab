import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * What a statement calls that has granted a fence at or below an earlier one of the same lock: all of it is taken back, and the error
 * is one upon which it is repeated.
 */
export class LeaseRisingFence1763000000014 implements MigrationInterface {
  name = 'LeaseRisingFence1763000000014';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION lease_refuse_fence() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
      BEGIN
        RAISE EXCEPTION 'the fence does not rise' USING ERRCODE = 'serialization_failure';
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION lease_refuse_fence()`);
  }
}
