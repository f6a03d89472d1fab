import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, cpSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { type Binaries, findBinaries, prepareBinaries } from '../../../src/database/embedded/binaries';
import { createCluster } from '../../../src/database/embedded/cluster';
import { chooseDataLocation, type DataLocation } from '../../../src/database/embedded/data-location';
import { handOver, spawnIdentity } from '../../../src/database/embedded/database-user';
import { type DatabaseAddress } from '../../../src/database/embedded/embedded-postgres.options';
import { programEnvironment } from '../../../src/database/embedded/run-program';
import { atTheEnd } from './clean-up';
import { freePort } from './ports';
import { newFolder } from './scratch-folder';
import { type SmallDisk } from './small-disk';
import { until } from './wait';

const SUPERUSER = 'postgres';
const PASSWORD = 'scratch';

/** What these servers run with besides the defaults; `fsync` stays on, for it is what the tests are about. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  max_connections: '120',
  jit: 'off',
  timezone: 'UTC',
  log_line_prefix: '%m [%p] ',
  fsync: 'on',
  full_page_writes: 'on',
  wal_level: 'replica',
  max_wal_senders: '4',
  hot_standby: 'on',
  // A standby that was stopped for a moment finds what it missed.
  wal_keep_size: '256MB',
};

/** A PostgreSQL of our own, durable, that a test may kill, pause, copy and promote. Runs as an ordinary user also for root. */
export class Cluster {
  private postmaster: ChildProcess | null = null;
  private databases = 0;

  private constructor(
    private readonly location: DataLocation,
    private readonly binaries: Binaries,
    readonly port: number,
    private settings: Record<string, string>,
    /** What runs the server in another place than this program's own, and as whom. */
    private readonly launcher: readonly string[] = [],
  ) {
    atTheEnd(async () => this.kill());
  }

  /** @param settings of `postgresql.conf`, beside our own */
  static async create(settings: Record<string, string> = {}): Promise<Cluster> {
    const location = await chooseDataLocation(newFolder('cluster'));
    const binaries = await prepareBinaries(await findBinaries(), location);
    await createCluster(location, binaries, { password: PASSWORD, durable: false });
    const cluster = new Cluster(location, binaries, await freePort(), settings);
    await cluster.start();
    return cluster;
  }

  /** A server whose data lies on another file system, see `SmallDisk`. */
  static async createOn(disk: SmallDisk, settings: Record<string, string>): Promise<Cluster> {
    const location = await chooseDataLocation(newFolder('cluster'));
    const binaries = await prepareBinaries(await findBinaries(), location);
    await createCluster(location, binaries, { password: PASSWORD, durable: false });
    await disk.coverWithItself(location.cluster, location.user);
    const cluster = new Cluster(location, binaries, await freePort(), settings, disk.launcher(location.user));
    await cluster.start();
    return cluster;
  }

  /** Starts the server and waits until it takes connections. */
  async start(timeoutMs = 60_000): Promise<void> {
    this.spawn();
    await this.answering(timeoutMs);
  }

  /** Starts the server and does not wait. */
  spawn(): void {
    const { location, binaries } = this;
    const folder = location.directory;
    const settings = Object.entries({
      ...SETTINGS,
      port: String(this.port),
      unix_socket_directories: '',
      ...this.settings,
    });
    const args = ['-D', location.cluster, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])];
    const [program, ...more] = [...this.launcher, binaries.postgres, ...args];
    const output = openSync(location.logFile, 'a');
    this.postmaster = spawn(program!, more, {
      cwd: folder,
      env: programEnvironment(),
      detached: true,
      stdio: ['ignore', output, output],
      ...(this.launcher.length > 0 ? {} : spawnIdentity(location.user)),
    });
    closeSync(output);
    this.postmaster.on('error', () => undefined);
  }

  async answering(timeoutMs = 60_000): Promise<number> {
    return until(
      'PostgreSQL takes connections',
      async () => {
        if (this.postmaster !== null && this.running() === null) {
          throw new Error(`PostgreSQL ended: ${this.lastWords()}`);
        }
        return this.sql('SELECT 1').then(
          () => true,
          () => false,
        );
      },
      { timeoutMs, everyMs: 20 },
    );
  }

  address(database = 'postgres'): DatabaseAddress {
    return { host: '127.0.0.1', port: this.port, user: SUPERUSER, password: PASSWORD, database };
  }

  /** @param port another one, of a proxy */
  url(database: string, port = this.port): string {
    return `postgres://${SUPERUSER}:${PASSWORD}@127.0.0.1:${port}/${database}`;
  }

  /** One statement on a connection of its own. */
  async sql<T extends object = Record<string, unknown>>(
    text: string,
    values: unknown[] = [],
    database = 'postgres',
  ): Promise<T[]> {
    const client = await this.connect(database);
    try {
      return (await client.query<T>(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  async connect(database = 'postgres'): Promise<Client> {
    const client = new Client({ ...this.address(database), connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** A database of its own, empty or as the template is. */
  async newDatabase(template = 'template1'): Promise<string> {
    const name = `faults_${++this.databases}`;
    await this.sql(`CREATE DATABASE ${name} TEMPLATE ${template}`);
    return name;
  }

  /** SIGKILL for every process of the server, none of which gets to write anything out. */
  async kill(): Promise<void> {
    const server = this.running();
    if (server === null) return;
    const exited = once(server, 'exit');
    // Stopped first, so that it starts no session that we would not know of.
    signal(server.pid!, 'SIGSTOP');
    const sessions = childrenOf(server.pid!);
    for (const pid of [...sessions, server.pid!]) signal(pid, 'SIGKILL');
    await exited;
    await until('no process of the server is left', () => sessions.every((pid) => !isAlive(pid)));
  }

  /** Stops or continues every process of the server, which then neither works nor breaks a connection. */
  signalAll(name: 'SIGSTOP' | 'SIGCONT'): void {
    const server = this.running();
    if (server === null) return;
    if (name === 'SIGSTOP') signal(server.pid!, name);
    for (const pid of childrenOf(server.pid!)) signal(pid, name);
    signal(server.pid!, name);
  }

  /** A clean end, after which the folder can be copied. */
  async stop(): Promise<void> {
    const server = this.running();
    if (server === null) return;
    const exited = once(server, 'exit');
    signal(server.pid!, 'SIGINT');
    await exited;
  }

  /**
   * A standby of this server, made from a cold copy of its folder: the binaries at hand have no `pg_basebackup`.
   *
   * @param settings that this server has from now on
   */
  async makeStandby(name: string, settings: Record<string, string> = {}): Promise<Cluster> {
    await this.stop();
    const location = await chooseDataLocation(newFolder('standby'));
    cpSync(this.location.cluster, location.cluster, { recursive: true });
    rmSync(join(location.cluster, 'postmaster.pid'), { force: true });
    await handOverAll(location.cluster, location);
    const standby = new Cluster(location, this.binaries, await freePort(), this.settings);
    this.settings = { ...this.settings, ...settings };
    await standby.follow(this, name);
    await this.start();
    await standby.start();
    return standby;
  }

  /** From its next start on this server follows another one. */
  async follow(primary: Cluster, name: string): Promise<void> {
    const { cluster } = this.location;
    writeFileSync(join(cluster, 'standby.signal'), '');
    const source = `host=127.0.0.1 port=${primary.port} user=${SUPERUSER} password=${PASSWORD} application_name=${name}`;
    writeFileSync(
      join(cluster, 'postgresql.auto.conf'),
      `primary_conninfo = '${source}'\nrecovery_target_timeline = 'latest'\n`,
    );
    await handOverAll(cluster, this.location);
  }

  async promote(): Promise<void> {
    await this.sql('SELECT pg_promote(true, 60)');
  }

  get isRunning(): boolean {
    return this.running() !== null;
  }

  lastWords(): string {
    return readFileSync(this.location.logFile, 'utf8').split('\n').slice(-5).join('\n');
  }

  private running(): ChildProcess | null {
    const server = this.postmaster;
    return server === null || server.exitCode !== null || server.signalCode !== null ? null : server;
  }
}

/** State and parent's process id of a process; a dead one that nobody waited for counts as gone. */
function statusOf(pid: number): { state: string; parent: number } {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state = 'Z', parent = '0'] = status.slice(status.lastIndexOf(')') + 2).split(' ');
    return { state, parent: Number(parent) };
  } catch {
    return { state: 'Z', parent: 0 };
  }
}

const isAlive = (pid: number): boolean => statusOf(pid).state !== 'Z';

const childrenOf = (parent: number): number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && statusOf(pid).parent === parent);

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}

/** What we made as root belongs to the user that runs the server. */
async function handOverAll(path: string, location: DataLocation): Promise<void> {
  if (!location.user.isSwitched) return;
  await handOver(path, location.user);
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) {
    await handOver(join(entry.parentPath, entry.name), location.user);
  }
}
