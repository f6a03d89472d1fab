import { chmod, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Binaries, type InstalledBinaries } from './binaries.js';
import { exists, type DataLocation } from './data-location.js';
import { type DatabaseUser, handOver } from './database-user.js';
import { codeOf, EmbeddedPostgresError } from './embedded-postgres.error.js';
import { runProgram } from './run-program.js';
import { removeLeftovers, syncDirectory, withScratch } from './scratch.js';

/** Whether a data directory of PostgreSQL is there; refuses one that this user or these binaries cannot open. */
export async function hasUsableCluster(
  { cluster, user }: DataLocation,
  { major }: InstalledBinaries,
): Promise<boolean> {
  const facts = await stat(cluster).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (facts === null) return false;
  if (process.platform !== 'win32' && facts.uid !== user.uid) throw ownedBy(facts.uid, cluster, user);
  const found = await readFile(join(cluster, 'PG_VERSION'), 'utf8').catch(() => null);
  if (found === null) {
    if ((await readdir(cluster)).length === 0) return false;
    throw new EmbeddedPostgresError(
      `${cluster} holds files but no PostgreSQL database: move it away or set DATA_DIR to another directory`,
    );
  }
  if (found.trim() !== major) {
    throw new EmbeddedPostgresError(
      `The database in ${cluster} was made by PostgreSQL ${found.trim()} and this is PostgreSQL ${major}: ` +
        `start the release that made it, dump the data there and load it into another DATA_DIR`,
    );
  }
  return true;
}

function ownedBy(owner: number, cluster: string, user: DatabaseUser): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    user.isSwitched
      ? `The database in ${cluster} belongs to uid ${owner}, while root runs PostgreSQL as uid ${user.uid}: start the service as ` +
          `uid ${owner}, or give it away with "chown -R ${user.uid}:${user.gid} ${cluster}", or set DATA_DIR to another directory`
      : `The database in ${cluster} belongs to another user (uid ${owner}): start the service as the user it was made by, ` +
          `or set DATA_DIR to another directory`,
  );
}

/** Makes an empty database out of sight and puts it in place; when another start was faster, its database stays. */
export async function createCluster(
  { directory, cluster, user }: DataLocation,
  binaries: Binaries,
  { password, durable, stopping }: { password: string; durable: boolean; stopping?: AbortSignal },
): Promise<void> {
  await removeLeftovers(cluster);
  await withScratch(cluster, async (scratch) => {
    const data = join(scratch, 'data');
    const passwordFile = join(scratch, 'password');
    await mkdir(scratch, { mode: 0o700 });
    await chmod(scratch, 0o700);
    await writeFile(passwordFile, password, { mode: 0o600 });
    await handOver(passwordFile, user);
    await handOver(scratch, user);
    const parameters = ['-D', data, '-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
    parameters.push('-E', 'UTF8', '--locale=C', '--no-instructions', ...(durable ? [] : ['--no-sync']));
    stopping?.throwIfAborted();
    const options = { cwd: directory, user, stopping };
    const result = await runProgram(binaries.initdb, parameters, options).catch((error: unknown) => {
      throw cannotRun(binaries.initdb, user, error);
    });
    stopping?.throwIfAborted();
    if (result.exitCode !== 0) throw initdbFailed(result.output, directory, user);
    await rename(data, cluster).catch(async (error: unknown) => {
      if (!(await exists(join(cluster, 'PG_VERSION')))) throw error;
    });
  });
  if (durable) await syncDirectory(directory);
}

/** Why a program of PostgreSQL could not even be started. */
export function cannotRun(program: string, user: DatabaseUser, cause: unknown): EmbeddedPostgresError {
  const code = codeOf(cause) ?? '';
  const hint =
    user.isSwitched && ['EPERM', 'EINVAL'].includes(code)
      ? `run the service as an ordinary user, or let root change to uid ${user.uid}, or set DATABASE_URL`
      : 'set DATABASE_URL to a PostgreSQL server';
  return new EmbeddedPostgresError(`${program} cannot be run here (${code}): ${hint}`, { cause });
}

function initdbFailed(output: string, directory: string, user: DatabaseUser): EmbeddedPostgresError {
  if (/could not look up effective user ID/.test(output)) {
    return new EmbeddedPostgresError(
      `PostgreSQL cannot run as uid ${user.uid}, which has no entry in /etc/passwd: add one, or set DATABASE_URL`,
    );
  }
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const line = lines.find((each) => /error|fatal|could not|cannot/i.test(each)) ?? lines.at(-1) ?? 'no output';
  return new EmbeddedPostgresError(`A new database could not be made in ${directory}: ${line}`);
}
