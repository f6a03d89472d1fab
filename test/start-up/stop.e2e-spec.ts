import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { findRunningDatabase } from '../../src/database/embedded/embedded-postgres';
import { AzureHttp } from '../support/azure-http';
import { processesOf } from '../support/processes';
import { newDataDir, ServiceProcess } from '../support/service-process';
import { waitFor } from '../support/wait-for';

/** As in migrate.ts. */
const MIGRATION_LOCK = '4841230198563201';
const NPM_START = ['npm', 'start'] as const;

let dataDir: string;
beforeEach(() => void (dataDir = newDataDir()));
afterEach(() => {
  for (const { pid } of processesOf(dataDir)) process.kill(pid, 'SIGKILL');
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

const isRunning = (program: RegExp): boolean => processesOf(dataDir).some(({ command }) => program.test(command));

/** Holds something in the service's database until it is let go. */
async function hold(sql: string): Promise<{ somebodyWaits(): Promise<boolean>; letGo(): Promise<unknown> }> {
  const sighting = await findRunningDatabase(dataDir);
  if (sighting.kind !== 'running') throw new Error(`the database is ${sighting.kind}`);
  const holder = new Client(sighting.address);
  holder.on('error', () => undefined);
  await holder.connect();
  await holder.query('BEGIN');
  await holder.query(sql);
  // A transaction sees pg_stat_activity as it was at its first look, and this always as it is.
  const waiting = `SELECT FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))`;
  return {
    somebodyWaits: async () => (await holder.query(waiting)).rowCount !== 0,
    letGo: () => holder.query('ROLLBACK').finally(() => holder.end()),
  };
}

/** A request that is under way until it is let go. */
async function holdRequest(service: ServiceProcess): Promise<{ letGo(): Promise<number> }> {
  const azure = new AzureHttp(service.port, service.key);
  await azure.put('/kv/held', { value: 'old' });
  const row = await hold(`SELECT FROM key_value WHERE key = 'held' FOR UPDATE`);
  const answer = azure.put('/kv/held', { value: 'new' });
  answer.catch(() => undefined);
  await waitFor(() => row.somebodyWaits());
  return {
    letGo: async () => {
      await row.letGo();
      return (await answer).status;
    },
  };
}

describe('a service that is told to stop', () => {
  it.each([
    ['npm alone', (service: ServiceProcess) => service.signal('SIGTERM')],
    ['the whole group', (service: ServiceProcess) => service.signalGroup('SIGTERM')],
    ['the whole group, by Ctrl-C', (service: ServiceProcess) => service.signalGroup('SIGINT')],
  ])('through npm, with a signal to %s, ends with 0 and stops its database', async (_, tell) => {
    const service = await ServiceProcess.start({ DATA_DIR: dataDir }, { command: NPM_START, asGroup: true });
    tell(service);
    expect(await service.exit()).toBe(0);
    expect(service.stderr).not.toContain('not found');
    expect(processesOf(dataDir)).toEqual([]);
  });

  it.each(['1', '2'])(
    'finishes the request under way when it is told twice at the same time, with WORKERS=%s',
    async (workers) => {
      const service = await ServiceProcess.start({ DATA_DIR: dataDir, WORKERS: workers }, { asGroup: true });
      const request = await holdRequest(service);
      // Two of the same kind could become one before the service sees them.
      service.signalGroup('SIGTERM');
      service.signalGroup('SIGINT');
      // Not by asking whether it is ready: a connection that no worker takes any more is only closed at the very end.
      await waitFor(() => service.stderr.includes('draining'));
      expect(await request.letGo()).toBe(200);
      expect(await service.exit()).toBe(0);
      expect(processesOf(dataDir)).toEqual([]);
    },
  );

  it.each(['1', '2'])(
    'ends at once when it is told again later, and its database with it, with WORKERS=%s',
    async (workers) => {
      const env = { DATA_DIR: dataDir, WORKERS: workers, SHUTDOWN_GRACE_SECONDS: '3600' };
      const service = await ServiceProcess.start(env);
      await holdRequest(service);
      let code: number | string | undefined;
      void service.exit().then((ended) => (code = ended));
      await waitFor(() => {
        service.signal('SIGINT');
        return code !== undefined;
      });
      expect(code).toBe(130);
      expect(isRunning(/postgres/)).toBe(false);
      await waitFor(() => processesOf(dataDir).length === 0);
    },
  );
});

describe('a start that is told to stop', () => {
  async function expectNothingLeft(service: ServiceProcess): Promise<void> {
    expect(await service.exit()).toBe(0);
    expect(processesOf(dataDir)).toEqual([]);
    expect(readdirSync(dataDir).filter((name) => name.includes('.new-'))).toEqual([]);
  }

  it('while it makes its database ends with 0 and leaves nothing running', async () => {
    // On a busy machine the database may be there before anybody looks: then another is made.
    for (let round = 1; ; round++) {
      const service = new ServiceProcess({ DATA_DIR: dataDir });
      const isMade = (): boolean => service.stderr.includes('embedded PostgreSQL started');
      let isSeen = false;
      await waitFor(() => (isSeen = isRunning(/\/initdb /)) || isMade());
      service.signal('SIGTERM');
      await expectNothingLeft(service);
      if (isSeen) break;
      expect(round).toBeLessThan(20);
      rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
      dataDir = newDataDir();
    }
  });

  it.each([
    ['starts its database', () => existsSync(join(dataDir, 'postgres', 'postmaster.pid'))],
    ['is about to serve', (service: ServiceProcess) => service.stderr.includes('schema brought up to date')],
  ])('while it %s ends with 0 and leaves nothing running', async (_, isThere) => {
    const service = new ServiceProcess({ DATA_DIR: dataDir });
    await waitFor(() => isThere(service));
    service.signal('SIGTERM');
    await expectNothingLeft(service);
  });

  it('while it waits for somebody else to migrate ends with 0 and leaves nothing running', async () => {
    const killed = await ServiceProcess.start({ DATA_DIR: dataDir });
    killed.signal('SIGKILL');
    await killed.exit();
    const turn = await hold(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    const service = new ServiceProcess({ DATA_DIR: dataDir });
    await waitFor(() => turn.somebodyWaits());
    service.signal('SIGTERM');
    expect(await service.exit()).toBe(0);
    expect(service.stdout).toBe('');
    expect(processesOf(dataDir)).toEqual([]);
  });

  it('while its workers start ends with 0 and leaves nothing running', async () => {
    const service = new ServiceProcess({ DATA_DIR: dataDir, WORKERS: '2' }, { asGroup: true });
    await waitFor(() => processesOf(dataDir).filter(({ command }) => command.includes('main.js')).length > 1);
    service.signalGroup('SIGTERM');
    expect(await service.exit()).toBe(0);
    expect(service.stderr).not.toContain('latchkey: ');
    expect(processesOf(dataDir)).toEqual([]);
  });

  it('while it waits for a database that cannot be reached ends with 0', async () => {
    const service = new ServiceProcess({ DATA_DIR: dataDir, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' });
    await waitFor(() => service.stderr.includes('cannot be reached yet'));
    service.signal('SIGTERM');
    expect(await service.exit()).toBe(0);
  });
});
