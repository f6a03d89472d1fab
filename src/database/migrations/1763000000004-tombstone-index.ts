import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Finds deleted key-values for the retention purge. It holds no column that an ordinary put changes, so puts stay as cheap as before
 * (PostgreSQL's heap-only updates).
 */
export class TombstoneIndex1763000000004 implements MigrationInterface {
  name = 'TombstoneIndex1763000000004';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX key_value_tombstone ON key_value (key, label) WHERE deleted`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX key_value_tombstone`);
  }
}
