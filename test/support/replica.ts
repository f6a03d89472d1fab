import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type DatabaseAddress } from '../../src/database/connection';
import { type PrimaryMessage, type WorkerMessage, chooseSharedPort } from '../../src/process/workers';
import { READ_WRITE_KEY } from './start-app';

const ROOT = join(__dirname, '..', '..');

/** A fault to be planted in a copy of the build: a text of one of its files, and what stands there instead. */
export interface Fault {
  /** Relative to `dist/src`. */
  readonly file: string;
  readonly text: string;
  readonly instead: string;
}

const running = new Set<ChildProcess>();
const copies: string[] = [];

// What a failed test leaves behind would keep the whole run from ending.
afterAll(() => {
  running.forEach((child) => child.kill('SIGKILL'));
  for (const copy of copies.splice(0)) rmSync(copy, { recursive: true, force: true });
});

/** The build that `npm test` made. */
export const BUILD = join(ROOT, 'dist');

/** A copy of the build with faults in it; fails when a text is not there exactly once, so that no fault is lost in silence. */
export function plant(faults: readonly Fault[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-planted-'));
  copies.push(folder);
  const build = join(folder, 'dist');
  mkdirSync(build);
  cpSync(join(BUILD, 'src'), join(build, 'src'), { recursive: true });
  for (const name of ['package.json', 'node_modules']) symlinkSync(join(ROOT, name), join(folder, name));
  for (const { file, text, instead } of faults) {
    const path = join(build, 'src', file);
    const parts = readFileSync(path, 'utf8').split(text);
    if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${text}`);
    writeFileSync(path, parts.join(instead));
  }
  return build;
}

/** A migrated database of its own on the run's server, made by the given build. */
export async function migratedBy(build: string): Promise<DatabaseAddress> {
  const server = JSON.parse(process.env['LATCHKEY_TEST_DATABASE']!) as DatabaseAddress;
  const database = `replicas_${process.pid}_${Date.now()}`;
  const admin = new Client({ ...server, database: 'postgres' });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${database}`);
  await admin.end();
  const address = { ...server, database };
  const child = fork(join(__dirname, 'replica-main.js'), [build, 'migrate', JSON.stringify(address)]);
  const [code] = (await once(child, 'exit')) as [number];
  if (code !== 0) throw new Error(`migrating failed with code ${code}`);
  return address;
}

/** One serving process of several on one database, as a real process of its own. */
export class Replica {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
    readonly url = `http://127.0.0.1:${port}`,
  ) {}

  /** @param build see `plant`; `BUILD` for the true one */
  static async start(database: DatabaseAddress, build = BUILD, env: Record<string, string> = {}): Promise<Replica> {
    const { PATH = '', HOME = '' } = process.env;
    const child = fork(join(__dirname, 'replica-main.js'), [build, 'serve'], {
      serialization: 'advanced',
      env: {
        PATH,
        HOME,
        LOG_LEVEL: 'fatal',
        ACCESS_KEYS: `${READ_WRITE_KEY.id}:${READ_WRITE_KEY.secret}:rw`,
        ...env,
      },
    });
    running.add(child);
    child.once('exit', () => running.delete(child));
    const port = await chooseSharedPort('127.0.0.1', 0);
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`a replica ended with code ${code} before it served`)));
      child.on('message', (message: WorkerMessage) => {
        if (message.kind === 'listening') return resolve();
        const credentials = {
          masterKey: Buffer.alloc(32, 7),
          jwtSecret: 'a secret of at least 32 characters for tests',
        };
        const lockStores = [{ name: 'lockstore', type: 'lock.postgres', version: 'v1', prefix: 'lock||latchkey||' }];
        const assignment = { credentials, database, port, grpcPort: 'off' as const, lockStores };
        child.send({ kind: 'assignment', assignment } satisfies PrimaryMessage);
      });
    });
    return new Replica(child, port);
  }

  /** Sends a signal; `SIGKILL` leaves the process no word to say. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!running.has(this.child)) return;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    await exited;
  }
}
