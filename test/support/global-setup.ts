import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Client } from 'pg';
import { EmbeddedPostgres } from '../../src/database/embedded/embedded-postgres';
import { migrate } from '../../src/database/migrate';

/** What the spec files' processes need to know of the one server they share. */
export const TEMPLATE_DATABASE = 'latchkey_template';

declare global {
  var testDatabase: EmbeddedPostgres | undefined;
}

/**
 * One throw-away PostgreSQL for the whole run, with a migrated template that each spec file copies. It flushes nothing: what is
 * tested here is rules, and the fault tests have servers of their own.
 */
export default async function globalSetup(): Promise<void> {
  if (globalThis.testDatabase) return;
  process.env['NODE_ENV'] = 'test';
  const log = pino({ level: 'silent' });
  const database = await EmbeddedPostgres.start({
    dataDir: mkdtempSync(join(tmpdir(), 'latchkey-test-')),
    maxConnections: 200,
    durable: false,
    log: { info: () => undefined, warn: () => undefined, error: (message) => process.stderr.write(`${message}\n`) },
  });
  globalThis.testDatabase = database;
  const admin = new Client({ ...database.address, database: 'postgres' });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${TEMPLATE_DATABASE}`);
  await admin.end();
  await migrate({ ...database.address, database: TEMPLATE_DATABASE }, true, log);
  process.env['LATCHKEY_TEST_DATABASE'] = JSON.stringify(database.address);
}
