import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Finds the history that became visible last, by its transactions. New rows are always the last ones, which keeps it cheap to fill. */
export class RevisionTransactionIndex1763000000012 implements MigrationInterface {
  name = 'RevisionTransactionIndex1763000000012';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX key_value_revision_transaction ON key_value_revision (xid)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX key_value_revision_transaction`);
  }
}
