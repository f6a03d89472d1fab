import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROGRAM = join(__dirname, '..', '..', 'dist', 'src', 'lock-command', 'cli.js');

/** `npm run lock -- …` as a process of its own. */
export class LockCommand {
  stdout = '';
  stderr = '';
  /** Exit code, or the signal that ended it. */
  readonly code: Promise<number | string>;
  private readonly child: ChildProcess;

  constructor(env: Record<string, string>, args: readonly string[]) {
    const { PATH = '', HOME = '', TMPDIR = tmpdir() } = process.env;
    this.child = spawn(process.execPath, [PROGRAM, ...args], { env: { PATH, HOME, TMPDIR, ...env } });
    this.child.stdin!.on('error', () => undefined);
    this.child.stdout!.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr!.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.code = new Promise((resolve) => this.child.once('close', (code, signal) => resolve(code ?? signal!)));
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** What the guarded command reads. */
  type(text: string): void {
    this.child.stdin!.write(text);
  }
}
