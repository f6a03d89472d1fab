import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Signatures of writes that were used, for `STRICT_REPLAY`; without it nothing is written here. */
export class SeenSignature1763000000011 implements MigrationInterface {
  name = 'SeenSignature1763000000011';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE seen_signature (
        digest bytea NOT NULL,
        seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT seen_signature_pkey PRIMARY KEY (digest)
      )`);
    await runner.query(`CREATE INDEX seen_signature_time ON seen_signature (seen_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE seen_signature`);
  }
}
