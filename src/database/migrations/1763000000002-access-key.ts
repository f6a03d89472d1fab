import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Access keys that the service itself keeps. Their secrets are sealed under `MASTER_KEY`; those of `ACCESS_KEYS` are never here. */
export class AccessKey1763000000002 implements MigrationInterface {
  name = 'AccessKey1763000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE access_key (
        id text COLLATE "C" NOT NULL,
        sealed_secret text NOT NULL,
        read_only boolean NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT access_key_pkey PRIMARY KEY (id)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE access_key`);
  }
}
