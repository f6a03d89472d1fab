import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import { codeOf } from './embedded-postgres.error.js';

/** Whether a process with this id runs, whoever it belongs to. A dead one that nobody has waited for yet does not. */
export function processIsAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) !== 'EPERM') return false;
  }
  return !isZombie(pid);
}

/**
 * Whether this process is a PostgreSQL server that works in the given data directory: after a crash, or in a new container, its id may
 * by now belong to anything. `null` where the platform does not tell.
 */
export async function processWorksIn(pid: number, directory: string): Promise<boolean | null> {
  if (process.platform === 'win32') return null;
  if (process.platform !== 'linux') {
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-p', String(pid), '-o', 'command=']).catch(() => ({
      stdout: '',
    }));
    return stdout.includes(directory);
  }
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(directory));
  } catch {
    // In a container root may not look at another user's working directory, but everybody may see the command line.
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return commandLine.split('\0').includes(directory);
  }
}

/**
 * Ends the sessions of a dead PostgreSQL server that have not noticed its death: one that computes can keep the shared memory, and with
 * it the next server, waiting for as long as its statement takes. None of them can still answer anybody with the server's consent.
 */
export async function killOrphanedSessions(directory: string): Promise<void> {
  if (process.platform !== 'linux') return;
  for (const pid of (await readdir('/proc')).map(Number).filter((number) => number > 0)) {
    // PostgreSQL names its sessions so in the process list; the server itself keeps its command line.
    const title = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (!title.startsWith('postgres: ') || (await processWorksIn(pid, directory)) !== true) continue;
    const parent = Number(statusOf(pid)[1]);
    if ((await processWorksIn(parent, directory)) === true) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended meanwhile, or is not ours to end.
    }
  }
}

/** Orphans end as zombies where process 1 of a container waits for nobody. */
function isZombie(pid: number): boolean {
  return process.platform === 'linux' && ['Z', undefined].includes(statusOf(pid)[0]);
}

/** State, parent's process id and more; nothing when there is no such process. The name before them may hold anything. */
function statusOf(pid: number): string[] {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return status.slice(status.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
