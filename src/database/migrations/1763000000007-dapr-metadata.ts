import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Labels that clients set with Dapr's metadata call. */
export class DaprMetadata1763000000007 implements MigrationInterface {
  name = 'DaprMetadata1763000000007';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE dapr_metadata (
        key text COLLATE "C" NOT NULL,
        value text COLLATE "C" NOT NULL,
        CONSTRAINT dapr_metadata_pkey PRIMARY KEY (key)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE dapr_metadata`);
  }
}
