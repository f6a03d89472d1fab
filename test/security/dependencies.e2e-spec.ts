import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const REPOSITORY = join(__dirname, '../..');
interface Component {
  readonly name: string;
  readonly version: string;
  readonly licenses?: unknown[];
}

let folder: string;
let sbomOfNpm: { components: Component[] } | undefined;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-dependencies-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const json = (file: string): unknown => JSON.parse(readFileSync(join(REPOSITORY, file), 'utf8'));

function run(script: string, args: string[] = [], path = process.env['PATH']): { status: number; text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(REPOSITORY, 'scripts', script), ...args], {
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  });
  return { status: status!, text: stdout + stderr };
}

/** An `npm` before the real one, that answers audits as told, and lists what the real one lists, but for the licence of `pg` or it. */
function fakeNpm({ audit, licence = 'MIT', without }: { audit: object; licence?: string; without?: string }): string {
  sbomOfNpm ??= JSON.parse(
    spawnSync('npm', ['sbom', '--sbom-format', 'cyclonedx'], { cwd: REPOSITORY, encoding: 'utf8', maxBuffer: 2 ** 26 })
      .stdout,
  ) as { components: Component[] };
  const components = sbomOfNpm.components
    .filter(({ name }) => name !== without)
    .map((each) => (each.name === 'pg' ? { ...each, licenses: [{ license: { id: licence } }] } : each));
  writeFileSync(join(folder, 'list.json'), JSON.stringify({ ...sbomOfNpm, components }));
  writeFileSync(join(folder, 'audit.json'), JSON.stringify(audit));
  const file = join(folder, 'npm');
  writeFileSync(
    file,
    `#!/bin/sh\ncase "$1" in\nsbom) cat ${folder}/list.json ;;\naudit) cat ${folder}/audit.json ;;\nesac\n`,
  );
  chmodSync(file, 0o755);
  return `${folder}:${process.env['PATH']}`;
}
const found = (high: number, critical: number): object => ({
  metadata: { vulnerabilities: { low: 3, high, critical, total: 3 + high + critical } },
});

describe('npm run sbom', () => {
  it('lists every production dependency as CycloneDX, none of development, all under permissive licences', () => {
    const file = join(folder, 'sbom.json');
    expect(run('sbom.mjs', [file])).toMatchObject({ status: 0 });
    const sbom = JSON.parse(readFileSync(file, 'utf8')) as { bomFormat: string; components: Component[] };
    const { dependencies } = json('package.json') as { dependencies: Record<string, string> };
    const { packages } = json('package-lock.json') as { packages: Record<string, { version: string; dev?: true }> };
    expect(sbom.bomFormat).toBe('CycloneDX');
    const listed = sbom.components.map(({ name, version }) => `${name}@${version}`);
    for (const [name, version] of Object.entries(dependencies)) expect(listed).toContain(`${name}@${version}`);
    const development = ['jest', 'typescript', 'eslint', '@dapr/dapr', '@azure/app-configuration'];
    for (const name of development) {
      const { version, dev } = packages[`node_modules/${name}`]!;
      expect([name, dev]).toEqual([name, true]);
      expect(listed).not.toContain(`${name}@${version}`);
    }
    // Of two copies, one for development; a list that goes by names alone loses the other.
    expect(listed).toContain(`ms@${packages['node_modules/ms']!.version}`);
  });

  it.each([
    ['MIT', 0],
    ['(MIT OR GPL-3.0-only)', 0],
    ['MIT AND Apache-2.0', 0],
    ['MIT AND GPL-3.0-only', 1],
    ['(MIT OR Apache-2.0) AND GPL-3.0-only', 1],
    ['GPL-3.0-only', 1],
    ['SEE LICENSE IN LICENSE.md', 1],
    ['', 1],
  ])('judges the licence %j', (expression, faults) => {
    const url = pathToFileURL(join(REPOSITORY, 'scripts/sbom.mjs')).href;
    const sbom = { components: [{ name: 'some', version: '1.0.0', licenses: [{ expression }] }] };
    const program = `import { licenceFaults } from ${JSON.stringify(url)}; process.exitCode = licenceFaults(${JSON.stringify(sbom)}).length`;
    expect(spawnSync(process.execPath, ['--input-type=module', '-e', program]).status).toBe(faults);
  });

  it('fails for a licence that is not on the list, and names the package', () => {
    const path = fakeNpm({ audit: {}, licence: 'GPL-3.0-only' });
    const outcome = run('sbom.mjs', [join(folder, 'fake.json')], path);
    expect(outcome.status).toBe(1);
    expect(outcome.text).toContain('licence not on the list: pg@8.');
  });

  it('fails when npm leaves out a package that is installed', () => {
    const path = fakeNpm({ audit: {}, without: 'pg' });
    expect(run('sbom.mjs', [join(folder, 'fake.json')], path).text).toContain('does not list 1 of the packages');
  });
});

describe('npm run check:dependencies', () => {
  it.each([
    ['nothing grave', found(0, 0), 0, 'ok: 0 critical, 0 high, 3 in all'],
    ['a high finding', found(1, 0), 1, 'FAILED: 0 critical, 1 high, 4 in all'],
    ['a critical finding', found(0, 2), 1, 'FAILED: 2 critical, 0 high, 5 in all'],
    ['a registry that refuses', { message: '405 Method Not Allowed' }, 0, 'not run: 405 Method Not Allowed'],
  ])('says so of %s', (_what, audit, status, text) => {
    const outcome = run('check-dependencies.mjs', [], fakeNpm({ audit }));
    expect(outcome.status).toBe(status);
    expect(outcome.text).toContain(`audit     ${text}`);
  });

  it('fails for a licence too', () => {
    const path = fakeNpm({ licence: 'GPL-3.0-only', audit: found(0, 0) });
    expect(run('check-dependencies.mjs', [], path)).toMatchObject({ status: 1 });
  });

  it('does not wait for ever', () => {
    const path = fakeNpm({ audit: {} });
    writeFileSync(
      join(folder, 'npm'),
      `#!/bin/sh\ncase "$1" in\nsbom) cat ${folder}/list.json ;;\n*) exec sleep 600 ;;\nesac\n`,
    );
    const outcome = run('check-dependencies.mjs', ['--timeout-seconds', '1'], path);
    expect(outcome).toMatchObject({ status: 0 });
    expect(outcome.text).toContain('audit     not run: the registry gave no answer within 1 s');
  });
});

describe('npm run check', () => {
  /** Every step but the one of the dependencies passes at once. */
  function check(audit: object): { status: number; text: string } {
    const path = fakeNpm({ audit });
    const script = join(REPOSITORY, 'scripts/check-dependencies.mjs');
    const answers = readFileSync(join(folder, 'npm'), 'utf8').replace(
      'case "$1" in',
      `case "$2" in\ncheck:dependencies) shift 3; exec '${process.execPath}' '${script}' "$@" ;;\nesac\ncase "$1" in`,
    );
    writeFileSync(join(folder, 'npm'), answers);
    return run('check.mjs', [], path);
  }

  it('fails for a grave finding', () => {
    const { status, text } = check(found(1, 0));
    expect(status).toBe(1);
    expect(text).toMatch(/^FAILED dependencies /m);
    expect(text).toMatch(/ 1 failed\n$/);
  });

  it('passes without one', () => {
    const { status, text } = check(found(0, 0));
    expect(status).toBe(0);
    expect(text).toMatch(/^ok {5}dependencies /m);
    expect(text).not.toMatch(/^not run audit/m);
  });

  it('names the audit as not run, with the reason, where the registry cannot be asked', () => {
    const { status, text } = check({ message: '405 Method Not Allowed' });
    expect(status).toBe(0);
    expect(text).toMatch(/^ok {5}dependencies /m);
    expect(text).toMatch(/^not run audit +405 Method Not Allowed$/m);
  });
});
