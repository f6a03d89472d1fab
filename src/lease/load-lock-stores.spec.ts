import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from '../config/load-settings.js';
import { SettingsError } from '../config/settings-error.js';
import { type LoadedLockStores, loadLockStores } from './load-lock-stores.js';

const EXAMPLES = join(__dirname, '../../examples');

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'latchkey-components-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, content: string | Buffer): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const component = (name: string, type: string, ...rest: string[]): string =>
  `apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: ${name}}\nspec:\n  type: ${type}\n  version: v1\n${rest.map((line) => `${line}\n`).join('')}`;
const store = (name: string, ...rest: string[]): string => component(name, 'lock.postgres', ...rest);
const prefixed = (name: string, value: string, ...rest: string[]): string =>
  store(name, `  metadata: [{name: keyPrefix, ${value}}]`, ...rest);

const load = (environment: NodeJS.ProcessEnv = {}, dir: string | undefined = folder): LoadedLockStores =>
  loadLockStores({ appId: 'app', namespace: 'prod', lockComponentsDir: dir }, environment);
const prefixesOf = ({ stores }: LoadedLockStores): Record<string, string> =>
  Object.fromEntries(stores.all.map(({ name, prefix }) => [name, prefix]));
const faultsOf = (environment?: NodeJS.ProcessEnv): readonly string[] => {
  try {
    load(environment);
  } catch (error) {
    if (error instanceof SettingsError) return error.faults.map((fault) => fault.replaceAll(`${folder}/`, ''));
    throw error;
  }
  return [];
};

describe('without a folder', () => {
  const settings = { appId: 'latchkey', namespace: undefined, lockComponentsDir: undefined };

  it('there is one store, lockstore', () => {
    const { stores, notes } = loadLockStores(settings, {});
    expect(stores.all).toEqual([
      { name: 'lockstore', type: 'lock.postgres', version: 'v1', prefix: 'lock||latchkey||' },
    ]);
    expect(stores.find('lockstore')!.storedKey('r')).toBe('lock||latchkey||r');
    expect(notes).toEqual([]);
  });

  it('an app id with a double pipe is refused', () => {
    expect(() => loadLockStores({ ...settings, appId: 'a||b' }, {})).toThrow(
      'APP_ID is "a||b"; expected a text without',
    );
  });

  it('is what the settings say when nothing is set', () => {
    expect(loadLockStores(loadSettings({}, false), {}).stores.all[0]!.prefix).toBe('lock||latchkey||');
  });
});

describe('a folder', () => {
  it('gives the stores of its YAML files, by file name', () => {
    write('b.yml', store('second'));
    write('a.yaml', `${store('first')}---\n${prefixed('global', 'value: none')}`);
    write('c.YAML', prefixed('third', 'value: name'));
    write('notes.txt', 'no: [yaml');
    write('.yaml.bak', 'no: [yaml');
    mkdirSync(join(folder, 'sub.yaml'));
    writeFileSync(join(folder, 'sub.yaml', 'd.yaml'), 'no: [yaml');
    const { stores } = load();
    expect(stores.all.map(({ name, prefix }) => [name, prefix])).toEqual([
      ['first', 'lock||app||'],
      ['global', 'lock||'],
      ['second', 'lock||app||'],
      ['third', 'lock||third||'],
    ]);
  });

  it('follows links, as Kubernetes mounts its files', () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'latchkey-components-'));
    writeFileSync(join(elsewhere, 'a.yaml'), store('linked'));
    symlinkSync(elsewhere, join(folder, '..data'));
    symlinkSync('..data/a.yaml', join(folder, 'a.yaml'));
    expect(prefixesOf(load())).toEqual({ linked: 'lock||app||' });
    rmSync(elsewhere, { recursive: true });
  });

  it.each([
    ['nothing', {}],
    ['no lock stores', { 'a.yaml': component('x', 'state.redis') }],
    ['none that is ours', { 'a.yaml': store('x', 'scopes: [other]') }],
    ['none that can be loaded', { 'a.yaml': component('x', 'lock.redis', '  ignoreErrors: true') }],
  ])('with %s gives no store at all, and a warning', (_, files) => {
    for (const [name, content] of Object.entries(files)) write(name, content);
    const { stores, notes } = load();
    expect(stores.all).toEqual([]);
    expect(notes.at(-1)).toEqual({ level: 'warn', text: `${folder} describes no lock store: there is none` });
  });

  it('that is not there is a fault', () => {
    rmSync(folder, { recursive: true });
    expect(faultsOf()).toEqual([
      `LOCK_COMPONENTS_DIR is ${JSON.stringify(folder)}, which cannot be read (ENOENT); expected a readable folder`,
    ]);
  });

  it('may not have one name twice', () => {
    write('a.yaml', store('x'));
    write('b.yaml', `${store('y')}---\n${prefixed('x', 'value: none')}`);
    write('c.yaml', component('x', 'state.redis'));
    expect(faultsOf()).toEqual(['b.yaml:8: metadata.name: is "x", as in a.yaml:1; expected each lock store once']);
  });

  it('may have the name twice for different apps', () => {
    write('a.yaml', `${store('x', 'scopes: [other]')}---\n${prefixed('x', 'value: none')}`);
    expect(prefixesOf(load())).toEqual({ x: 'lock||' });
  });
});

describe('all faults of all files', () => {
  it('are told at once, in the order of the files, those of values last', () => {
    write('a.yaml', component('a', 'lock.redis'));
    write('b.yaml', Buffer.from([0x6b, 0xff, 0xfe]));
    write('c.yaml', 'kind: [');
    write('d.yaml', '');
    symlinkSync('absent', join(folder, 'e.yaml'));
    write('f.yaml', `#${' '.repeat(300_000)}`);
    execFileSync('mkfifo', [join(folder, 'g.yaml')]);
    write('h.yaml', prefixed('h', 'envRef: ABSENT'));
    write('i.yaml', prefixed('i', 'value: a||b'));
    const faults = faultsOf();
    const expected = [
      /^a\.yaml:5: spec\.type: is "lock\.redis"; /,
      /^b\.yaml: is not UTF-8; expected text in UTF-8$/,
      /^c\.yaml:1: is no YAML: /,
      /^d\.yaml: is empty; expected a Dapr component$/,
      /^e\.yaml: cannot be read \(ENOENT\); expected a readable file$/,
      /^f\.yaml: has 300001 bytes; expected at most 262144$/,
      /^g\.yaml: is no file; expected a readable file$/,
      /^h\.yaml:7: spec\.metadata\[0\]\.envRef: names the environment variable "ABSENT", which is not set; /,
      /^i\.yaml:7: spec\.metadata\[0\]\.value: the prefix has "\|\|" in it; /,
    ];
    expect(faults).toEqual(expected.map((each) => expect.stringMatching(each)));
  });

  it('with ignoreErrors stop nothing', () => {
    write('a.yaml', prefixed('a', 'envRef: ABSENT', '  ignoreErrors: true'));
    write('b.yaml', store('b'));
    const loaded = load();
    expect(prefixesOf(loaded)).toEqual({ b: 'lock||app||' });
    expect(loaded.notes).toEqual([
      { level: 'warn', text: expect.stringMatching(/ABSENT.* \(not loaded, as spec\.ignoreErrors allows\)$/) },
    ]);
  });
});

describe('a value', () => {
  it('is lower-cased, templates and all', () => {
    write('a.yaml', prefixed('a', 'value: "Team-{namespace}"'));
    expect(prefixesOf(load())).toEqual({ a: 'lock||team-prod.app||' });
  });

  it('may name the pod', () => {
    write('a.yaml', prefixed('a', 'value: "{podName}"'));
    expect(prefixesOf(load({ POD_NAME: 'pod-7' }))).toEqual({ a: 'lock||pod-7||' });
    expect(faultsOf({ POD_NAME: '' })).toEqual([
      expect.stringContaining('a.yaml:7: spec.metadata[0].value: has the template'),
    ]);
  });

  it('with {uuid} is another one at each start, and the log warns', () => {
    write('a.yaml', prefixed('a', 'value: "{uuid}"'));
    const [first, second] = [load(), load()];
    expect(prefixesOf(first).a).toMatch(/^lock\|\|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\|\|$/);
    expect(prefixesOf(first).a).not.toBe(prefixesOf(second).a);
    expect(first.notes).toEqual([{ level: 'warn', text: expect.stringContaining('{uuid}') }]);
  });

  it('comes from the environment', () => {
    write('a.yaml', prefixed('a', 'envRef: LOCKS'));
    expect(prefixesOf(load({ LOCKS: 'None' }))).toEqual({ a: 'lock||' });
    expect(faultsOf({ LOCKS: '' })).toEqual([expect.stringContaining('"LOCKS", which is not set')]);
  });

  it.each(['ACCESS_KEYS', 'DATABASE_URL', 'JWT_SECRET', 'DAPR_API_TOKEN', 'DAPR_X', 'APP_API_TOKEN', 'cms_users'])(
    'cannot be the secret variable %s',
    (variable) => {
      write('a.yaml', prefixed('a', `envRef: ${variable}`));
      write('b.yaml', prefixed('b', `secretKeyRef: {name: ${variable}}`));
      const faults = faultsOf({ [variable]: 'hush-hush' });
      expect(faults).toHaveLength(2);
      for (const fault of faults) expect(fault).toContain('which components may not read');
      expect(faults.join()).not.toContain('hush-hush');
    },
  );
});

describe('a secret', () => {
  const secretFile = (content: string, ...options: string[]): string => {
    const path = JSON.stringify(write('secrets.json', content));
    return component(
      'vault',
      'secretstores.local.file',
      '  metadata:',
      `  - {name: secretsFile, value: ${path}}`,
      ...options,
    );
  };
  const using = (reference: string): string =>
    prefixed('a', `secretKeyRef: {${reference}}`, 'auth: {secretStore: vault}');

  it.each(['name: LOCKS', 'name: LOCKS, key: LOCKS', 'name: LOCKS, key: ""'])(
    'without a secret store is an environment variable: %s',
    (reference) => {
      write('a.yaml', prefixed('a', `secretKeyRef: {${reference}}`));
      expect(prefixesOf(load({ LOCKS: 'x' }))).toEqual({ a: 'lock||x||' });
    },
  );

  it('of the environment has no key of its own', () => {
    write('a.yaml', prefixed('a', 'secretKeyRef: {name: LOCKS, key: OTHER}'));
    expect(faultsOf({ LOCKS: 'x', OTHER: 'y' })).toEqual([
      expect.stringContaining(
        'a.yaml:7: spec.metadata[0].secretKeyRef: has the key "OTHER"; expected none, or the name',
      ),
    ]);
  });

  it('comes from the environment’s secret store, behind its prefix', () => {
    const options = ['  metadata:', '  - {name: Prefix, value: MY_}'];
    write('a.yaml', `${using('name: LOCKS')}---\n${component('vault', 'secretstores.local.env', ...options)}`);
    expect(prefixesOf(load({ MY_LOCKS: 'mine', LOCKS: 'other' }))).toEqual({ a: 'lock||mine||' });
  });

  it.each([
    ['name: plain', 'one'],
    ['name: plain, key: plain', 'one'],
    ['name: "group:inner"', 'two'],
    ['name: "group:deep:er"', '3'],
    ['name: "group:list:1"', 'true'],
  ])('comes from a file of secrets: %s', (reference, value) => {
    const secrets = { plain: 'one', group: { inner: 'two', deep: { er: 3 }, list: [null, true] } };
    write('a.yaml', `${secretFile(JSON.stringify(secrets))}---\n${using(reference)}`);
    expect(prefixesOf(load())).toEqual({ a: `lock||${value}||` });
  });

  it('has the separator that its store names', () => {
    const text = secretFile('{"a": {"b": "x"}}', '  - {name: nestedSeparator, value: .}');
    write('a.yaml', `${text}---\n${using('name: a.b')}`);
    expect(prefixesOf(load())).toEqual({ a: 'lock||x||' });
  });

  it.each([
    ['name: group, key: inner', 'two'],
    ['name: group, key: "deep:er"', 'three'],
    ['name: plain', 'one'],
  ])('has keys in a store of several values each: %s', (reference, value) => {
    const secrets = { plain: 'one', group: { inner: 'two', deep: { er: 'three' } } };
    const text = secretFile(JSON.stringify(secrets), '  - {name: multiValued, value: true}');
    write('a.yaml', `${text}---\n${using(reference)}`);
    expect(prefixesOf(load())).toEqual({ a: `lock||${value}||` });
  });

  it.each([
    ['{"a": ""}', 'name: a', 'needs the secret "a", which'],
    ['{"a": null}', 'name: a', 'needs the secret "a", which'],
    ['{"a": {"b": "x"}}', 'name: a', 'needs the secret "a", which'],
    ['{"a": "x"}', 'name: __proto__', 'needs the secret "__proto__", which'],
    ['{"a": "x"}', 'name: a, key: b', 'needs the secret "a" with key "b", which'],
    ['{"a": "hush-hush",}', 'name: a', 'which is no JSON; expected a JSON object'],
    ['["x"]', 'name: a', 'needs the secret "a", which'],
    ['{"a": "x||hush-hush"}', 'name: a', 'the prefix has "||" in it'],
  ])('that %s has not as %s is a fault that shows no secret', (secrets, reference, fault) => {
    write('a.yaml', `${secretFile(secrets)}---\n${using(reference)}`);
    expect(faultsOf()).toEqual([expect.stringContaining(fault)]);
    expect(faultsOf()[0]).toMatch(/^a\.yaml:\d+: spec\.metadata\[0\]\.secretKeyRef: /);
    expect(faultsOf().join()).not.toContain('hush-hush');
  });

  it.each([
    ['no component', '', 'needs the secret store "vault"; expected a component of that name'],
    [
      'one of another kind',
      component('vault', 'secretstores.hashicorp.vault'),
      'whose type is secretstores.hashicorp.vault; expected',
    ],
    [
      'one for another app',
      component('vault', 'secretstores.local.env', 'scopes: [other]'),
      'expected a component of that name',
    ],
    [
      'two',
      `${component('vault', 'secretstores.local.env')}---\n${component('vault', 'secretstores.local.env')}`,
      'both describe',
    ],
    ['one without a file', component('vault', 'secretstores.local.file'), 'which has no secretsFile; expected a path'],
    [
      'one whose file is missing',
      component('vault', 'secretstores.local.file', '  metadata: [{name: secretsFile, value: /nowhere.json}]'),
      'needs /nowhere.json, which cannot be read (ENOENT)',
    ],
  ])('whose store is %s is a fault', (_, vault, fault) => {
    write('a.yaml', `${using('name: LOCKS')}${vault ? `---\n${vault}` : ''}`);
    expect(faultsOf({ LOCKS: 'x' })).toEqual([expect.stringContaining(fault)]);
  });

  it('that nobody refers to is not looked for', () => {
    write('a.yaml', `${store('a')}---\n${component('vault', 'secretstores.local.file', '  anything: 1')}`);
    expect(prefixesOf(load())).toEqual({ a: 'lock||app||' });
  });
});

describe('the examples', () => {
  it('have the store that Dapr’s own examples call', () => {
    const { stores, notes } = loadLockStores(
      { appId: 'latchkey', namespace: undefined, lockComponentsDir: join(EXAMPLES, 'components') },
      {},
    );
    expect(stores.all).toEqual([
      { name: 'redisStore', type: 'lock.postgres', version: 'v1', prefix: 'lock||latchkey||' },
    ]);
    expect(notes).toEqual([]);
  });

  it('have one store for each way to prefix keys', () => {
    const { stores, notes } = loadLockStores(
      { appId: 'latchkey', namespace: undefined, lockComponentsDir: join(EXAMPLES, 'lock-stores') },
      {},
    );
    expect(stores.all.map(({ name, prefix }) => [name, prefix])).toEqual([
      ['own', 'lock||latchkey||'],
      ['global', 'lock||'],
      ['orders', 'lock||shop-orders||'],
    ]);
    expect(notes).toEqual([{ level: 'warn', text: expect.stringContaining('lock.redis') }]);
  });
});
