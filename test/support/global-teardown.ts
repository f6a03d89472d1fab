import { rmSync } from 'node:fs';
import { dirname } from 'node:path';

/** Stops the run's PostgreSQL; its data goes too, unless a spec file failed and left its database for a look. */
export default async function globalTeardown(): Promise<void> {
  const database = globalThis.testDatabase;
  globalThis.testDatabase = undefined;
  await database?.stop();
  if (database) rmSync(dirname(database.location), { recursive: true, force: true });
}
