import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from './wait-for';

const REPOSITORY = join(__dirname, '..', '..');
const PROGRAM = [process.execPath, join(REPOSITORY, 'dist', 'src', 'main.js')] as const;

/** A data folder that a service may use whoever runs it. */
export function newDataDir(): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-service-'));
  // As root the database runs as another user, who must get through.
  chmodSync(folder, 0o755);
  return folder;
}

const running = new Set<ChildProcess>();

// A service that a failed test leaves behind would keep the whole run from ending.
afterAll(() => running.forEach((child) => child.kill('SIGKILL')));

/** How the program is run, where it matters. */
export interface Launch {
  /** Otherwise the program itself is. */
  command?: readonly [string, ...string[]];
  /** As the first process of a group, as in a terminal. */
  asGroup?: boolean;
}

/** The built service as a process of its own, as `npm start` runs it. */
export class ServiceProcess {
  stdout = '';
  stderr = '';
  private readonly child: ChildProcess;
  private readonly exited: Promise<number | string>;

  /** @param env settings; `PORT=0` and `GRPC_PORT=0` unless it says otherwise */
  constructor(
    env: Record<string, string>,
    { command: [file, ...args] = PROGRAM, asGroup: detached = false }: Launch = {},
  ) {
    const { PATH = '', HOME = '', TMPDIR = tmpdir() } = process.env;
    this.child = spawn(file, args, {
      cwd: REPOSITORY,
      detached,
      env: { PATH, HOME, TMPDIR, PORT: '0', GRPC_PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout!.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr!.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    running.add(this.child);
    this.child.once('exit', () => running.delete(this.child));
    this.exited = once(this.child, 'close').then(([code, signal]) => (code as number | null) ?? (signal as string));
  }

  /** Starts a service and waits until it serves. */
  static async start(env: Record<string, string>, launch: Launch = {}): Promise<ServiceProcess> {
    const service = new ServiceProcess(env, launch);
    await service.listening();
    return service;
  }

  get pid(): number {
    return this.child.pid!;
  }

  get url(): string {
    return /^listening on (\S+) /m.exec(this.stdout)![1]!;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get grpcPort(): number {
    return Number(/^listening on \S+ grpc \S+:(\d+)$/m.exec(this.stdout)![1]);
  }

  get connectionString(): string {
    return /Endpoint=\S+/.exec(this.stdout)![0];
  }

  /** The printed access key. */
  get key(): { id: string; secret: string } {
    const [, id, secret] = /Id=([^;]+);Secret=(\S+)/.exec(this.connectionString)!;
    return { id: id!, secret: secret! };
  }

  async listening(): Promise<void> {
    await waitFor(() => {
      if (this.child.exitCode !== null) throw new Error(`ended before it listened: ${this.stderr}`);
      return /^listening on /m.test(this.stdout);
    }, 60_000);
  }

  async ready(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/readyz`)).status === 200;
    } catch {
      return false;
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** To every process of the group that it was started with. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  /** Exit code, or the signal that ended it. */
  exit(): Promise<number | string> {
    return this.exited;
  }

  async stop(): Promise<number | string> {
    this.signal('SIGINT');
    return this.exit();
  }
}
