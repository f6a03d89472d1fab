import { chooseDataLocation, exists } from './data-location.js';
import { type DatabaseAddress } from './embedded-postgres.options.js';
import { chooseEndpoint } from './endpoint.js';
import { agreedPassword } from './password.js';
import { findPostmaster } from './postmaster-file.js';

/** The database of every data directory, and who may do everything in it. */
export const SUPERUSER = 'postgres';
export const DATABASE = 'latchkey';

export type EmbeddedSighting =
  /** Nothing was ever stored in this directory. */
  | { kind: 'absent' }
  | { kind: 'stopped' }
  /** Somebody runs it. Whoever connects here is a guest and does not end the server. */
  | { kind: 'running'; address: DatabaseAddress };

/**
 * Looks whether a server runs on a data directory, for programs that work beside the service that owns it.
 *
 * @param dataDir absolute path of DATA_DIR
 */
export async function findRunningDatabase(dataDir: string): Promise<EmbeddedSighting> {
  if (!(await exists(dataDir))) return { kind: 'absent' };
  const location = await chooseDataLocation(dataDir);
  if (!(await exists(location.cluster))) return { kind: 'absent' };
  const expected = await chooseEndpoint(location);
  const sighting = await findPostmaster(location, expected);
  if (sighting.kind === 'none') return { kind: 'stopped' };
  const endpoint = sighting.kind === 'running' ? sighting.endpoint : expected;
  const password = await agreedPassword(location.passwordFile);
  return { kind: 'running', address: { ...endpoint, user: SUPERUSER, password, database: DATABASE } };
}
