import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { AzureHttp } from '../support/azure-http';
import { READ_WRITE_KEY, startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';
import { databaseUrlOf } from '../transfer/kv-command';

const PROGRAM = join(__dirname, '..', '..', 'dist', 'src', 'key-command', 'cli.js');
/** Of `startApp`. */
const MASTER_KEY = Buffer.alloc(32, 7).toString('base64');

let app: TestApp;
let env: Record<string, string>;
let folder: string;
beforeAll(async () => {
  app = await startApp({ CMS_USERS: 'boss:boss password:manager' });
  folder = mkdtempSync(join(tmpdir(), 'latchkey-keys-'));
  env = { DATABASE_URL: await databaseUrlOf(app), MASTER_KEY };
  expect((await app.azure.put('/kv/there', { value: 'v' })).status).toBe(200);
});
afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** `npm run keys -- …` as a process of its own. */
async function keysWith(own: Record<string, string>, ...args: string[]): Promise<Outcome> {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [PROGRAM, ...args], { env: { PATH, HOME, ...own } });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}
const keys = (...args: string[]): Promise<Outcome> => keysWith(env, ...args);

/** A client with the key that the command printed. */
function clientOf(line: string): AzureHttp {
  const [, id, secret] = /^(?:Endpoint=[^;]+;)?Id=([^;]+);Secret=(\S+)\n$/.exec(line)!;
  return new AzureHttp(app.port, { id: id!, secret: secret! });
}
const reads = async (client: AzureHttp): Promise<number> => (await client.get('/kv/there')).status;
const writes = async (client: AzureHttp): Promise<number> => (await client.put('/kv/there', { value: 'w' })).status;

it('a key works in a running service beside ACCESS_KEYS, two at once, until it is revoked', async () => {
  const created = [await keys('create', 'first'), await keys('create', 'second')];
  expect(created.map(({ code, stderr }) => [code, stderr])).toEqual([
    [0, ''],
    [0, ''],
  ]);
  const [first, second] = created.map(({ stdout }) => clientOf(stdout));
  await waitFor(async () => (await reads(first!)) === 200 && (await reads(second!)) === 200);
  expect([await writes(first!), await writes(second!), await writes(app.azure)]).toEqual([200, 200, 200]);
  expect(await keys('revoke', 'first')).toEqual({ code: 0, stdout: '', stderr: '' });
  await waitFor(async () => (await reads(first!)) === 401);
  expect([await reads(second!), await reads(app.azure)]).toEqual([200, 200]);
});

it('a key that may only read cannot write, and its id is made up when none is given', async () => {
  const { stdout } = await keysWith({ ...env, PUBLIC_URL: 'https://config.example' }, 'create', '--read-only');
  expect(stdout).toMatch(/^Endpoint=https:\/\/config\.example;Id=[\w-]{8};Secret=[A-Za-z0-9+/]{43}=\n$/);
  const client = clientOf(stdout);
  await waitFor(async () => (await reads(client)) === 200);
  expect(await writes(client)).toBe(403);
});

it('a list shows each key without its secret', async () => {
  const { stdout: made } = await keys('create', 'listed', '--read-only');
  const { code, stdout } = await keys('list');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^listed\tro\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\tmade$/m);
  const [, secret] = /Secret=(\S+)/.exec(made)!;
  expect(stdout).not.toContain(secret);
  const [row] = await app.sql<{ sealed_secret: string }>(`SELECT sealed_secret FROM access_key WHERE id = 'listed'`);
  expect(row!.sealed_secret).toMatch(/^v1\./);
});

it('a key goes into a new file for its owner alone, when asked for', async () => {
  const path = join(folder, 'key');
  const { code, stdout } = await keys('create', 'in-a-file', '--output', path);
  expect([code, stdout, statSync(path).mode & 0o777]).toEqual([0, '', 0o600]);
  const client = clientOf(readFileSync(path, 'utf8'));
  await waitFor(async () => (await reads(client)) === 200);
  const again = await keys('create', 'another', '--output', path);
  expect(again.code).toBe(2);
  expect((await keys('list')).stdout).not.toContain('another');
  const taken = join(folder, 'taken');
  expect((await keys('create', 'in-a-file', '--output', taken)).code).toBe(3);
  expect(existsSync(taken)).toBe(false);
});

it('changes are in the audit log', async () => {
  await keys('create', 'audited');
  await keys('revoke', 'audited');
  const authorization = `Basic ${Buffer.from('boss:boss password').toString('base64')}`;
  const options = { signed: false, apiVersion: null, headers: { authorization } };
  const { items } = (await app.azure.get('/api/v1/audit?target=audited', options)).json;
  expect(
    items.map(({ action, actor, surface }: Record<string, string>) => [surface, action, actor!.slice(0, 5)]),
  ).toEqual([
    ['config', 'key-revoked', 'keys:'],
    ['config', 'key-created', 'keys:'],
  ]);
});

describe('is refused', () => {
  it('an id that no client could send', async () => {
    expect((await keys('create', 'a;b')).code).toBe(2);
  });

  it('an id that is taken', async () => {
    await keys('create', 'taken');
    expect(await keys('create', 'taken')).toMatchObject({ code: 3, stdout: '' });
  });

  it('the end of a key that is not there, and of a generated one', async () => {
    await app.sql(`INSERT INTO access_key (id, sealed_secret, read_only) VALUES ('dev-key', '', false)`);
    expect((await keys('revoke', 'nobody')).code).toBe(1);
    expect((await keys('revoke', 'dev-key')).code).toBe(1);
    expect((await keys('list')).stdout).toMatch(/^dev-key\trw\t\S+\tgenerated$/m);
    await app.sql(`DELETE FROM access_key WHERE id = 'dev-key'`);
  });

  it('a key that would be sealed under a master key that no service has', async () => {
    const { DATABASE_URL } = env;
    const { code, stderr } = await keysWith({ DATABASE_URL: DATABASE_URL!, DATA_DIR: folder }, 'create', 'useless');
    expect(code).toBe(2);
    expect(stderr).toContain('MASTER_KEY');
    expect((await keys('list')).stdout).not.toContain('useless');
  });
});

it('ACCESS_KEYS count before a stored key with the same id, and without generated ones', async () => {
  const generated = { id: 'dev', secret: randomBytes(32).toString('base64'), readOnly: false };
  const onLoopback = await startApp({ ACCESS_KEYS: '' }, app, { accessKey: generated });
  await onLoopback.close();
  const { stdout } = await keys('create', READ_WRITE_KEY.id);
  const { stdout: marker } = await keys('create', 'marker');
  await waitFor(async () => (await reads(clientOf(marker))) === 200);
  expect([await reads(clientOf(stdout)), await reads(app.azure)]).toEqual([401, 200]);
  expect(await reads(new AzureHttp(app.port, generated))).toBe(401);
});
