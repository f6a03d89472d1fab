import { Client } from 'pg';
import { type DatabaseAddress } from '../../src/database/connection';
import { EmbeddedPostgres } from '../../src/database/embedded/embedded-postgres';
import { newDataDir, ServiceProcess } from '../support/service-process';
import { waitFor } from '../support/wait-for';
import { fileWith, kv, urlOf } from './kv-command';

const OPEN = { ALLOW_ANONYMOUS_CONFIG: 'true', LOG_LEVEL: 'info' };

// A service refuses the run's own server, which flushes nothing.
let server: EmbeddedPostgres;
let databaseCount = 0;

beforeAll(async () => {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  server = await EmbeddedPostgres.start({ dataDir: newDataDir(), maxConnections: 60, log });
});
afterAll(() => server.stop());

async function createEmptyDatabase(): Promise<DatabaseAddress> {
  const database = `seed_${++databaseCount}`;
  const admin = new Client({ ...server.address, database: 'postgres' });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${database}`);
  await admin.end();
  return { ...server.address, database };
}

async function revisionsOf(address: DatabaseAddress): Promise<{ key: string; actor: string }[]> {
  const client = new Client(address);
  await client.connect();
  try {
    return (await client.query('SELECT key, actor FROM key_value_revision ORDER BY key, revision')).rows;
  } finally {
    await client.end();
  }
}

const get = async (service: ServiceProcess, path: string): Promise<Record<string, unknown>> =>
  (await fetch(`${service.url}${path}${path.includes('?') ? '&' : '?'}api-version=2023-11-01`)).json() as Promise<
    Record<string, unknown>
  >;

describe('SEED_FILE', () => {
  const items = Array.from({ length: 40 }, (_, i) => ({
    key: `app/${String(i).padStart(2, '0')}`,
    label: 'dev',
    value: `${i}`,
    tags: { team: 'blue' },
  }));

  it('is there before the service serves, tags included, once for replicas that start together, and once for ever', async () => {
    const address = await createEmptyDatabase();
    const start = (): Promise<ServiceProcess> =>
      ServiceProcess.start({
        ...OPEN,
        DATABASE_URL: urlOf(address),
        DATA_DIR: newDataDir(),
        SEED_FILE: fileWith({ items }),
      });
    const replicas = await Promise.all([start(), start()]);
    expect(await get(replicas[0], '/kv/app/07?label=dev')).toMatchObject({ value: '7', tags: { team: 'blue' } });
    await Promise.all(replicas.map((service) => service.stop()));
    const again = await start();
    await waitFor(() => /seed file applied: 0 added, 0 changed, 0 deleted, 40 unchanged/.test(again.stderr));
    await again.stop();
    expect(await revisionsOf(address)).toEqual(items.map(({ key }) => ({ key, actor: 'seed' })));
  });

  it('adds only, unless the file says mirror', async () => {
    const address = await createEmptyDatabase();
    const env = { ...OPEN, DATABASE_URL: urlOf(address), DATA_DIR: newDataDir() };
    const seeded = async (content: unknown, extension = 'json'): Promise<string[]> => {
      const service = await ServiceProcess.start({ ...env, SEED_FILE: fileWith(content, extension) });
      const { items: found } = await get(service, '/kv');
      await service.stop();
      return (found as { key: string; value: string }[]).map(({ key, value }) => `${key}=${value}`);
    };
    expect(await seeded('a: {b: 1}\nc: 2', 'yml')).toEqual(['a:b=1', 'c=2']);
    expect(
      await seeded({
        items: [
          { key: 'c', value: 'other' },
          { key: 'd', value: '3' },
        ],
      }),
    ).toEqual(['a:b=1', 'c=2', 'd=3']);
    const mirror = { mode: 'mirror', scope: { key: 'c,d' }, items: [{ key: 'c', value: 'other' }] };
    expect(await seeded(mirror)).toEqual(['a:b=1', 'c=other']);
  });

  it('that cannot be applied stops the start with one line, and changes nothing', async () => {
    const address = await createEmptyDatabase();
    const bad = fileWith({ items: [...items, { key: 'x', value: [1] }] });
    const service = new ServiceProcess({ DATABASE_URL: urlOf(address), DATA_DIR: newDataDir(), SEED_FILE: bad });
    expect(await service.exit()).toBe(78);
    const line = `latchkey: SEED_FILE: ${bad}: row 41 (key "x"), value: not a well-formed text or null\n`;
    expect(service.stderr).toContain(line);
    expect(await revisionsOf(address)).toEqual([]);
  });
});

describe('kv and the embedded database', () => {
  it('works beside the service that runs it, and by itself when none does', async () => {
    const DATA_DIR = newDataDir();
    const file = fileWith({ items: [{ key: 'a', value: '1' }] });
    expect(await kv({ DATA_DIR }, 'export')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/holds no database/),
    });

    const service = await ServiceProcess.start({ ...OPEN, DATA_DIR });
    expect(await kv({ DATA_DIR }, 'import', file)).toMatchObject({ code: 0, complaints: '' });
    expect(await get(service, '/kv/a')).toMatchObject({ value: '1' });
    expect(await service.stop()).toBe(0);

    const { code, stdout, stderr } = await kv({ DATA_DIR }, 'export', '--format', 'properties');
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'a=1\n', stderr: '' });
    // It stopped what it started: nobody is in the way of the next owner.
    const next = await ServiceProcess.start({ ...OPEN, DATA_DIR });
    expect(next.stderr).not.toMatch(/taken over/);
    expect(await get(next, '/kv/a')).toMatchObject({ value: '1' });
    await next.stop();
  });
});
