import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { startApp } from '../support/start-app';

const REPOSITORY = join(__dirname, '../..');
const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'examples/realistic-configuration/README.md',
  ...readdirSync(join(REPOSITORY, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path}`),
];

describe.each(pages)('%s', (page) => {
  const text = read(page);

  it('links to pages that exist', () => {
    const targets = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => target!);
    const missing = targets.filter((target) => !existsSync(join(REPOSITORY, dirname(page), target)));
    expect(missing).toEqual([]);
  });

  it('names scripts that package.json has', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...text.matchAll(/npm run ([\w:]+)/g)].map(([, script]) => script!);
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
  });
});

describe('the program in README.md', () => {
  it('runs and prints what it stored', async () => {
    const app = await startApp();
    try {
      const program = /```js\n([\s\S]+?)```/.exec(read('README.md'))![1]!;
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
        cwd: REPOSITORY,
        env: { ...process.env, APPCONFIG_CONNECTION_STRING: app.connectionString },
      });
      expect(stdout).toBe('hello\napp/greeting (dev) = hello\n');
    } finally {
      await app.close();
    }
  });
});
