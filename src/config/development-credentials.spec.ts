import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ts from 'typescript';
import { loadDevelopmentCredentials } from './development-credentials.js';
import { loadSettings } from './load-settings.js';
import { SettingsError } from './settings-error.js';

let parent: string;
let folder: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'credentials-'));
  folder = join(parent, 'data', 'generated');
});
afterEach(() => rmSync(parent, { recursive: true }));

const path = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(path(name), 'utf8');
const modeOf = (name: string) => statSync(path(name)).mode & 0o777;
const load = (env: NodeJS.ProcessEnv = {}) => loadDevelopmentCredentials(loadSettings(env, false), folder);

const away = { TRUSTED_TLS_PROXY: 'true', ACCESS_KEYS: 'a:c2VjcmV0:rw', DAPR_API_TOKEN: 't', CMS_USERS: 'a:b:manager' };
const MASTER_KEY = Buffer.alloc(32, 1).toString('base64');

describe('the first start on loopback', () => {
  it('generates everything that is unset', () => {
    const made = load();
    expect(made.masterKey).toHaveLength(32);
    expect(made.jwtSecret).toMatch(/^[\w-]{64}$/);
    expect(made.accessKey).toEqual({
      id: expect.stringMatching(/^[\w-]{8,16}$/),
      secret: expect.stringMatching(/^[\w+/]{43}=$/),
      readOnly: false,
    });
    expect(made.users).toEqual([
      { name: 'admin', password: expect.stringMatching(/^[\w-]{24}$/), role: 'manager' },
      { name: 'editor', password: expect.stringMatching(/^[\w-]{24}$/), role: 'editor' },
    ]);
  });

  it('writes three files that only their owner can read, and nothing else', () => {
    const made = load();
    expect(readdirSync(folder).sort()).toEqual(['credentials.json', 'jwt.secret', 'master.key']);
    for (const name of readdirSync(folder)) expect(modeOf(name)).toBe(0o600);
    expect(JSON.parse(read('credentials.json'))).toEqual({ accessKey: made.accessKey, users: made.users });
    expect(read('master.key').trim()).toBe(made.masterKey.toString('base64'));
    expect(read('jwt.secret').trim()).toBe(made.jwtSecret);
  });

  it('makes different secrets each time', () => {
    const one = load();
    rmSync(folder, { recursive: true });
    const other = load();
    expect(other.masterKey).not.toEqual(one.masterKey);
    expect(other.jwtSecret).not.toBe(one.jwtSecret);
    expect(other.accessKey?.secret).not.toBe(one.accessKey?.secret);
    expect(other.users?.[0]?.password).not.toBe(one.users?.[0]?.password);
    expect(one.users?.[0]?.password).not.toBe(one.users?.[1]?.password);
  });
});

describe('a later start', () => {
  it('finds the same', () => {
    expect(load()).toEqual(load());
  });

  it('leaves what is configured out of result and file', () => {
    const made = load({ ACCESS_KEYS: 'a:c2VjcmV0:rw', MASTER_KEY, JWT_SECRET: 'j'.repeat(32) });
    expect(made).toEqual({ masterKey: Buffer.alloc(32, 1), jwtSecret: 'j'.repeat(32), users: expect.any(Array) });
    expect(readdirSync(folder)).toEqual(['credentials.json']);
    expect(JSON.parse(read('credentials.json'))).toEqual({ users: made.users });
  });

  it('completes the file when a configured part is unset again, and keeps the rest', () => {
    const before = load({ ACCESS_KEYS: 'a:c2VjcmV0:rw' });
    const after = load();
    expect(after.users).toEqual(before.users);
    expect(after.accessKey).toBeDefined();
    expect(load()).toEqual(after);
    expect(modeOf('credentials.json')).toBe(0o600);
    expect(readdirSync(folder)).toHaveLength(3);
  });

  it('hides a generated part while it is configured', () => {
    const before = load();
    expect(load({ CMS_USERS: 'a:b:reader' })).not.toHaveProperty('users');
    expect(load()).toEqual(before);
  });

  it('does not read credentials that it does not need', () => {
    load();
    writeFileSync(path('credentials.json'), 'nonsense');
    expect(() => load({ ACCESS_KEYS: 'a:c2VjcmV0:rw', CMS_USERS: 'a:b:reader' })).not.toThrow();
  });
});

describe('off loopback', () => {
  it('generates master key and login secret only', () => {
    expect(load(away)).toEqual({ masterKey: expect.any(Buffer), jwtSecret: expect.any(String) });
    expect(existsSync(path('credentials.json'))).toBe(false);
  });

  it('uses no development credentials of former times', () => {
    load();
    const withOidc = { ...away, ACCESS_KEYS: '', OIDC_ISSUER: 'https://login.example', OIDC_AUDIENCE: 'x' };
    expect(Object.keys(load(withOidc))).toEqual(['masterKey', 'jwtSecret']);
  });
});

describe('a file that others can read', () => {
  it.each(['master.key', 'jwt.secret', 'credentials.json'])('is tightened: %s', (name) => {
    const before = load();
    chmodSync(path(name), 0o644);
    expect(load()).toEqual(before);
    expect(modeOf(name)).toBe(0o600);
  });
});

describe('a file that cannot be used', () => {
  it.each([
    ['master.key', 'x'],
    ['master.key', ''],
    ['master.key', Buffer.alloc(31).toString('base64')],
    ['jwt.secret', 'short'],
    ['credentials.json', ''],
    ['credentials.json', '{"accessKey":'],
    ['credentials.json', '[]'],
    ['credentials.json', 'null'],
    ['credentials.json', '{"accessKey":{"id":"a","secret":"not base64","readOnly":false}}'],
    ['credentials.json', '{"accessKey":{"id":"","secret":"c2VjcmV0","readOnly":false}}'],
    ['credentials.json', '{"accessKey":{"id":"a","secret":"c2VjcmV0"}}'],
    ['credentials.json', '{"accessKey":null}'],
    ['credentials.json', '{"users":{}}'],
    ['credentials.json', '{"users":[{"name":"admin","password":"hush","role":"boss"}]}'],
    ['credentials.json', '{"users":[{"name":"admin","password":"","role":"manager"}]}'],
  ])('is refused by one line that names it: %s with %s', (name, content) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path(name), content, { mode: 0o600 });
    const line = lineOf(load);
    expect(line.startsWith(`${path(name)} `)).toBe(true);
    expect(line).not.toMatch(/\n|hush/);
    expect(read(name)).toBe(content);
  });

  it('is refused when it is a folder, or lies in something that is none', () => {
    mkdirSync(path('master.key'), { recursive: true });
    expect(lineOf(load)).toContain(`${path('master.key')} cannot be read or written (EISDIR)`);
    rmSync(folder, { recursive: true });
    writeFileSync(folder, '');
    expect(lineOf(load)).toContain(`${path('master.key')} cannot be read or written (ENOTDIR)`);
  });
});

describe('processes that start at once', () => {
  const PROCESSES = 8;
  let program: string;

  beforeAll(() => {
    program = mkdtempSync(join(tmpdir(), 'config-'));
    const compilerOptions = {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      experimentalDecorators: true,
    };
    for (const name of readdirSync(__dirname).filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))) {
      const { outputText } = ts.transpileModule(readFileSync(join(__dirname, name), 'utf8'), { compilerOptions });
      writeFileSync(join(program, name.replace(/ts$/, 'js')), outputText);
    }
    const script = `
      const { existsSync } = require('node:fs');
      const { loadDevelopmentCredentials } = require('./development-credentials.js');
      const [settings, folder, go] = process.argv.slice(2);
      process.stdout.write('ready\\n');
      while (!existsSync(go));
      const { masterKey, ...rest } = loadDevelopmentCredentials(JSON.parse(settings), folder);
      process.stdout.write(JSON.stringify({ masterKey: masterKey.toString('base64'), ...rest }));
    `;
    writeFileSync(join(program, 'start.js'), script);
  });
  afterAll(() => rmSync(program, { recursive: true }));

  /** What each of the processes got. All are ready before any of them starts. */
  async function race(settings: object): Promise<unknown[]> {
    const go = join(parent, `go-${readdirSync(parent).length}`);
    const env = { ...process.env, NODE_PATH: join(process.cwd(), 'node_modules') };
    const starts = Array.from({ length: PROCESSES }, () => {
      const argv = [join(program, 'start.js'), JSON.stringify(settings), folder, go];
      const child = spawn(process.execPath, argv, { env, stdio: ['ignore', 'pipe', 'inherit'] });
      let output = '';
      const ready = new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk: Buffer) => {
          output += chunk.toString();
          resolve();
        });
      });
      const done = new Promise<unknown>((resolve, reject) => {
        child.on('close', (code) => {
          if (code === 0) resolve(JSON.parse(output.replace('ready\n', '')));
          else reject(new Error(`exit ${code}`));
        });
      });
      return { ready, done };
    });
    await Promise.all(starts.map(({ ready }) => ready));
    writeFileSync(go, '');
    return Promise.all(starts.map(({ done }) => done));
  }

  it('agree on what is generated, and on what is added later', async () => {
    const [first, ...others] = await race({ isLoopback: true, accessKeys: [] });
    expect(first).toHaveProperty('users');
    for (const other of others) expect(other).toEqual(first);

    const [completed, ...rest] = await race({ isLoopback: true });
    expect(completed).toMatchObject(first as object);
    expect(completed).toHaveProperty('accessKey');
    for (const other of rest) expect(other).toEqual(completed);
    expect(readdirSync(folder).sort()).toEqual(['credentials.json', 'jwt.secret', 'master.key']);
  });
});

function lineOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof SettingsError && error.faults.length === 1) return error.faults[0]!;
    throw error;
  }
  throw new Error('nothing was refused');
}
