import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type Binaries } from './binaries.js';
import { cannotRun } from './cluster.js';
import { type DataLocation } from './data-location.js';
import { spawnIdentity } from './database-user.js';
import { codeOf } from './embedded-postgres.error.js';
import { type Endpoint } from './endpoint.js';
import { processIsAlive, processWorksIn } from './process-table.js';
import { programEnvironment, runProgram } from './run-program.js';
import { type ServerLog } from './server-log.js';

export interface PostmasterSettings {
  readonly location: DataLocation;
  readonly binaries: Binaries;
  /** The server's, for the log. */
  readonly version: string;
  readonly maxConnections: number;
  readonly durable: boolean;
}

const EXIT_POLL_MS = 10;

/** A running PostgreSQL server process: a child of ours, or one that outlived the process which started it. */
export class Postmaster {
  private listener: (() => void) | null = null;

  private constructor(
    readonly pid: number,
    readonly endpoint: Endpoint,
    private readonly settings: PostmasterSettings,
    private readonly child: ChildProcess | null,
    /** How long the log was when it started. */
    readonly logStart: number,
  ) {
    child?.once('exit', () => this.listener?.());
  }

  /** Starts a server and does not wait for it to be ready. */
  static async spawn(settings: PostmasterSettings, endpoint: Endpoint, log: ServerLog): Promise<Postmaster> {
    const { location, binaries } = settings;
    const output = await log.openForServer();
    try {
      const logStart = await log.size();
      const child = spawn(binaries.postgres, ['-D', location.cluster, ...serverSettings(settings, endpoint)], {
        cwd: location.directory,
        env: programEnvironment(),
        // A process group of its own: Ctrl-C in the terminal is for us, and we stop the database when we are done with it.
        detached: true,
        windowsHide: true,
        stdio: ['ignore', output.fd, output.fd],
        ...spawnIdentity(location.user),
      });
      await once(child, 'spawn').catch((error: unknown) => {
        throw cannotRun(binaries.postgres, location.user, error);
      });
      child.on('error', () => undefined);
      child.unref();
      return new Postmaster(child.pid ?? 0, endpoint, settings, child, logStart);
    } finally {
      await output.close();
    }
  }

  static adopt(settings: PostmasterSettings, endpoint: Endpoint, pid: number): Postmaster {
    return new Postmaster(pid, endpoint, settings, null, 0);
  }

  get isChild(): boolean {
    return this.child !== null;
  }

  async isAlive(): Promise<boolean> {
    if (this.child !== null) return this.child.exitCode === null && this.child.signalCode === null;
    return processIsAlive(this.pid) && (await processWorksIn(this.pid, this.settings.location.cluster)) !== false;
  }

  /** Calls back, and only the last one who asked, when our child ends; the end of an adopted server shows in the connections to it. */
  onExit(listener: () => void): void {
    this.listener = listener;
  }

  /**
   * Stops it: "fast" first, which ends the sessions and writes everything out, and at once if that takes too long, after which the next
   * start recovers from the write-ahead log. Loses nothing either way. Answers whether it is gone.
   */
  async shutDown(patienceMs: number): Promise<boolean> {
    await this.signal('SIGINT');
    if (await this.hasExitedWithin(patienceMs)) return true;
    await this.hurry();
    return this.hasExitedWithin(patienceMs);
  }

  /** Has it end without finishing anything, and does not wait for that. Loses nothing either. */
  async hurry(): Promise<void> {
    await this.signal('SIGQUIT');
  }

  private async signal(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
    try {
      if (process.platform !== 'win32') {
        process.kill(this.pid, signal);
        return;
      }
    } catch (error) {
      if (codeOf(error) !== 'EPERM') return;
    }
    // On Windows Node can only terminate, and a container's root may lack the right to signal other users' processes.
    const { binaries, location } = this.settings;
    const parameters = ['kill', signal.slice(3), String(this.pid)];
    await runProgram(binaries.pgCtl, parameters, { cwd: location.directory, user: location.user });
  }

  private async hasExitedWithin(patienceMs: number): Promise<boolean> {
    const deadline = Date.now() + patienceMs;
    while (await this.isAlive()) {
      if (Date.now() > deadline) return false;
      await delay(EXIT_POLL_MS);
    }
    return true;
  }
}

/** On the command line rather than in postgresql.conf, so that a new release's choices reach old data directories. */
function serverSettings({ maxConnections, durable }: PostmasterSettings, { host, port }: Endpoint): string[] {
  const usesSocket = host.startsWith('/');
  const settings = {
    port: String(port),
    listen_addresses: usesSocket ? '' : host,
    // A list of quoted names, in which a quote is written twice.
    unix_socket_directories: usesSocket ? `"${host.replaceAll('"', '""')}"` : '',
    unix_socket_permissions: '0700',
    max_connections: String(maxConnections),
    // Compiling costs more than the short statements of this service ever gain.
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_destination: 'stderr',
    logging_collector: 'off',
    // server-log.ts reads this form.
    log_line_prefix: '%m [%p] ',
    log_checkpoints: 'off',
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}
