import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { loadSettings } from '../../src/config/load-settings';
import { type Settings } from '../../src/config/settings';

const REPOSITORY = join(__dirname, '../..');
const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');

interface ComposeService {
  environment: Record<string, string>;
  secrets: string[];
  ports?: string[];
  healthcheck: { test: string[] };
}
const compose = parse(read('docker-compose.yml')) as {
  services: { latchkey: ComposeService; postgres: ComposeService & { image: string } };
  secrets: Record<string, { file: string }>;
};
const { latchkey, postgres } = compose.services;

/** Stands for the folder of docker-compose.yml; its secrets are made with the commands that the manual shows. */
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-compose-'));
  const commands = /```sh\n([\s\S]+?)```/.exec(read('docs/operations.md'))![1]!;
  execFileSync('sh', ['-euc', commands], { cwd: folder });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What the container would see, with the files of the host in place of the mounted ones. */
const environmentOf = ({ environment }: ComposeService): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value.replace(/^\/run\/secrets\/(\w+)$/, (_, secret: string) => join(folder, compose.secrets[secret]!.file)),
    ]),
  );

const settings = (): Settings => loadSettings(environmentOf(latchkey), false);

describe('docker-compose.yml', () => {
  it('hands the service an environment without faults', () => {
    expect(settings()).toMatchObject({ host: '0.0.0.0', isLoopback: false, trustedTlsProxy: true });
  });

  it('gives it real credentials, read-write and read-only', () => {
    const { accessKeys, cmsUsers, masterKey } = settings();
    expect(accessKeys!.map(({ id, readOnly }) => [id, readOnly])).toEqual([
      ['app', false],
      ['reader', true],
    ]);
    expect(cmsUsers).toHaveLength(1);
    expect(masterKey).toHaveLength(32);
  });

  it('names the same database, user and password on both sides', () => {
    const url = new URL(settings().databaseUrl!);
    expect(url.hostname).toBe('postgres');
    expect(url.username).toBe(postgres.environment['POSTGRES_USER']);
    expect(url.pathname).toBe(`/${postgres.environment['POSTGRES_DB']}`);
    const passwordFile = environmentOf(postgres)['POSTGRES_PASSWORD_FILE']!;
    expect(url.password).toBe(readFileSync(passwordFile, 'utf8').trimEnd());
  });

  it.each(Object.entries(compose.services))('mounts every secret that %s reads, and no other', (_, service) => {
    const used = Object.values(service.environment)
      .filter((value) => value.startsWith('/run/secrets/'))
      .map((value) => value.slice('/run/secrets/'.length));
    expect([...service.secrets].sort()).toEqual(used.sort());
    for (const secret of used) expect(existsSync(join(folder, compose.secrets[secret]!.file))).toBe(true);
  });

  it('publishes the ports that the service listens on, to this machine only', () => {
    const { port, grpcPort } = settings();
    expect(latchkey.ports).toEqual([port, grpcPort].map((number) => `127.0.0.1:${number}:${number}`));
  });

  it.each([
    [200, 0],
    [503, 1],
  ])('asks /readyz for its health: %i is exit code %i', async (status, exitCode) => {
    const asked: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url);
      response.writeHead(status).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const [kind, command, ...args] = latchkey.healthcheck.test;
      const here = args.map((arg) => arg.replace(`:${settings().port}/`, `:${port}/`));
      const [code] = (await once(spawn(command!, here, { stdio: 'ignore' }), 'exit')) as [number];
      expect([kind, code, asked]).toEqual(['CMD', exitCode, ['/readyz']]);
    } finally {
      server.close();
    }
  });
});

describe('Dockerfile', () => {
  const lines = read('Dockerfile').split('\n');
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));

  it('runs what the build makes, as somebody else than root, with production dependencies only', () => {
    const { start } = (JSON.parse(read('package.json')) as { scripts: { start: string } }).scripts;
    expect(read(/\S+\.mjs/.exec(start)![0])).toContain('dist/src/main.js');
    expect(last).toContain('CMD ["node", "dist/src/main.js"]');
    expect(last).toContain('USER node');
    expect(last.some((line) => line.includes('--from=dependencies'))).toBe(true);
    expect(lines).toContain('RUN npm ci --omit=dev');
  });

  it('copies files that the repository has', () => {
    const sources = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1));
    expect(sources.filter((path) => !existsSync(join(REPOSITORY, path)))).toEqual([]);
  });
});
