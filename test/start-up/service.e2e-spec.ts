import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { Client } from 'pg';
import { EmbeddedPostgres } from '../../src/database/embedded/embedded-postgres';
import { samplesOf } from '../metrics/samples';
import { AzureHttp } from '../support/azure-http';
import { RawConnection } from '../support/raw-http';
import { newDataDir, ServiceProcess } from '../support/service-process';
import { waitFor } from '../support/wait-for';

/** A dead process whose new parent has not yet noticed still has an entry, in state Z. */
const isAlive = (pid: number): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};
const postmasterPid = (dataDir: string): number =>
  Number(readFileSync(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]);
const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

/** Kills a process that may have ended with the one before it. */
const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

describe('a start from nothing', () => {
  let dataDir: string;
  let service: ServiceProcess;
  beforeAll(async () => {
    dataDir = newDataDir();
    // Meant for other databases.
    const foreign = { PGSSLMODE: 'require', PGSSLNEGOTIATION: 'direct', PGHOST: 'db.example', PGUSER: 'nobody' };
    service = await ServiceProcess.start({ DATA_DIR: dataDir, ...foreign });
  });
  afterAll(async () => {
    await service.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('prints where it listens, the connection string, the users and where the data lies', () => {
    expect(service.stdout).toMatch(/^listening on http:\/\/127\.0\.0\.1:\d+ grpc 127\.0\.0\.1:\d+$/m);
    expect(service.connectionString).toMatch(/^Endpoint=http:\/\/127\.0\.0\.1:\d+;Id=[^;]+;Secret=\S+$/);
    expect(service.stdout).toMatch(/admin\s+\S+\s+manager/);
    expect(service.stdout).toMatch(/editor\s+\S+\s+editor/);
    expect(service.stdout).toContain(dataDir);
  });

  it('serves a program that has nothing but the printed connection string', async () => {
    const azure = new AzureHttp(service.port, service.key);
    expect((await azure.put('/kv/first', { value: 'v' })).status).toBe(200);
    expect((await azure.get('/kv/first')).json.value).toBe('v');
  });

  it('keeps every generated secret in files that only their owner reads', () => {
    for (const name of readdirSync(dataDir)) {
      const stats = statSync(join(dataDir, name));
      if (stats.isFile() && name !== 'postgres.log')
        expect([name, (stats.mode & 0o777).toString(8)]).toEqual([name, '600']);
    }
    expect(existsSync(join(dataDir, 'credentials.json'))).toBe(true);
  });

  it('never writes a secret to the log', async () => {
    const azure = new AzureHttp(service.port, service.key);
    await azure.put('/kv/logged', { value: 'a value that is nobody else’s business' });
    const target = '/kv/logged?api-version=2023-11-01';
    await waitFor(() => service.stderr.includes('/kv/logged'));
    const { users } = JSON.parse(readFileSync(join(dataDir, 'credentials.json'), 'utf8')) as {
      users: { password: string }[];
    };
    const secrets = [
      service.key.secret,
      ...users.map(({ password }) => password),
      'nobody else',
      'Signature=',
      target + '&x',
    ];
    for (const secret of secrets) expect(service.stderr).not.toContain(secret);
  });

  it('logs one JSON line a request with its id, status and actor', async () => {
    const azure = new AzureHttp(service.port, service.key);
    const answer = await azure.get('/kv/first');
    const id = answer.headers['x-ms-request-id'] as string;
    await waitFor(() => service.stderr.includes(id));
    const line = JSON.parse(service.stderr.split('\n').find((text) => text.includes(id))!) as Record<string, unknown>;
    expect(line).toMatchObject({ level: 'info', requestId: id, method: 'GET', status: 200, actor: service.key.id });
  });

  it('has its own pid in every line, and that of PostgreSQL beside it', async () => {
    const isTheLine = (text: string): boolean => text.includes('embedded PostgreSQL started');
    await waitFor(() => isTheLine(service.stderr));
    const line = JSON.parse(service.stderr.split('\n').find(isTheLine)!) as Record<string, unknown>;
    expect(line).toMatchObject({ pid: service.pid, postgresPid: postmasterPid(dataDir) });
  });

  it('refuses a second service on the same data folder with one line and exit code 78', async () => {
    const second = new ServiceProcess({ DATA_DIR: dataDir });
    expect(await second.exit()).toBe(78);
    expect(second.stderr.trim().split('\n')).toHaveLength(1);
    expect(second.stderr).toContain(dataDir);
    expect(await service.ready()).toBe(true);
  });

  it('comes back by itself within 5 s when every process of its database is killed', async () => {
    const azure = new AzureHttp(service.port, service.key);
    await azure.put('/kv/before-the-crash', { value: 'kept' });
    const postmaster = postmasterPid(dataDir);
    for (const pid of [postmaster, ...childrenOf(postmaster)]) kill(pid);
    await waitFor(async () => (await azure.get('/kv/before-the-crash')).status === 200, 5_000);
    expect(await service.ready()).toBe(true);
  });
});

describe('a restart', () => {
  let dataDir: string;
  beforeEach(() => void (dataDir = newDataDir()));
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'after %s ends with 0, stops the database and keeps the data',
    async (signal) => {
      const first = await ServiceProcess.start({ DATA_DIR: dataDir });
      await new AzureHttp(first.port, first.key).put('/kv/kept', { value: 'v' });
      const postmaster = postmasterPid(dataDir);
      first.signal(signal);
      expect(await first.exit()).toBe(0);
      expect(isAlive(postmaster)).toBe(false);

      const second = await ServiceProcess.start({ DATA_DIR: dataDir });
      expect(second.key).toEqual(first.key);
      expect((await new AzureHttp(second.port, second.key).get('/kv/kept')).json.value).toBe('v');
      await second.stop();
    },
  );

  it('after kill -9 takes over the running database with every acknowledged write', async () => {
    const first = await ServiceProcess.start({ DATA_DIR: dataDir });
    const azure = new AzureHttp(first.port, first.key);
    const acknowledged: string[] = [];
    const writing = (async () => {
      for (let index = 0; ; index++) {
        const { status } = await azure.put(`/kv/acknowledged/${index}`, { value: 'v' });
        if (status === 200) acknowledged.push(`/kv/acknowledged/${index}`);
        if (index === 200) first.signal('SIGKILL');
      }
    })().catch(() => undefined);
    expect(await first.exit()).toBe('SIGKILL');
    await writing;
    expect(acknowledged.length).toBeGreaterThan(0);
    const postmaster = postmasterPid(dataDir);
    expect(isAlive(postmaster)).toBe(true);

    const second = await ServiceProcess.start({ DATA_DIR: dataDir });
    expect(postmasterPid(dataDir)).toBe(postmaster);
    const again = new AzureHttp(second.port, second.key);
    for (const target of acknowledged) expect((await again.get(target)).status).toBe(200);
    expect(await second.stop()).toBe(0);
    expect(isAlive(postmaster)).toBe(false);
  });
});

describe('a start that must not be', () => {
  const refused = async (env: Record<string, string>): Promise<{ code: number | string; lines: string[] }> => {
    const service = new ServiceProcess({ DATA_DIR: newDataDir(), ...env });
    const code = await service.exit();
    return { code, lines: service.stderr.trim().split('\n') };
  };

  it('lists every fault of the settings at once', async () => {
    const { code, lines } = await refused({ PORT: 'eighty', WORKERS: '0', DB_POOL_MAX: '-1', ACCESS_KEYS: 'nonsense' });
    expect(code).toBe(78);
    expect(lines).toHaveLength(4);
    for (const name of ['PORT', 'WORKERS', 'DB_POOL_MAX', 'ACCESS_KEYS']) expect(lines.join('\n')).toContain(name);
  });

  it.each([[{ HOST: '0.0.0.0' }], [{ TRUSTED_TLS_PROXY: 'true' }], [{ HOST: '::' }]])(
    'refuses %j without credentials, in one line',
    async (env) => {
      const { code, lines } = await refused(env);
      expect(code).toBe(78);
      expect(lines).toHaveLength(1);
      for (const name of ['ACCESS_KEYS', 'DAPR_API_TOKEN', 'CMS_USERS']) expect(lines[0]).toContain(name);
    },
  );

  it.each(['/proc/no-folder', __filename])('says in one line that it cannot use DATA_DIR=%s', async (folder) => {
    const { code, lines } = await refused({ DATA_DIR: folder });
    expect(code).toBe(78);
    expect(lines).toEqual([expect.stringContaining(`The data directory ${folder} cannot be used`)]);
  });

  it('says in one line that generated secrets have no place in DATA_DIR', async () => {
    const { code, lines } = await refused({ DATA_DIR: '/proc/no-folder', DATABASE_URL: 'postgres://127.0.0.1:1/none' });
    expect(code).toBe(78);
    expect(lines).toEqual([expect.stringContaining('/proc/no-folder/master.key cannot be read or written (ENOENT)')]);
  });

  it('says in one line that the port is taken', async () => {
    const taken: Server = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const { code, lines } = await refused({ PORT: String(port), LOG_LEVEL: 'silent' });
    taken.close();
    expect(code).toBe(1);
    expect(lines).toEqual([expect.stringContaining('EADDRINUSE')]);
  });

  it('does not migrate when told not to, and says so', async () => {
    const { code, lines } = await refused({ MIGRATE_ON_START: 'false', LOG_LEVEL: 'silent' });
    expect(code).toBe(78);
    expect(lines).toEqual([expect.stringContaining('MIGRATE_ON_START')]);
  });
});

describe('with DATABASE_URL', () => {
  let postgres: EmbeddedPostgres;
  let folder: string;
  const urlOf = (database: string): string => {
    const { host, port, user, password } = postgres.address;
    return `postgres://${user}:${encodeURIComponent(password)}@${encodeURIComponent(host)}:${port}/${database}`;
  };
  const newDatabase = async (name: string): Promise<string> => {
    const admin = new Client({ ...postgres.address, database: 'postgres' });
    await admin.connect();
    await admin.query(`CREATE DATABASE ${name}`);
    await admin.end();
    return urlOf(name);
  };
  beforeAll(async () => {
    folder = newDataDir();
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    postgres = await EmbeddedPostgres.start({ dataDir: folder, maxConnections: 200, log });
  });
  afterAll(async () => {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('lets several services start at once on an empty database and share generated secrets', async () => {
    const env = { DATABASE_URL: await newDatabase('several'), DATA_DIR: newDataDir() };
    const services = await Promise.all(Array.from({ length: 3 }, () => ServiceProcess.start(env)));
    expect(new Set(services.map(({ key }) => key.secret)).size).toBe(1);
    const [first, second] = services;
    await new AzureHttp(first!.port, first!.key).put('/kv/shared', { value: 'v' });
    expect((await new AzureHttp(second!.port, second!.key).get('/kv/shared')).json.value).toBe('v');
    expect(await Promise.all(services.map((service) => service.stop()))).toEqual([0, 0, 0]);
  });

  it('needs no DATA_DIR when no secret is left to generate', async () => {
    const service = await ServiceProcess.start({
      DATABASE_URL: await newDatabase('without_folder'),
      DATA_DIR: '/proc/no-folder',
      ACCESS_KEYS: 'a:c2VjcmV0:rw',
      CMS_USERS: 'a:b:manager',
      JWT_SECRET: 'j'.repeat(32),
      MASTER_KEY: Buffer.alloc(32, 1).toString('base64'),
    });
    expect(await service.stop()).toBe(0);
  });

  it.each(['1', '2'])(
    'finds the server that takes writes behind one that does not, with WORKERS=%s',
    async (workers) => {
      const url = await newDatabase(`behind${workers}`);
      // Port 1 is where nobody listens, as at a server that was lost; a standby is passed over the same way.
      const service = await ServiceProcess.start({
        DATABASE_URL: url.replace('@', '@127.0.0.1:1,'),
        DATA_DIR: newDataDir(),
        WORKERS: workers,
      });
      expect((await new AzureHttp(service.port, service.key).put('/kv/k', { value: 'v' })).status).toBe(200);
      expect(await service.stop()).toBe(0);
    },
  );

  it('finishes the requests under way when told to stop, and takes no further connections', async () => {
    const url = await newDatabase('draining');
    const service = await ServiceProcess.start({ DATABASE_URL: url, DATA_DIR: newDataDir() });
    const azure = new AzureHttp(service.port, service.key);
    await azure.put('/kv/held', { value: 'old' });
    const holder = new Client({ connectionString: url });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query(`SELECT FROM key_value WHERE key = 'held' FOR UPDATE`);

    const underWay = azure.put('/kv/held', { value: 'new' });
    // A transaction sees pg_stat_activity as it was at its first look, and this always as it is.
    const waiting = `SELECT FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))`;
    await waitFor(async () => (await holder.query(waiting)).rowCount !== 0);
    // Begun before: however late the rest of it comes, it is still answered.
    const asking = await RawConnection.open(service.port);
    asking.send('GET /readyz HTTP/1.1\r\nHost: x\r\n');
    service.signal('SIGTERM');
    await waitFor(() => service.stderr.includes('draining'));
    asking.send('\r\n');
    expect((await asking.answer()).status).toBe(503);
    asking.destroy();
    await holder.query('ROLLBACK');
    const answer = await underWay;
    expect(answer.status).toBe(200);
    expect(answer.headers['connection']).toBe('close');
    expect(await service.exit()).toBe(0);
    await holder.end();
  });

  it('answers the metrics of all workers, whichever is asked, and forgets no count when one is killed', async () => {
    const service = await ServiceProcess.start({
      DATABASE_URL: await newDatabase('metrics'),
      DATA_DIR: newDataDir(),
      WORKERS: '2',
    });
    // Each has a connection of its own; the workers take them in turns.
    // What a worker of a busy machine does not report in time is not in the text.
    const expectScrapes = async (expected: number[]): Promise<void> => {
      await waitFor(async () => (await scrapes()).every((found) => found.join() === expected.join()));
      expect(await scrapes()).toEqual(Array(6).fill(expected));
    };
    const clients = (): AzureHttp[] => Array.from({ length: 6 }, () => new AzureHttp(service.port, service.key));
    const scrapes = (): Promise<(number | undefined)[][]> =>
      Promise.all(
        clients().map(async (client) => {
          const samples = samplesOf((await client.get('/metrics', { signed: false, apiVersion: null })).text);
          return [samples.get('kv_writes_total{operation="put"}'), samples.get('locks_held')];
        }),
      );
    let writes = 0;
    const write = async (): Promise<void> => {
      for (const client of clients()) {
        expect((await client.put(`/kv/${++writes}`, { value: 'v' })).status).toBe(200);
      }
    };
    const held = await fetch(`${service.url}/api/v1/lock-stores/lockstore/locks/one`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ owner: 'me', ttlMs: 60_000 }),
    });
    expect(held.status).toBe(201);
    await write();
    await expectScrapes([6, 1]);
    const [victim] = childrenOf(service.pid);
    process.kill(victim!, 'SIGKILL');
    await waitFor(() => !childrenOf(service.pid).includes(victim!) && childrenOf(service.pid).length === 2);
    await waitFor(() => service.ready());
    await expectScrapes([6, 1]);
    await write();
    await expectScrapes([12, 1]);
    await service.stop();
  });

  it('shares one port among workers, replaces one that is killed, and stops them all', async () => {
    const service = await ServiceProcess.start({
      DATABASE_URL: await newDatabase('workers'),
      DATA_DIR: newDataDir(),
      WORKERS: '2',
    });
    const azure = new AzureHttp(service.port, service.key);
    expect((await azure.put('/kv/by-a-worker', { value: 'v' })).status).toBe(200);
    const workers = childrenOf(service.pid);
    expect(workers).toHaveLength(2);
    process.kill(workers[0]!, 'SIGKILL');
    await waitFor(() => {
      const now = childrenOf(service.pid);
      return now.length === 2 && !now.includes(workers[0]!);
    });
    await waitFor(() => service.ready());
    expect((await new AzureHttp(service.port, service.key).get('/kv/by-a-worker')).status).toBe(200);
    service.signal('SIGTERM');
    expect(await service.exit()).toBe(0);
    for (const worker of workers) expect(isAlive(worker)).toBe(false);
  });
});
