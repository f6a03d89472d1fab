import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { atTheEnd } from './clean-up';
import { HttpConnection } from './http-connection';
import { freePort } from './ports';
import { newFolder } from './scratch-folder';
import { now, until, within } from './wait';

/** The same for all replicas, as in a real deployment: each must read what another wrote. */
const SHARED = {
  ALLOW_ANONYMOUS_CONFIG: 'true',
  MASTER_KEY: Buffer.alloc(32, 7).toString('base64'),
  JWT_SECRET: 'a secret of at least 32 characters for tests',
  GRPC_PORT: 'off',
  LOG_LEVEL: 'warn',
  LOG_FORMAT: 'json',
};

/** What only the process itself can see. */
export interface Vitals {
  /** Since it was last asked, in milliseconds. */
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
  readonly rssBytes: number;
  /** JavaScript's heap and the buffers beside it. */
  readonly keptBytes: number;
}

/** One replica: the built service as a process of its own, as `npm start` runs it. */
export class Replica {
  private child: ChildProcess | null = null;
  private exited: Promise<number | string> = Promise.resolve(0);
  private log = '';
  /** Ends of the process that nobody asked for. */
  unexpectedEnds = 0;
  private mayEnd = false;

  private constructor(
    readonly name: string,
    private readonly build: string,
    private readonly databaseUrl: string,
    readonly port: number,
    private readonly env: Record<string, string>,
  ) {
    atTheEnd(() => this.kill());
  }

  /** @param build see `copyOfTheBuild` */
  static async create(
    name: string,
    build: string,
    databaseUrl: string,
    env: Record<string, string> = {},
  ): Promise<Replica> {
    return new Replica(name, build, databaseUrl, await freePort(), { DATA_DIR: newFolder('data'), ...env });
  }

  static async start(
    name: string,
    build: string,
    databaseUrl: string,
    env: Record<string, string> = {},
  ): Promise<Replica> {
    const replica = await Replica.create(name, build, databaseUrl, env);
    await replica.start();
    return replica;
  }

  /** Starts it, once more after it ended, on the same port. Resolves when it serves. */
  async start(): Promise<void> {
    const { PATH = '', HOME = '' } = process.env;
    this.mayEnd = false;
    const child = fork(join(this.build, 'src', 'main.js'), [], {
      execArgv: ['--require', join(__dirname, 'replica-preload.cjs')],
      env: { PATH, HOME, ...SHARED, DATABASE_URL: this.databaseUrl, PORT: String(this.port), ...this.env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child = child;
    this.log = '';
    let isListening = false;
    child.stdout!.on('data', (chunk: Buffer) => (isListening ||= /^listening on /m.test(chunk.toString())));
    child.stderr!.on('data', (chunk: Buffer) => (this.log = (this.log + chunk.toString()).slice(-20_000)));
    this.exited = once(child, 'close').then(([code, signal]) => {
      if (!this.mayEnd) this.unexpectedEnds++;
      return (code as number | null) ?? (signal as string);
    });
    await until(
      `${this.name} listens`,
      async () => {
        if (this.isRunning) return isListening;
        throw new Error(`${this.name} ended before it served (${await this.exited}): ${this.log}`);
      },
      { timeoutMs: 60_000 },
    );
  }

  get isRunning(): boolean {
    return this.child !== null && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** The end of what it logged: warnings and worse. */
  get lastWords(): string {
    return this.log.slice(-2_000);
  }

  async kill(): Promise<void> {
    if (!this.isRunning) return;
    this.mayEnd = true;
    this.child!.kill('SIGKILL');
    await this.exited;
  }

  /** SIGTERM. @returns the exit code, or the signal that ended it */
  async terminate(): Promise<number | string> {
    this.mayEnd = true;
    this.child!.kill('SIGTERM');
    return within(`${this.name} ends`, 30_000, this.exited);
  }

  pause(): void {
    this.child!.kill('SIGSTOP');
  }

  resume(): void {
    this.child!.kill('SIGCONT');
  }

  /** Moves its wall clock; the database's and its monotonic one stay. */
  shiftClock(ms: number): void {
    this.child!.send({ kind: 'faults-shift', ms });
  }

  /** @param isCollected whether garbage is collected first, so that only what is kept counts */
  async vitals(isCollected = false): Promise<Vitals> {
    const answer = new Promise<Vitals>((resolve) => {
      const onMessage = (message: { kind: string } & Vitals): void => {
        if (message.kind !== 'faults-vitals') return;
        this.child!.off('message', onMessage);
        resolve(message);
      };
      this.child!.on('message', onMessage);
    });
    this.child!.send({ kind: 'faults-vitals', isCollected });
    return within(`${this.name} tells its vitals`, 10_000, answer);
  }

  /** @returns how long it took to get ready, in milliseconds */
  async ready(timeoutMs = 30_000): Promise<number> {
    const startedAt = now();
    await until(`${this.name} is ready`, async () => (await this.status('/readyz')) === 200, {
      timeoutMs,
      everyMs: 20,
    });
    return now() - startedAt;
  }

  /** Status of a GET on a connection of its own; 0 when there was no answer. */
  async status(path: string, timeoutMs = 10_000): Promise<number> {
    const connection = new HttpConnection(this.port);
    try {
      const answer = await connection.send('GET', path, { timeoutMs });
      return answer.kind === 'answer' ? answer.status : 0;
    } finally {
      connection.close();
    }
  }
}
