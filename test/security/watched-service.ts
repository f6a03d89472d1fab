import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type DatabaseAddress } from '../../src/database/connection';

/** What the service's process says of itself. */
export interface Figures {
  /** Longest stretch since the last question in which its event loop did one thing only, in milliseconds of its own computing. */
  readonly stallMs: number;
  /** Computing time of the whole process since its start, in milliseconds. */
  readonly cpuMs: number;
}

type Message =
  | { readonly kind: 'listening'; readonly port: number; readonly grpcPort: number }
  | { readonly kind: 'log'; readonly line: string }
  | ({ readonly kind: 'figures' } & Figures);

/**
 * The built service in a process of its own, so that what it computes is not mixed with what a test computes, and so that a crash is a
 * crash. Its log at level `error` and its event loop are watched.
 */
export class WatchedService {
  /** Lines of the log at level `error` or above, and errors that nothing caught. */
  readonly errors: string[] = [];
  private waiting: ((figures: Figures) => void) | undefined;

  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
    readonly grpcPort: number,
  ) {
    child.on('message', (message: Message) => {
      if (message.kind === 'log') this.errors.push(message.line);
      else if (message.kind === 'figures') this.waiting?.(message);
    });
  }

  /** @param database a migrated one */
  static async start(database: DatabaseAddress, env: Record<string, string>): Promise<WatchedService> {
    const { PATH = '', HOME = '' } = process.env;
    const child = fork(join(__dirname, 'watched-service-main.js'), [], { env: { PATH, HOME } });
    child.send({ kind: 'start', env: { PORT: '0', GRPC_PORT: '0', ...env }, database });
    for (;;) {
      const [message] = (await Promise.race([once(child, 'message'), rejectAtExit(child)])) as [Message];
      if (message.kind === 'listening') return new WatchedService(child, message.port, message.grpcPort);
    }
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Since the last call. */
  figures(): Promise<Figures> {
    const answered = new Promise<Figures>((resolve) => (this.waiting = resolve));
    this.child.send({ kind: 'figures' });
    return Promise.race([answered, rejectAtExit(this.child)]);
  }

  async stop(): Promise<void> {
    if (!this.isAlive) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }
}

const endings = new WeakMap<ChildProcess, Promise<never>>();

/** One promise for each process, for a race adds a listener each time. */
function rejectAtExit(child: ChildProcess): Promise<never> {
  let ending = endings.get(child);
  if (!ending) {
    ending = new Promise<never>((_, reject) =>
      child.once('exit', (code, signal) => reject(new Error(`the service ended with ${code ?? signal}`))),
    );
    ending.catch(() => undefined);
    endings.set(child, ending);
  }
  return ending;
}
