import fc from 'fast-check';
import { type ComponentFile, parseComponentFile } from './component-file.js';

const STORE = `apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: store
spec:
  type: lock.postgres
  version: v1
`;
const read = (text: string, namespace?: string): ComponentFile =>
  parseComponentFile(text, 'dir/locks.yaml', { appId: 'app', namespace });
const faultsOf = (text: string): readonly string[] => read(text).faults;
/** The store with a line replaced. */
const withLine = (line: string, replacement: string): string => {
  expect(STORE).toContain(`${line}\n`);
  return STORE.replace(`${line}\n`, replacement === '' ? '' : `${replacement}\n`);
};
const withSpec = (...lines: string[]): string => STORE + lines.map((line) => `  ${line}\n`).join('');

describe('a component file', () => {
  it('describes a lock store', () => {
    const { locks, faults, notes } = read(STORE);
    expect([faults, notes]).toEqual([[], []]);
    expect(locks).toEqual([
      {
        place: 'dir/locks.yaml:1',
        name: 'store',
        type: 'lock.postgres',
        version: 'v1',
        ignoresErrors: false,
        secretStore: undefined,
        keyPrefix: undefined,
      },
    ]);
  });

  it('may have several documents, and empty ones between them', () => {
    const text = `---\n# licence\n---\n${STORE}---\n---\n${STORE.replace('name: store', 'name: other')}---\n`;
    const { locks, faults } = read(text);
    expect(faults).toEqual([]);
    expect(locks.map(({ name, place }) => [name, place])).toEqual([
      ['store', 'dir/locks.yaml:4'],
      ['other', 'dir/locks.yaml:13'],
    ]);
  });

  it('may be JSON, and have Kubernetes’ own metadata and anchors', () => {
    const text =
      '{"apiVersion": "dapr.io/v1alpha1", "kind": "Component", "metadata": {"name": &n "store", "labels": {"a": "b"}, "uid": 1},' +
      '"spec": {"type": "lock.postgres", "version": "v1", "metadata": [{"name": "keyPrefix", "value": *n}]}}';
    const { locks, faults } = read(text);
    expect(faults).toEqual([]);
    expect(locks[0]!.keyPrefix!.source).toEqual({ kind: 'text', text: 'store' });
  });

  it.each(['lock.postgres', 'Lock.Postgres', 'LOCK.POSTGRES'])('takes the type %s, and keeps it as written', (type) => {
    expect(read(STORE.replace('lock.postgres', type)).locks[0]!.type).toBe(type);
  });

  it.each(['v1', 'V1', 'v0', '""', ''])('counts version %s as the first one', (version) => {
    expect(faultsOf(withLine('  version: v1', `  version: ${version}`))).toEqual([]);
  });

  it.each(['5s', '1m30s', '1.5h', '.5s', '500ms', '10us', '10µs', '0', '+5s', '""', ''])(
    'takes the timeout %s',
    (timeout) => expect(faultsOf(withSpec(`initTimeout: ${timeout === '0' ? '"0"' : timeout}`))).toEqual([]),
  );

  it.each(['5', '5 s', 'soon', '-5s', 's', '5d', '.s', '1.2.3s'])('refuses the timeout %j', (timeout) => {
    expect(faultsOf(withSpec(`initTimeout: ${JSON.stringify(timeout)}`))).toEqual([
      `dir/locks.yaml:8: spec.initTimeout: is ${JSON.stringify(timeout)}; expected a duration such as 5s or 500ms`,
    ]);
  });
});

describe('a metadata item', () => {
  const item = (...lines: string[]): ComponentFile => read(withSpec('metadata:', ...lines));

  it.each([
    ['orders', 'orders'],
    ['"or\\u0000ders"', 'or\u0000ders'],
    ['007', '007'],
    ['1e3', '1e3'],
    ['0x1F', '0x1F'],
    ['true', 'true'],
    ['~', ''],
    ['', ''],
    ['>\n      folded\n      text', 'folded text\n'],
  ])('has the value %j as the text %j', (written, text) => {
    expect(item('- name: keyPrefix', `  value: ${written}`).locks[0]!.keyPrefix!.source).toEqual({
      kind: 'text',
      text,
    });
  });

  it('is found by its name in any case', () => {
    expect(item('- name: KEYPREFIX', '  value: x').locks[0]!.keyPrefix).toMatchObject({ source: { text: 'x' } });
  });

  it('may come from the environment', () => {
    expect(item('- name: keyPrefix', '  envRef: LOCK_PREFIX').locks[0]!.keyPrefix).toEqual({
      name: 'keyPrefix',
      field: 'spec.metadata[0].envRef',
      place: 'dir/locks.yaml:10',
      source: { kind: 'environment', variable: 'LOCK_PREFIX' },
    });
  });

  it.each([
    ['{name: n, key: k}', { name: 'n', key: 'k' }],
    ['{name: n}', { name: 'n', key: '' }],
  ])('may be the secret %s', (reference, secret) => {
    const { locks } = item('- name: keyPrefix', `  secretKeyRef: ${reference}`, '');
    expect(locks[0]!.keyPrefix!.source).toEqual({ kind: 'secret', ...secret });
  });

  it.each([
    [['- value: x'], '9: spec.metadata[0].name: is missing; expected a text'],
    [['- name: keyPrefix'], '9: spec.metadata[0]: has no value; expected one of value, secretKeyRef and envRef'],
    [
      ['- name: keyPrefix', '  value: x', '  envRef: Y'],
      '9: spec.metadata[0]: has value and envRef; expected one of value, secretKeyRef and envRef',
    ],
    [
      ['- name: redisHost', '  value: x'],
      '9: spec.metadata[0].name: is "redisHost"; expected keyPrefix, the only one that lock.postgres has',
    ],
    [
      ['- {name: keyPrefix, value: x}', '- {name: keyprefix, value: x}'],
      '10: spec.metadata[1].name: is keyPrefix for the second time; expected it once',
    ],
    [['- {name: keyPrefix, value: [x]}'], '9: spec.metadata[0].value: is a list; expected a text'],
    [['- {name: keyPrefix, value: {a: b}}'], '9: spec.metadata[0].value: is a map; expected a text'],
    [['- {name: 5, value: x}'], '9: spec.metadata[0].name: is 5, no text; expected a text (in quotes)'],
    [['- {name: keyPrefix, envRef: }'], '9: spec.metadata[0].envRef: is empty; expected a text'],
    [['- {name: keyPrefix, secretKeyRef: x}'], '9: spec.metadata[0].secretKeyRef: is a scalar; expected a mapping'],
    [['- {name: keyPrefix, secretKeyRef: }'], '9: spec.metadata[0].secretKeyRef: is empty; expected a mapping'],
    [
      ['- {name: keyPrefix, secretKeyRef: {key: k}}'],
      '9: spec.metadata[0].secretKeyRef.name: is missing; expected a text',
    ],
    [
      ['- {name: keyPrefix, secretKeyRef: {name: n, kee: k}}'],
      '9: spec.metadata[0].secretKeyRef.kee: is not known; expected name, key',
    ],
    [
      ['- {name: keyPrefix, value: x, optional: true}'],
      '9: spec.metadata[0].optional: is not known; expected name, value, secretKeyRef, envRef',
    ],
    [['- keyPrefix'], '9: spec.metadata[0]: is no mapping; expected name and value'],
  ])('that reads %j is refused', (lines, fault) => {
    expect(item(...lines).faults).toEqual([`dir/locks.yaml:${fault}`]);
    expect(item(...lines).locks).toEqual([]);
  });
});

describe('a fault names place and field', () => {
  it.each([
    ['apiVersion: dapr.io/v1alpha1', '', '1: apiVersion: is missing; expected a text'],
    ['apiVersion: dapr.io/v1alpha1', 'apiVersion: v1', '1: apiVersion: is "v1"; expected dapr.io/v1alpha1'],
    ['kind: Component', '', '1: kind: is missing; expected a text'],
    ['kind: Component', 'kind: component', '2: kind: is "component"; expected Component'],
    ['kind: Component', 'kind: [Component]', '2: kind: is a list; expected a text'],
    ['  name: store', '  name: ""', '4: metadata.name: is empty; expected a text'],
    ['  name: store', '  name: 12', '4: metadata.name: is 12, no text; expected a text (in quotes)'],
    ['  name: store', '  labels: {}', '4: metadata.name: is missing; expected a text'],
    ['  name: store', '  name: "\\ud800"', '4: metadata.name: has half a surrogate pair; expected well-formed text'],
    ['  name: store', '  name: store\n  namspace: x', '5: metadata.namspace: is not known; expected name, namespace'],
    [
      '  name: store',
      '  name: store\n  namespace: 5',
      '5: metadata.namespace: is 5, no text; expected a text (in quotes)',
    ],
    ['  type: lock.postgres', '', '6: spec.type: is missing; expected a text'],
    ['  type: lock.postgres', '  type: {}', '6: spec.type: is a map; expected a text'],
    ['  version: v1', '', '6: spec.version: is missing; expected v1'],
    ['  version: v1', '  version: v2', '7: spec.version: is "v2"; expected v1'],
    ['  version: v1', '  version: 1', '7: spec.version: is 1, no text; expected a text (in quotes)'],
    ['  version: v1', '  version: v1\n  ignoreErrors: yes', '8: spec.ignoreErrors: is "yes"; expected true or false'],
    ['  version: v1', '  version: v1\n  ignoreErrors: []', '8: spec.ignoreErrors: is a list; expected true or false'],
    ['  version: v1', '  version: v1\n  metadata: {}', '8: spec.metadata: is a map; expected a list'],
    [
      '  version: v1',
      '  version: v1\n  metdata: []',
      '8: spec.metdata: is not known; expected type, version, ignoreErrors, initTimeout, metadata',
    ],
    [
      '  version: v1',
      '  version: v1\nscope: [app]',
      '8: scope: is not known; expected apiVersion, kind, metadata, spec, auth, scopes',
    ],
    ['  version: v1', '  version: v1\nscopes: app', '8: scopes: is a scalar; expected a list'],
    ['  version: v1', '  version: v1\nscopes: [app, 5]', '8: scopes[1]: is 5, no text; expected a text (in quotes)'],
    ['  version: v1', '  version: v1\nauth: kubernetes', '8: auth: is a scalar; expected a mapping'],
    ['  version: v1', '  version: v1\nauth: {store: x}', '8: auth.store: is not known; expected secretStore'],
    ['  version: v1', '  version: v1\nauth: {secretStore: [x]}', '8: auth.secretStore: is a list; expected a text'],
  ])('where %j reads %j', (line, replacement, fault) => {
    expect(faultsOf(withLine(line, replacement))).toEqual([`dir/locks.yaml:${fault}`]);
  });

  it.each(['lock.redis', 'lock.etcd', 'lock', 'LOCK.', 'lock.postgresql'])('for the lock type %s, once', (type) => {
    const text = withLine('  type: lock.postgres', `  type: ${type}\n  metadata:\n    - {name: redisHost, value: x}`);
    expect(faultsOf(text)).toEqual([
      `dir/locks.yaml:6: spec.type: is ${JSON.stringify(type)}; expected lock.postgres (docs/lock-stores.md), or spec.ignoreErrors: true, to start without this store`,
    ]);
  });

  it('where sections are missing', () => {
    expect(faultsOf('kind: Component')).toEqual(['dir/locks.yaml:1: spec: is missing; expected a mapping']);
    expect(faultsOf('kind: Component\nspec:')).toEqual(['dir/locks.yaml:2: spec: is empty; expected a mapping']);
    expect(faultsOf('kind: Component\nspec: []')).toEqual(['dir/locks.yaml:2: spec: is a list; expected a mapping']);
    expect(faultsOf('kind: Component\nspec: {type: lock.postgres, version: v1}\napiVersion: dapr.io/v1alpha1')).toEqual(
      ['dir/locks.yaml:1: metadata: is missing; expected a mapping'],
    );
  });

  it('for every fault of every document', () => {
    const text = `${STORE.replace('v1\n', 'v9\n').replace('dapr.io/v1alpha1', 'x')}---\n${STORE}  extra: 1\n---\n- 1\n`;
    expect(faultsOf(text).map((fault) => fault.split(':').slice(0, 3).join(':'))).toEqual([
      'dir/locks.yaml:1: apiVersion',
      'dir/locks.yaml:7: spec.version',
      'dir/locks.yaml:16: spec.extra',
      'dir/locks.yaml:18: is a list; expected a Dapr component',
    ]);
    expect(read(text).locks).toEqual([]);
  });

  it('on one line, however long or odd the text is', () => {
    const [fault] = faultsOf(withLine('  version: v1', `  version: "v\\n${'x'.repeat(500)}"`));
    expect(fault).not.toContain('\n');
    expect(fault!.length).toBeLessThan(200);
  });
});

describe('what is no YAML', () => {
  it.each([
    ['kind: [', /^dir\/locks\.yaml:1: is no YAML: .* at line 1, column 8$/],
    [`${STORE}---\na: b: c\n`, /^dir\/locks\.yaml:9: is no YAML: .* at line 9/],
    ['a: 1\na: 2\n', /^dir\/locks\.yaml:2: is no YAML: Map keys must be unique/],
    ['a: &x 1\n*x : 2\n1: 3\n', /^dir\/locks\.yaml:3: names "1" twice$/],
    ['a: *nowhere\n', /^dir\/locks\.yaml:1: .*nowhere/],
    ['kind: !secret x\n', /^dir\/locks\.yaml:1: is no YAML: Unresolved tag/],
    ['? [a]\n: b\n', /^dir\/locks\.yaml:1: has a mapping whose key is not a plain text$/],
    ['a: &a [*a]\n', /^dir\/locks\.yaml:1: is too deep, or its aliases make too much of it$/],
    ['['.repeat(60) + ']'.repeat(60), /is too deep/],
    ['['.repeat(60_000) + ']'.repeat(60_000), /^dir\/locks\.yaml:1: /],
  ])('%.40j is a fault with its place', (text, fault) => {
    expect(faultsOf(text)).toEqual([expect.stringMatching(fault)]);
  });

  it('bounds what aliases multiply', () => {
    const level = (name: string, of: string): string => `${name}: &${name} [${Array(10).fill(of).join(', ')}]\n`;
    const text =
      level('a', 'x') +
      ['b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name, index) => level(name, `*${'abcdefg'[index]}`)).join('');
    expect(faultsOf(text)).toEqual([expect.stringContaining('its aliases make too much of it')]);
  });

  it('does not spoil the documents beside it', () => {
    const { locks, faults } = read(`${STORE}---\nkind: !!binary\n  - {\n`);
    expect(faults).toHaveLength(1);
    expect(locks).toHaveLength(1);
  });

  it.each(['', '# only a comment\n', '---\n---\n', '\n\n', 'null'])('%j is an empty file', (text) => {
    expect(faultsOf(text)).toEqual(['dir/locks.yaml: is empty; expected a Dapr component']);
  });
});

describe('ignoreErrors', () => {
  it('leaves a store out that could not be loaded, and says why', () => {
    const text = withLine('  type: lock.postgres', '  type: lock.redis\n  ignoreErrors: true');
    const { locks, faults, notes } = read(text);
    expect([locks, faults]).toEqual([[], []]);
    expect(notes).toEqual([
      {
        level: 'warn',
        text: expect.stringMatching(
          /^dir\/locks\.yaml:6: spec\.type: is "lock\.redis"; .* \(not loaded, as spec\.ignoreErrors allows\)$/,
        ),
      },
    ]);
  });

  it('covers every fault of its own document only', () => {
    const { locks, faults, notes } = read(`${withSpec('ignoreErrors: true', 'extra: 1')}---\n${withSpec('extra: 1')}`);
    expect([locks, faults.length, notes.length]).toEqual([[], 1, 1]);
  });

  it('loads a store that is right', () => {
    expect(read(withSpec('ignoreErrors: true')).locks[0]!.ignoresErrors).toBe(true);
  });
});

describe('a component for others', () => {
  const inNamespace = withLine('  name: store', '  name: store\n  namespace: prod');

  it.each([
    [undefined, true],
    ['prod', true],
    ['test', false],
    ['Prod', false],
  ])('of namespace prod under NAMESPACE %j: loaded %s', (namespace, isLoaded) => {
    const { locks, faults, notes } = read(inNamespace, namespace);
    expect([locks.length === 1, faults]).toEqual([isLoaded, []]);
    expect(notes).toHaveLength(isLoaded ? 0 : 1);
  });

  it('without a namespace is loaded under any', () => {
    expect(read(STORE, 'prod').locks).toHaveLength(1);
  });

  it.each([
    ['[]', true],
    ['', true],
    ['[app]', true],
    ['[other, app]', true],
    ['[other]', false],
    ['[App]', false],
  ])('with scopes %s: loaded %s', (scopes, isLoaded) => {
    const { locks, faults } = read(`${STORE}scopes: ${scopes}\n`);
    expect([locks.length === 1, faults]).toEqual([isLoaded, []]);
  });

  it('is not checked further, and the log says why it is left out', () => {
    const { faults, notes } = read(`${withLine('  type: lock.postgres', '  type: lock.redis')}scopes: [other]\n`);
    expect(faults).toEqual([]);
    expect(notes).toEqual([
      { level: 'info', text: 'dir/locks.yaml:1: lock store "store" is not loaded: scopes do not list APP_ID "app"' },
    ]);
  });
});

describe('what is no lock store', () => {
  it.each([
    [
      STORE.replace('lock.postgres', 'state.redis').replace('version: v1', 'anything: goes'),
      'a component of type "state.redis"',
    ],
    [STORE.replace('lock.postgres', 'pubsub.kafka'), 'a component of type "pubsub.kafka"'],
    [STORE.replace('lock.postgres', 'locksmith.x'), 'a component of type "locksmith.x"'],
    ['kind: Subscription\nspec: 5\n', 'a resource of kind "Subscription"'],
    ['kind: Deployment\n', 'a resource of kind "Deployment"'],
  ])('is noted and left out: %.30j', (text, what) => {
    const { locks, faults, notes } = read(text);
    expect([locks, faults]).toEqual([[], []]);
    expect(notes).toEqual([{ level: 'info', text: expect.stringContaining(what) }]);
  });

  it('is kept when it is a secret store for us', () => {
    const store = STORE.replace('lock.postgres', 'SecretStores.Local.File');
    expect(read(store).secretStores).toMatchObject([{ name: 'store', type: 'secretstores.local.file' }]);
    expect(read(`${store}scopes: [other]\n`).secretStores).toEqual([]);
    // Not ours to check.
    expect(faultsOf(`${store}scopes: other\n`)).toEqual([]);
  });
});

describe('any text whatever', () => {
  const lines = [...STORE.split('\n').slice(0, -1), '---', 'scopes: [app]', '  metadata:', '    - name: keyPrefix'];
  lines.push(
    '      value: x',
    '      secretKeyRef: {name: n}',
    '  ignoreErrors: true',
    'a: &a [*a]',
    '  *a : <<',
    '\t',
    '%YAML 1.1',
  );
  const odd = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom(...lines, '? ', '- ', '!!set', '{', ']', '"', "'", '|', '>-', '...'), { maxLength: 20 })
      .map((all) => all.join('\n')),
    fc.json(),
    // One character of a good file changed.
    fc
      .tuple(fc.nat(STORE.length - 1), fc.string({ unit: 'binary', maxLength: 2 }))
      .map(([at, text]) => STORE.slice(0, at) + text + STORE.slice(at + 1)),
  );

  it('is either read or a fault of one line that names the file', () => {
    fc.assert(
      fc.property(odd, (text) => {
        const { locks, secretStores, notes, faults } = read(text);
        expect(locks.length + secretStores.length + notes.length + faults.length).toBeGreaterThan(0);
        for (const fault of faults) expect(fault).toMatch(/^dir\/locks\.yaml:(\d+:)? [^\n]+$/);
      }),
      { numRuns: 2_000 },
    );
  });
});
