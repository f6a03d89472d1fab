import { spawn } from 'node:child_process';
import { spawnIdentity, type DatabaseUser } from './database-user.js';

/** How a program that ran to its end went. */
export interface ProgramResult {
  readonly exitCode: number | null;
  readonly output: string;
}

/**
 * The environment of PostgreSQL's programs: nothing of ours. It holds secrets, which another user could then read, and PG… variables
 * that are meant for other databases.
 */
export function programEnvironment(): NodeJS.ProcessEnv {
  const { PATH, LD_LIBRARY_PATH, SystemRoot, TEMP } = process.env;
  const kept = Object.entries({ PATH, LD_LIBRARY_PATH, SystemRoot, TEMP }).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(kept), LC_ALL: 'C', TZ: 'UTC' };
}

/**
 * Runs a program to its end as the database's user, out of reach of the terminal's Ctrl-C.
 *
 * @param stopping kills it, with all that it started, where we may
 */
export async function runProgram(
  program: string,
  parameters: readonly string[],
  { cwd, user, stopping }: { cwd: string; user: DatabaseUser; stopping?: AbortSignal },
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, {
      cwd,
      env: programEnvironment(),
      detached: true,
      windowsHide: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...spawnIdentity(user),
    });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const kill = (): void => killGroup(child.pid);
    stopping?.addEventListener('abort', kill);
    child.once('error', reject);
    child.once('close', (exitCode) => {
      stopping?.removeEventListener('abort', kill);
      resolve({ exitCode, output });
    });
  });
}

/** What cannot be killed, on Windows or for want of the right to, is left to end by itself. */
function killGroup(leader: number | undefined): void {
  try {
    if (leader !== undefined) process.kill(-leader, 'SIGKILL');
  } catch {
    // It has ended, or is not ours to end.
  }
}
