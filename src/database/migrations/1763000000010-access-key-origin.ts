import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Tells generated development keys, which count only while `ACCESS_KEYS` is unset, from those that an operator made, which always count.
 * Until now every stored key was a generated one.
 */
export class AccessKeyOrigin1763000000010 implements MigrationInterface {
  name = 'AccessKeyOrigin1763000000010';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE access_key ADD COLUMN generated boolean NOT NULL DEFAULT true`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE access_key DROP COLUMN generated`);
  }
}
