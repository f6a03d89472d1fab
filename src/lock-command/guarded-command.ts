import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { EXIT } from './exit-codes.js';
import { pause } from './pause.js';

/** How often to look whether processes that the command left behind are gone, in milliseconds. */
const LOOK_EVERY_MS = 50;
const NEVER = new AbortController().signal;

/**
 * The command as a process group of its own, so that it can be ended together with all that it started. It has our stdin, stdout and
 * stderr. Node can make such a group only together with a session, so the command has no controlling terminal.
 */
export class GuardedCommand {
  /** The exit code as a shell would tell it; never rejects. */
  readonly exitCode: Promise<number>;
  private readonly child: ChildProcess;

  constructor([file, ...args]: readonly [string, ...string[]], env: NodeJS.ProcessEnv, say: (line: string) => void) {
    this.child = spawn(file, args, { env, stdio: 'inherit', detached: true });
    this.exitCode = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => resolve(code ?? EXIT.signal + constants.signals[signal!]));
      this.child.once('error', ({ code, message }: NodeJS.ErrnoException) => {
        // Errors after the start are about signals to a command that is gone; its exit tells the rest.
        if (this.child.pid !== undefined) return;
        const isMissing = code === 'ENOENT' || (code === 'EACCES' && !isOnPath(file, env));
        say(isMissing ? `${file}: command not found` : `${file} cannot be run: ${message}`);
        resolve(isMissing ? EXIT.notFound : EXIT.notExecutable);
      });
    });
  }

  /** To every process of the group. False when there is none. */
  send(signal: NodeJS.Signals | 0): boolean {
    // Without a pid this would be our own group.
    if (this.child.pid === undefined) return false;
    try {
      process.kill(-this.child.pid, signal);
      return true;
    } catch (error) {
      // macOS answers EPERM for a group of which only the dead are left.
      return (error as NodeJS.ErrnoException).code !== 'ESRCH' && signal !== 0;
    }
  }

  /** SIGTERM, and SIGKILL to whoever of the group is left after the given time. Resolves when all are gone. */
  async stop(killAfterMs: number): Promise<void> {
    const killAt = performance.now() + killAfterMs;
    this.send('SIGTERM');
    while (this.send(0)) {
      if (performance.now() >= killAt) {
        this.send('SIGKILL');
        break;
      }
      await pause(Math.min(LOOK_EVERY_MS, killAt - performance.now()), NEVER);
    }
    await this.exitCode;
  }
}

/**
 * Whether anything of that name is where commands are looked for. A folder of PATH that may not be entered makes the system say
 * "permission denied" for a command that is nowhere; shells say that it was not found.
 */
function isOnPath(file: string, { PATH = '' }: NodeJS.ProcessEnv): boolean {
  return file.includes('/') || PATH.split(delimiter).some((folder) => existsSync(join(folder, file)));
}
