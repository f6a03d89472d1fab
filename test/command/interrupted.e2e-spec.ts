import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Client } from 'pg';
import { EmbeddedPostgres } from '../../src/database/embedded/embedded-postgres';
import { processesOf } from '../support/processes';
import { newDataDir, ServiceProcess } from '../support/service-process';
import { SideTransaction } from '../support/side-transaction';
import { startApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';
import { databaseUrlOf, fileWith, kv } from '../transfer/kv-command';

/** As in migrate.ts. */
const MIGRATION_LOCK = '4841230198563201';
const SCRIPTS = join(__dirname, '..', '..', 'scripts');
const BEFORE = 'a=before\n';

// Each test makes a database and starts it several times.
jest.setTimeout(180_000);
const PATIENCE_MS = 60_000;

let dataDir: string;
beforeEach(() => void (dataDir = newDataDir()));
afterEach(() => {
  for (const { pid } of processesOf(dataDir)) process.kill(pid, 'SIGKILL');
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

type Name = 'kv' | 'keys';
const byNode = (name: Name, ...args: string[]) => [process.execPath, join(SCRIPTS, `${name}.mjs`), ...args] as const;
const start = (command: readonly [string, ...string[]]): ServiceProcess =>
  new ServiceProcess({ DATA_DIR: dataDir }, { command, asGroup: true });
const importFile = (): string => fileWith({ items: [{ key: 'a', value: 'after' }, { key: 'b' }] });

const logged = (text: string): boolean => readFileSync(join(dataDir, 'postgres.log'), 'utf8').includes(text);
const isRunning = (program: RegExp): boolean => processesOf(dataDir).some(({ command }) => program.test(command));

/** An embedded database that nobody runs, in which every change of the table is kept waiting, itself or its commit. */
async function databaseThatWaitsIn(table: string, atCommit = false): Promise<void> {
  const trigger = atCommit
    ? `CONSTRAINT TRIGGER wait AFTER INSERT OR UPDATE ON ${table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW`
    : `TRIGGER wait BEFORE INSERT OR UPDATE ON ${table}`;
  await kv({ DATA_DIR: dataDir }, 'import', fileWith(BEFORE, 'properties'));
  await inDatabase(`CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE LOG 'a change waits'; PERFORM pg_sleep(60); RETURN NULL; END $$;
    CREATE ${trigger} EXECUTE FUNCTION wait()`);
}

async function inDatabase(sql: string): Promise<unknown[]> {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const server = await EmbeddedPostgres.start({ dataDir, maxConnections: 5, log });
  const client = new Client(server.address);
  try {
    await client.connect();
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
    await server.stop();
  }
}

describe('a command on the embedded database that nobody runs', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'ends with 130, changes nothing and stops the database, however often it is told %s',
    async (signal) => {
      await databaseThatWaitsIn('key_value_revision');
      const command = start(byNode('kv', 'import', importFile()));
      await waitFor(() => logged('a change waits'), PATIENCE_MS);
      let code: number | string | undefined;
      void command.exit().then((ended) => (code = ended));
      while (code === undefined) {
        command.signal(signal);
        await nextTurn();
      }
      expect([code, command.stdout]).toEqual([130, '']);
      // A machine so busy that this takes a second hears the later ones as another wish.
      expect(command.stderr).toMatch(/^kv: interrupted/);
      expect(processesOf(dataDir)).toEqual([]);
      expect((await kv({ DATA_DIR: dataDir }, 'export', '--format', 'properties')).stdout).toBe(BEFORE);
    },
  );

  it('through npm, by Ctrl-C, changes nothing and stops the database', async () => {
    await databaseThatWaitsIn('key_value_revision');
    const command = start(['npm', 'run', '-s', 'kv', '--', 'import', importFile()]);
    await waitFor(() => logged('a change waits'), PATIENCE_MS);
    command.signalGroup('SIGINT');
    // npm's shell may die of it first, and what npm answers then is the shell's.
    expect(await command.exit()).not.toBe(0);
    expect(command.stderr).toContain('kv: interrupted; nothing was changed\n');
    expect(processesOf(dataDir)).toEqual([]);
    expect((await kv({ DATA_DIR: dataDir }, 'export', '--format', 'properties')).stdout).toBe(BEFORE);
  });

  it('leaves neither a key nor the file with its secret', async () => {
    await databaseThatWaitsIn('access_key');
    const path = join(dataDir, 'key.txt');
    const command = start(byNode('keys', 'create', 'mine', '--output', path));
    await waitFor(() => logged('a change waits'), PATIENCE_MS);
    expect(existsSync(path)).toBe(true);
    command.signalGroup('SIGINT');
    expect(await command.exit()).toBe(130);
    expect(command.stderr).toBe('keys: interrupted; nothing was changed\n');
    expect(existsSync(path)).toBe(false);
    expect(processesOf(dataDir)).toEqual([]);
    expect(await inDatabase('SELECT id FROM access_key')).toEqual([]);
  });

  it('keeps the file of a key that may be there', async () => {
    await databaseThatWaitsIn('access_key', true);
    const path = join(dataDir, 'key.txt');
    const command = start(byNode('keys', 'create', 'mine', '--output', path));
    await waitFor(() => logged('a change waits'), PATIENCE_MS);
    command.signalGroup('SIGINT');
    expect(await command.exit()).toBe(1);
    expect(command.stderr).toMatch(/^keys: the connection broke while the database committed: .*\n$/);
    expect(readFileSync(path, 'utf8')).toMatch(/^Id=mine;Secret=/);
    expect(processesOf(dataDir)).toEqual([]);
  });

  it.each([
    ['makes', () => isRunning(/\/initdb /)],
    ['starts', () => existsSync(join(dataDir, 'postgres', 'postmaster.pid'))],
  ])('while it %s the database ends with 130 and leaves nothing running', async (_, isThere) => {
    let command: ServiceProcess;
    let code: number | string | undefined;
    // Anew, with nothing there, where all was over before it was seen or told.
    for (let attempt = 0; attempt < 5 && code !== 130; attempt++) {
      for (const name of readdirSync(dataDir)) rmSync(join(dataDir, name), { recursive: true });
      command = start(byNode('keys', 'create'));
      let isOver = false;
      const ended = command.exit().finally(() => (isOver = true));
      await waitFor(() => isOver || isThere(), PATIENCE_MS);
      if (!isOver) command.signalGroup('SIGTERM');
      code = await ended;
      if (code !== 130) expect([code, command.stdout]).toEqual([0, expect.stringMatching(/^Id=/)]);
    }
    expect(code).toBe(130);
    expect([command!.stdout, command!.stderr]).toEqual(['', 'keys: interrupted; nothing was changed\n']);
    expect(processesOf(dataDir)).toEqual([]);
    expect(readdirSync(dataDir).filter((name) => name.includes('.new-'))).toEqual([]);
  });

  it('does not wait for a database that stops slowly when it is told again later', async () => {
    await databaseThatWaitsIn('key_value_revision');
    const command = start(byNode('kv', 'import', importFile()));
    await waitFor(() => logged('a change waits'), PATIENCE_MS);
    const session = processesOf(dataDir).find(({ command: title }) => /^postgres: .*(INSERT|UPDATE)/.test(title))!;
    process.kill(session.pid, 'SIGSTOP');
    await waitFor(() => {
      command.signal('SIGINT');
      return logged('immediate shutdown');
    }, PATIENCE_MS);
    process.kill(session.pid, 'SIGCONT');
    expect(await command.exit()).toBe(130);
    expect(command.stderr).toBe('kv: interrupted again; nothing was changed unless it said so\n');
    expect(processesOf(dataDir)).toEqual([]);
  });
});

it('a command that waits for somebody else to migrate ends with 130', async () => {
  const app = await startApp();
  try {
    const turn = await SideTransaction.begin(app, `SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    const env = { DATABASE_URL: await databaseUrlOf(app) };
    const command = new ServiceProcess(env, { command: byNode('kv', 'export') });
    await waitFor(() => turn.isWaitedFor(), PATIENCE_MS);
    command.signal('SIGINT');
    expect(await command.exit()).toBe(130);
    expect([command.stdout, command.stderr]).toEqual(['', 'kv: interrupted; nothing was changed\n']);
    await turn.end('ROLLBACK');
  } finally {
    await app.close();
  }
});
