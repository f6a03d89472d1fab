import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startApp, type TestApp } from '../support/start-app';
import { NativeHttp } from './native-http';

const page = readFileSync(join(__dirname, '../../docs/distributed-locks.md'), 'utf8');
/** Each command with the status that the comment before it names. */
const commands = [...page.matchAll(/^```bash\n([\s\S]*?)^```/gm)].flatMap(([, block]) =>
  [...block!.matchAll(/^# (\d{3}): (.*)\n(curl (?:.*\\\n)*.*)/gm)].map(([, status, what, command]) => ({
    what: what!,
    status: status!,
    command: command!,
  })),
);

describe('docs/distributed-locks.md', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp({ CMS_USERS: 'admin:password of admin:manager' })));
  afterAll(() => app.close());

  it('has an example for each call', () => expect(commands).toHaveLength(13));

  it.each(commands)('$status: $what', async ({ command, status }) => {
    const { json } = await new NativeHttp(app.port).get('deploy');
    const shell = command
      .replaceAll('localhost:8080', `127.0.0.1:${app.port}`)
      .replace('curl', `curl -s -w '\\n%{http_code}'`);
    const env = { ...process.env, FENCE: json.fence ?? '', ADMIN_PASSWORD: 'password of admin' };
    const { stdout } = await promisify(execFile)('bash', ['-c', shell], { env, timeout: 20_000 });
    expect(stdout.split('\n').at(-1)).toBe(status);
  });
});
