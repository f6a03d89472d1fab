const { rmSync } = require('node:fs');

/** Stops the run's PostgreSQL and removes its data. */
module.exports = async function globalTeardown() {
  const shared = globalThis.latchkeyTestDatabase;
  globalThis.latchkeyTestDatabase = undefined;
  if (!shared) return;
  await shared.database.stop();
  rmSync(shared.dataDir, { recursive: true, force: true });
};
