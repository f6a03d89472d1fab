import { PURGE_DELETED } from '../../src/key-value/history-purge.sql';
import { MAKE_ROOM } from '../../src/transfer/transfer.sql';
import { SideTransaction } from '../support/side-transaction';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';
import { putAll, removeAll } from '../key-value/stored-key-values';
import { databaseUrlOf, fileWith, kv, KvCommand, type Outcome } from './kv-command';

let app: TestApp;
let env: Record<string, string>;

beforeAll(async () => {
  app = await startApp();
  env = { DATABASE_URL: await databaseUrlOf(app) };
});
afterAll(() => app.close());
beforeEach(() => removeAll(app));

const run = (...args: string[]): Promise<Outcome> => kv(env, ...args);
const importSet = (items: unknown[], ...args: string[]): Promise<Outcome> =>
  run('import', fileWith({ items }), ...args);
const many = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    key: `app/${String(i).padStart(6, '0')}`,
    value: `v${i}`,
    tags: { n: `${i}` },
  }));
const revisionCount = async (): Promise<number> =>
  (await app.sql<{ n: number }>('SELECT count(*)::int AS n FROM key_value_revision'))[0]!.n;
const rowCount = async (): Promise<number> =>
  (await app.sql<{ n: number }>('SELECT count(*)::int AS n FROM key_value'))[0]!.n;

describe('kv import', () => {
  it('makes what the API then serves, labels and tags included', async () => {
    const item = {
      key: 'app/a',
      label: 'dev',
      value: 'Ä\u0000\u0001',
      content_type: 'text/plain',
      tags: { team: 'blue', none: null },
    };
    const { code, stdout, complaints } = await importSet([item, { key: 'app/b', value: null }]);
    expect({ code, stdout, complaints }).toEqual({
      code: 0,
      stdout: '2 added, 0 changed, 0 deleted, 0 unchanged\n',
      complaints: '',
    });
    const { json } = await app.azure.get('/kv/app/a?label=dev');
    expect(json).toMatchObject({ ...item, locked: false });
    expect((await app.azure.get('/kv/app/b')).json).toMatchObject({
      value: null,
      label: null,
      tags: {},
      content_type: null,
    });
  });

  it('holds what was deleted long ago against the purge, until it has written it', async () => {
    await putAll(app, [{ key: 'gone' }]);
    await app.azure.delete('/kv/gone');
    await app.sql(`UPDATE key_value SET last_modified = clock_timestamp() - interval '100 days'`);
    const started = await SideTransaction.begin(app, MAKE_ROOM, [['gone'], ['']]);
    const [purged] = await app.sql<{ count: string }>(PURGE_DELETED.text, [30]);
    expect(purged!.count).toBe('0');
    await started.end('ROLLBACK');
    expect(await rowCount()).toBe(1);
  });

  it('makes one revision per change, as a put does, and says who', async () => {
    await putAll(app, [{ key: 'a' }, { key: 'b' }, { key: 'same' }]);
    await importSet([{ key: 'a', value: 'new' }, { key: 'c' }, { key: 'same', value: 'v' }]);
    const rows = await app.sql<Record<string, string>>(
      `SELECT r.key, r.actor, r.etag = k.etag AND r.revision = k.revision AND r.last_modified = k.last_modified
                AND r.value IS NOT DISTINCT FROM k.value AS current, r.request_id
         FROM key_value_revision r JOIN key_value k USING (key, label) WHERE r.actor LIKE 'import:_%' ORDER BY r.key`,
    );
    expect(rows.map(({ key, current }) => [key, current])).toEqual([
      ['a', true],
      ['c', true],
    ]);
    expect(new Set(rows.map(({ request_id: id }) => id)).size).toBe(1);
    expect((await app.azure.get('/revisions?key=a')).json.items.map(({ value }: { value: string }) => value)).toEqual([
      'new',
      'v',
    ]);
  });

  it('changes nothing when it is run again', async () => {
    const file = fileWith({ items: many(50) });
    await run('import', file);
    const { code, stdout } = await run('import', file);
    expect([code, stdout]).toEqual([0, '0 added, 0 changed, 0 deleted, 50 unchanged\n']);
    expect(await revisionCount()).toBe(50);
  });

  it('brings back what was deleted, with a later time and revision', async () => {
    await putAll(app, [{ key: 'a' }]);
    await app.azure.delete('/kv/a');
    expect((await importSet([{ key: 'a', value: 'again' }])).stdout).toMatch(/^1 added/);
    const rows = await app.sql<{ later: boolean; deleted: boolean }>(
      `SELECT deleted, last_modified > lag(last_modified) OVER (ORDER BY revision) AS later FROM key_value_revision ORDER BY revision`,
    );
    expect(rows.map(({ later, deleted }) => [later, deleted])).toEqual([
      [null, false],
      [true, true],
      [true, false],
    ]);
  });

  it('names one bad row in a thousand, changes nothing and exits 2', async () => {
    const items: { key: string; value: string; tags: Record<string, string> }[] = many(1000);
    items[666]!.tags = { 'bad\u0007name': 'x' };
    const file = fileWith({ items });
    const { code, stdout, stderr } = await run('import', file);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toBe(
      `kv: ${file}: row 667 (key "app/000666"), tags[bad\\u0007name].key: ` +
        'a tag name is 1 to 256 characters without control characters\n',
    );
    expect([await rowCount(), await revisionCount()]).toEqual([0, 0]);
  });

  it('reads nested JSON, YAML and properties from files and stdin', async () => {
    await run('import', fileWith({ db: { host: 'h', ports: [1, 2] } }), '--prefix', 'app:', '--label', 'dev');
    await run('import', fileWith('log:\n  level: info\n', 'yaml'), '--separator', '/');
    await new KvCommand(env, ['import', '-', '--format', 'properties', '--content-type', 'text/x'], 'a.b = c\n')
      .outcome;
    const { json } = await app.azure.get('/kv');
    expect(json.items.map((i: Record<string, string>) => [i.key, i.label, i.value, i.content_type])).toEqual([
      ['a.b', null, 'c', 'text/x'],
      ['app:db:host', 'dev', 'h', null],
      ['app:db:ports:0', 'dev', '1', null],
      ['app:db:ports:1', 'dev', '2', null],
      ['log/level', null, 'info', null],
    ]);
  });

  it('with add-only leaves what exists', async () => {
    await putAll(app, [{ key: 'a', tags: { t: '1' } }]);
    const { stdout } = await importSet([{ key: 'a', value: 'x' }, { key: 'b' }], '--mode', 'add-only');
    expect(stdout).toBe('1 added, 0 changed, 0 deleted, 0 unchanged, 1 different and left as stored (add-only)\n');
    expect((await app.azure.get('/kv/a')).json).toMatchObject({ value: 'v', tags: { t: '1' } });
  });

  it('shows with --dry-run what it would do, and does not', async () => {
    await putAll(app, [{ key: 'a' }, { key: 'b' }, { key: 'c' }]);
    const file = fileWith({
      items: [
        { key: 'a', value: 'x' },
        { key: 'b', value: 'v' },
        { key: 'd', label: 'l', value: '1' },
      ],
    });
    const { code, stdout } = await run('import', file, '--mode', 'mirror', '--dry-run');
    expect([code, stdout.split('\n')]).toEqual([
      0,
      [
        '+ "d" (label "l")  "1"',
        '~ "a"              value "v" -> "x"',
        '- "c"              "v"',
        '1 to add, 1 to change, 1 to delete, 1 unchanged (dry run: nothing was changed)',
        '',
      ],
    ]);
    expect([await rowCount(), await revisionCount()]).toEqual([3, 3]);
    expect((await run('import', file, '--dry-run', '--exit-code')).code).toBe(5);
    await run('import', file);
    expect((await run('import', file, '--dry-run', '--exit-code')).code).toBe(0);
  });

  it('mirrors within its scope, leaving tombstones as a delete does', async () => {
    await putAll(app, [{ key: 'app/a' }, { key: 'app/b' }, { key: 'app/b', label: 'dev' }, { key: 'other' }]);
    const file = fileWith({ items: [{ key: 'app/a', value: 'v' }] });
    const { code, stdout } = await run(
      'import',
      file,
      '--mode',
      'mirror',
      '--yes',
      '--scope-key',
      'app/*',
      '--scope-label',
      '\\0',
    );
    expect([code, stdout]).toEqual([0, '0 added, 0 changed, 1 deleted, 1 unchanged\n']);
    const { json } = await app.azure.get('/kv');
    expect(json.items.map((i: Record<string, string>) => [i.key, i.label])).toEqual([
      ['app/a', null],
      ['app/b', 'dev'],
      ['other', null],
    ]);
    const [grave] = await app.sql(`SELECT deleted, value, tags FROM key_value_revision ORDER BY revision DESC LIMIT 1`);
    expect(grave).toEqual({ deleted: true, value: null, tags: '{}' });
  });

  it('mirrors of a file without labels only its own label and prefix', async () => {
    await putAll(app, [{ key: 'p:a', label: 'dev' }, { key: 'p:b' }, { key: 'x', label: 'dev' }]);
    const file = fileWith('c=1', 'properties');
    const { stdout } = await run('import', file, '--prefix', 'p:', '--label', 'dev', '--mode', 'mirror', '--yes');
    expect(stdout).toBe('1 added, 0 changed, 1 deleted, 0 unchanged\n');
    expect(((await app.azure.get('/kv')).json.items as { key: string }[]).map(({ key }) => key)).toEqual([
      'p:b',
      'p:c',
      'x',
    ]);
  });

  it('refuses to change or delete what is read-only with 3, and does nothing else either', async () => {
    await putAll(app, [{ key: 'a' }, { key: 'b' }]);
    await app.sql(`UPDATE key_value SET locked = true WHERE key = 'a'`);
    const { code, stderr } = await importSet([{ key: 'a', value: 'x' }, { key: 'c' }]);
    expect([code, stderr]).toEqual([3, expect.stringMatching(/: "a" is read-only \(locked\): unlock it first\n$/)]);
    expect((await importSet([{ key: 'c' }], '--mode', 'mirror', '--yes')).code).toBe(3);
    expect([await rowCount(), await revisionCount()]).toEqual([2, 2]);
    expect((await importSet([{ key: 'a', value: 'v' }, { key: 'c' }])).code).toBe(0);
  });

  it('takes 20,000 rows at once, and tells how far it is', async () => {
    const { code, stdout, stderr } = await importSet(many(20_000));
    expect([code, stdout]).toEqual([0, '20000 added, 0 changed, 0 deleted, 0 unchanged\n']);
    expect(stderr).toMatch(/^kv: compared 1000 of 20000\n(kv: .*\n)*kv: written 20000 of 20000\n$/);
    expect(await revisionCount()).toBe(20_000);
    // What an instant in the past shows may only change for seconds.
    const [spread] = await app.sql<{ ms: number }>(
      `SELECT extract(epoch FROM max(last_modified) - min(last_modified))::float8 * 1000 AS ms FROM key_value`,
    );
    expect(spread!.ms).toBeLessThan(5000);
  });

  it('leaves nothing when it is killed with everything written', async () => {
    await putAll(app, [{ key: 'app/000000', value: 'before' }]);
    await app.sql('BEGIN');
    // The last statement waits here, behind every other one.
    await app.sql('LOCK TABLE key_value_revision IN SHARE MODE');
    const command = new KvCommand(env, ['import', fileWith({ items: many(3000) })]);
    // The table has the same number in the databases of other spec files, which are copies of the same one.
    const waiting = async (): Promise<boolean> =>
      (
        await app.sql(
          `SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database
            WHERE NOT granted AND relation = 'key_value_revision'::regclass AND datname = current_database()`,
        )
      ).length === 1;
    await waitFor(waiting, 60_000);
    command.kill();
    expect((await command.outcome).code).toBe('SIGKILL');
    await waitFor(async () => !(await waiting()));
    await app.sql('COMMIT');
    expect([await rowCount(), await revisionCount()]).toEqual([1, 1]);
    expect((await app.azure.get('/kv/app/000000')).json).toMatchObject({ value: 'before' });
  });

  it('works several times at once on the same keys, also while they are put', async () => {
    const items = many(300);
    const files = [0, 1, 2].map((n) => {
      const own = items.map((item) => ({ ...item, value: `import ${n}` }));
      return fileWith({ items: n === 1 ? own.reverse() : own });
    });
    const puts = items.slice(0, 60).map(({ key }) => ({ key, value: 'put' }));
    const [, ...outcomes] = await Promise.all([putAll(app, puts), ...files.map((file) => run('import', file))]);
    expect(outcomes.map(({ code, complaints }) => [code, complaints])).toEqual(outcomes.map(() => [0, '']));
    const broken = await app.sql(
      `SELECT key FROM (SELECT key, last_modified <= lag(last_modified) OVER (PARTITION BY key ORDER BY revision) AS back
                          FROM key_value_revision) r WHERE back
       UNION ALL SELECT k.key FROM key_value k WHERE NOT EXISTS
         (SELECT FROM key_value_revision r WHERE r.revision = k.revision AND r.etag = k.etag AND r.value = k.value)`,
    );
    expect(broken).toEqual([]);
    const left = await app.sql<{ value: string }>(`SELECT DISTINCT value FROM key_value WHERE key > 'app/000059'`);
    expect(left).toHaveLength(1);
  });

  it.each([
    [[], /missing required argument 'file'/],
    [['/nowhere/x.json'], /^kv: \/nowhere\/x\.json cannot be read: ENOENT/],
    [['x.txt'], /^kv: x\.txt: its name does not tell the format: say --format/],
    [['x.json', '--mode', 'replace'], /Allowed choices are add-only, upsert, mirror/],
    [['-', '--format', 'kvset', '--nonsense'], /unknown option '--nonsense'/],
  ])('exits 2 for the arguments %j', async (args, reason) => {
    const { code, stdout, stderr } = await run('import', ...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(reason);
  });

  it('exits 2 for a mirror without --yes and for a row outside its scope', async () => {
    await putAll(app, [{ key: 'a' }]);
    expect(await importSet([], '--mode', 'mirror')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/say --yes/),
    });
    const { code, stderr } = await importSet([{ key: 'b' }], '--mode', 'mirror', '--yes', '--scope-key', 'app/*');
    expect([code, stderr]).toEqual([2, expect.stringMatching(/row 1 \(key "b"\), key and label: outside the scope/)]);
    expect(await revisionCount()).toBe(1);
  });

  it('exits 1 when the database cannot be reached, without its password', async () => {
    const { code, stderr } = await kv(
      { DATABASE_URL: 'postgres://u:secret@127.0.0.1:1/x' },
      'import',
      fileWith({ items: [] }),
    );
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^kv: the database postgres:\/\/u@127\.0\.0\.1:1\/x cannot be reached: .+\n$/),
    ]);
    expect(stderr).not.toContain('secret');
  });
});

describe('kv export', () => {
  it('gives back what was imported, in every format', async () => {
    await putAll(app, [
      { key: 'a:b', value: '1', tags: { x: 'y' }, content_type: 't' },
      { key: 'a:c:0', value: 'é' },
      { key: 'a:b', label: 'dev', value: 'dev' },
    ]);
    const kvset = await run('export');
    expect(JSON.parse(kvset.stdout).items).toHaveLength(3);
    await removeAll(app);
    expect((await run('import', fileWith(kvset.stdout))).stdout).toMatch(/^3 added/);
    expect((await run('export')).stdout).toBe(kvset.stdout);
    expect((await run('export', '--format', 'json')).stdout).toBe(
      '{\n  "a": {\n    "b": "1",\n    "c": [\n      "é"\n    ]\n  }\n}\n',
    );
    expect((await run('export', '--format', 'yaml', '--label', 'dev')).stdout).toBe('a:\n  b: dev\n');
    expect((await run('export', '--format', 'properties', '--prefix', 'a:')).stdout).toBe('b=1\nc\\:0=\\u00e9\n');
    expect((await run('export', '--key', 'a:c*', '--format', 'kvset-yaml')).stdout).toBe(
      'items:\n  - key: a:c:0\n    label: null\n    value: é\n    content_type: null\n    tags: {}\n    description: null\n',
    );
  });

  it('exits 2 for keys that cannot be nested', async () => {
    await putAll(app, [{ key: 'a' }, { key: 'a:b' }]);
    const { code, stdout, stderr } = await run('export', '--format', 'json');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^kv: the key "a" is a value and the beginning of "a:b", which cannot be nested/);
  });
});
