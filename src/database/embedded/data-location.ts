import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { canEnter, databaseUser, type DatabaseUser } from './database-user.js';
import { codeOf, EmbeddedPostgresError, reasonOf } from './embedded-postgres.error.js';

/** Where root keeps what the database's user cannot reach elsewhere. */
export const SYSTEM_DIRECTORY = '/var/lib/latchkey';

/** The folder that holds everything of one embedded database, and who runs it. */
export interface DataLocation {
  /** DATA_DIR itself, or the folder under {@link SYSTEM_DIRECTORY} that stands for it; without symbolic links. */
  readonly directory: string;
  /** PostgreSQL's own data directory. */
  readonly cluster: string;
  readonly passwordFile: string;
  readonly logFile: string;
  readonly user: DatabaseUser;
}

/** Whether anything is there; a place that we may not look into counts as nothing. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * Makes DATA_DIR when it is missing, private to its user. As root the database's own user has to pass through it, so there others may
 * enter but not list it. A directory that exists keeps its mode: it may be somebody's home.
 */
export async function createDataDirectory(dataDir: string): Promise<void> {
  await makeDirectory(dataDir, databaseUser().isSwitched ? 0o711 : 0o700).catch((error: unknown) => {
    throw unusable(dataDir, error);
  });
}

/** Decides where the database lies, and makes that folder. */
export async function chooseDataLocation(dataDir: string): Promise<DataLocation> {
  const user = databaseUser();
  try {
    await createDataDirectory(dataDir);
    const directory = await realpath(dataDir);
    return locationIn(user.isSwitched ? await reachableDirectory(directory, user) : directory, user);
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw error;
    throw unusable(dataDir, error);
  }
}

/** Refuses a folder in which we cannot write. Asked after the owner of the database is known, whose message says more. */
export async function requireWritable(location: DataLocation): Promise<void> {
  await access(location.directory, constants.W_OK | constants.X_OK).catch((error: unknown) => {
    throw unusable(location.directory, error);
  });
}

function unusable(directory: string, cause: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `The data directory ${directory} cannot be used (${reasonOf(cause)}): make it writable or set DATA_DIR to another one`,
    { cause },
  );
}

function locationIn(directory: string, user: DatabaseUser): DataLocation {
  const cluster = join(directory, 'postgres');
  return { directory, cluster, passwordFile: `${cluster}.password`, logFile: `${cluster}.log`, user };
}

async function reachableDirectory(dataDir: string, user: DatabaseUser): Promise<string> {
  const substitute = join(SYSTEM_DIRECTORY, nameFor(dataDir));
  const hasData = await exists(join(dataDir, 'postgres'));
  if (await canEnter(dataDir, user)) {
    // Data that went to the substitute stays there, also when the way to DATA_DIR was opened since.
    return !hasData && (await exists(join(substitute, 'postgres'))) ? substitute : dataDir;
  }
  if (hasData) {
    // Starting an empty database elsewhere would look as if the data were lost.
    throw new EmbeddedPostgresError(
      `PostgreSQL runs as uid ${user.uid}, which can no longer reach its data in ${join(dataDir, 'postgres')}: ` +
        `let others enter that directory and those above it (chmod o+x)`,
    );
  }
  await makeSystemDirectory(user);
  await makeDirectory(substitute, 0o711);
  return substitute;
}

/** Makes the folder for what the database's user cannot reach elsewhere. */
export async function makeSystemDirectory(user: DatabaseUser): Promise<void> {
  await makeDirectory(SYSTEM_DIRECTORY, 0o755);
  if (await canEnter(SYSTEM_DIRECTORY, user)) return;
  throw new EmbeddedPostgresError(
    `PostgreSQL runs as uid ${user.uid}, which cannot enter ${SYSTEM_DIRECTORY}: let others enter it (chmod o+x), ` +
      `or set DATA_DIR to a directory that it can reach`,
  );
}

/** Readable for an operator, and different for any two paths. */
function nameFor(path: string): string {
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 12);
  const word = basename(path)
    .replace(/[^A-Za-z0-9_-]/g, '')
    .slice(0, 30);
  return word ? `${word}-${hash}` : hash;
}

/**
 * `mkdir -p` whose mode no umask changes, for the directories that it makes. Node's own never ends where a file system knows of no new
 * directories and says that the parent is missing, as `/proc` does.
 */
async function makeDirectory(directory: string, mode: number): Promise<void> {
  if (await isDirectory(directory)) return;
  if (dirname(directory) !== directory) await makeDirectory(dirname(directory), mode);
  try {
    await mkdir(directory, { mode });
  } catch (error) {
    // Another start may have been faster.
    if (codeOf(error) === 'EEXIST' && (await isDirectory(directory))) return;
    throw error;
  }
  await chmod(directory, mode);
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
