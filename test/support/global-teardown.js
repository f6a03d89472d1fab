const { rmSync } = require('node:fs');

/** Stops the run's PostgreSQL and removes its data. */
module.exports = async function globalTeardown() {
  const database = globalThis.latchkeyTestDatabase;
  globalThis.latchkeyTestDatabase = undefined;
  if (!database) return;
  await database.stop();
  rmSync(database.location, { recursive: true, force: true });
};
