const { chmodSync, mkdtempSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

/**
 * One throw-away PostgreSQL for the whole run, with a migrated template that each spec file copies. It flushes nothing: what is
 * tested here is rules, and the fault tests have servers of their own. Jest does not map this file's imports, so it uses the build.
 */
module.exports = async function globalSetup() {
  // Two projects of one run share it.
  if (globalThis.latchkeyTestDatabase) return;
  const { buildIfStale } = await import('../../scripts/build-if-stale.mjs');
  buildIfStale();
  const { Client } = require('pg');
  const { pino } = require('pino');
  const { EmbeddedPostgres } = require('../../dist/src/database/embedded/embedded-postgres.js');
  const { migrate } = require('../../dist/src/database/migrate.js');

  const dataDir = mkdtempSync(join(tmpdir(), 'latchkey-test-'));
  // As root the database runs as another user, who must get through.
  chmodSync(dataDir, 0o755);
  const database = await EmbeddedPostgres.start({
    dataDir,
    maxConnections: 200,
    durable: false,
    log: { info: () => undefined, warn: () => undefined, error: (message) => process.stderr.write(`${message}\n`) },
  });
  globalThis.latchkeyTestDatabase = { database, dataDir };
  const template = 'latchkey_template';
  const admin = new Client({ ...database.address, database: 'postgres' });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${template}`);
  await admin.end();
  await migrate(
    { ...database.address, database: template },
    { migrateOnStart: true, dbPooler: false },
    pino({ level: 'silent' }),
  );
  process.env.LATCHKEY_TEST_DATABASE = JSON.stringify({ ...database.address, database: template });
};
