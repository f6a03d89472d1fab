import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type DatabaseAddress } from '../../src/database/connection';
import { type TestApp } from '../support/start-app';

const PROGRAM = join(__dirname, '..', '..', 'dist', 'src', 'transfer', 'cli.js');

export interface Outcome {
  /** Exit code, or the signal that ended it. */
  code: number | string;
  stdout: string;
  stderr: string;
  /** `stderr` without the news of progress, which come when a command takes more than two seconds. */
  complaints: string;
}

/** `npm run kv -- …` as a process of its own. */
export class KvCommand {
  readonly outcome: Promise<Outcome>;
  private readonly child: ChildProcess;

  constructor(env: Record<string, string>, args: readonly string[], input = '') {
    const { PATH = '', HOME = '', TMPDIR = tmpdir() } = process.env;
    const child = spawn(process.execPath, [PROGRAM, ...args], { env: { PATH, HOME, TMPDIR, ...env } });
    this.child = child;
    child.stdin.on('error', () => undefined).end(input);
    const ended = new Promise<number | string>((resolve) =>
      child.once('close', (code, signal) => resolve(code ?? signal!)),
    );
    this.outcome = Promise.all([ended, text(child.stdout), text(child.stderr)]).then(([code, stdout, stderr]) => ({
      code,
      stdout,
      stderr,
      complaints: stderr.replace(/^kv: (compared|written|read) \d+( of \d+)?\n/gm, ''),
    }));
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

export const kv = (env: Record<string, string>, ...args: string[]): Promise<Outcome> =>
  new KvCommand(env, args).outcome;

/** DATABASE_URL of the test application's own database. */
export async function databaseUrlOf(app: TestApp): Promise<string> {
  const [row] = await app.sql<{ name: string }>('SELECT current_database() AS name');
  return urlOf({ ...(JSON.parse(process.env['LATCHKEY_TEST_DATABASE']!) as DatabaseAddress), database: row!.name });
}

export const urlOf = ({ host, port, user, password, database }: DatabaseAddress): string =>
  `postgres://${user}:${password}@${encodeURIComponent(host)}:${port}/${database}`;

const folder = mkdtempSync(join(tmpdir(), 'latchkey-transfer-'));
let count = 0;

/** @param content text, or what is written as JSON */
export function fileWith(content: unknown, extension = 'json'): string {
  const path = join(folder, `file-${++count}.${extension}`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}
