import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GrpcClient } from '../support/grpc-client';
import { newDataDir, ServiceProcess } from '../support/service-process';
import { waitFor } from '../support/wait-for';

const EXAMPLES = join(__dirname, '../../examples');
const PAGE = readFileSync(join(__dirname, '../../docs/lock-stores.md'), 'utf8');

let dataDir: string;
let folder: string;
beforeEach(() => {
  dataDir = newDataDir();
  folder = mkdtempSync(join(tmpdir(), 'latchkey-components-'));
});
afterEach(() => {
  rmSync(dataDir, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});

const component = (name: string, keyPrefix: string, type = 'lock.postgres'): string =>
  `apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: ${name}\nspec:\n  type: ${type}\n  version: v1\n` +
  `  metadata:\n    - name: keyPrefix\n      value: "${keyPrefix}"\n`;

/** Each call on a connection of its own, so that workers take turns. */
async function post(service: ServiceProcess, path: string, body: object): Promise<{ status: number; body: string }> {
  const headers = { 'content-type': 'application/json', connection: 'close' };
  const answer = await fetch(service.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.text() };
}

const lock = (service: ServiceProcess, store: string, owner: string, resource = 'r'): ReturnType<typeof post> =>
  post(service, `/v1.0-alpha1/lock/${store}`, { resourceId: resource, lockOwner: owner, expiryInSeconds: 3600 });
const TAKEN = { status: 200, body: '{"success":true}' };
const REFUSED = { status: 200, body: '{"success":false}' };

const commandOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It has just ended.
    return '';
  }
};
/** The database is a child as well, under another name. */
const workersOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter((child) => commandOf(child).includes('main.js'))
    .map(Number);

/** Runs `use` with a service; it is stopped whatever happens. */
async function withService(
  env: Record<string, string>,
  use: (service: ServiceProcess) => Promise<void>,
): Promise<void> {
  const service = await ServiceProcess.start({ DATA_DIR: dataDir, ...env });
  try {
    await use(service);
  } finally {
    await service.stop();
  }
}

describe('a service with component files', () => {
  it('answers the requests of Dapr’s own examples', () =>
    withService({ LOCK_COMPONENTS_DIR: join(EXAMPLES, 'components') }, async (service) => {
      const holder = { resourceId: 'lock1', lockOwner: 'vader' };
      const locked = await post(service, '/v1.0-alpha/lock/redisStore', { ...holder, expiryInSeconds: 60 });
      expect(locked).toEqual(TAKEN);
      expect(await post(service, '/v1.0-alpha/unlock/redisStore', holder)).toEqual({
        status: 200,
        body: '{"status":0}',
      });
      // Files stand in for the default store.
      expect((await lock(service, 'lockstore', 'vader')).body).toContain('ERR_LOCK_STORE_NOT_FOUND');
    }));

  it('offers the stores over gRPC too, and one lock to stores that share a prefix', async () => {
    writeFileSync(join(folder, 'a.yaml'), `${component('one', 'Shared')}---\n${component('two', 'shared')}`);
    writeFileSync(join(folder, 'b.yaml'), component('other', 'name'));
    await withService({ LOCK_COMPONENTS_DIR: folder }, async (service) => {
      const grpc = new GrpcClient(service.grpcPort);
      try {
        const granted = async (store: string): Promise<unknown> =>
          (await grpc.tryLock('r', 'me', 60, store)).answer?.['success'];
        expect([await granted('one'), await granted('two'), await granted('other')]).toEqual([true, false, true]);
      } finally {
        grpc.close();
      }
    });
  });

  it('that describe no lock store has none', async () => {
    writeFileSync(join(folder, 'state.yaml'), component('state', 'none', 'state.redis'));
    await withService({ LOCK_COMPONENTS_DIR: folder }, async (service) => {
      const { status, body } = await lock(service, 'lockstore', 'me');
      expect([status, body]).toEqual([
        500,
        '{"errorCode":"ERR_LOCK_STORE_NOT_CONFIGURED","message":"lock store is not configured"}',
      ]);
      await waitFor(() => service.stderr.includes('describes no lock store'));
      expect(service.stderr).toContain('is no lock store; ignored');
    });
  });

  it('has the same stores in all its workers, whatever becomes of the files', async () => {
    writeFileSync(join(folder, 'a.yaml'), component('store', '{uuid}'));
    await withService({ LOCK_COMPONENTS_DIR: folder, WORKERS: '2' }, async (service) => {
      expect(await lock(service, 'store', 'first')).toEqual(TAKEN);
      const others = await Promise.all(
        Array.from({ length: 20 }, (_, index) => lock(service, 'store', `other-${index}`)),
      );
      expect(others).toEqual(others.map(() => REFUSED));

      writeFileSync(join(folder, 'a.yaml'), component('store', 'none'));
      const workers = workersOf(service.pid);
      for (const pid of workers) process.kill(pid, 'SIGKILL');
      const isAnew = (pid: number): boolean => !workers.includes(pid);
      await waitFor(() => workersOf(service.pid).filter(isAnew).length === 2);
      await waitFor(() => service.ready());
      const again = await Promise.all(
        Array.from({ length: 20 }, (_, index) => lock(service, 'store', `again-${index}`)),
      );
      expect(again).toEqual(again.map(() => REFUSED));
    });
  });
});

describe('without component files', () => {
  it('there is the store lockstore', () =>
    withService({}, async (service) => {
      expect(await lock(service, 'lockstore', 'me')).toEqual(TAKEN);
    }));
});

describe('component files with faults', () => {
  it.each(['1', '2'])(
    'stop the start with exit code 78 and one line each, before anything else (WORKERS=%s)',
    async (workers) => {
      writeFileSync(join(folder, 'a.yaml'), `${component('a', 'none', 'lock.redis')}---\nkind: [`);
      writeFileSync(join(folder, 'b.yaml'), component('b', 'x||y'));
      const service = new ServiceProcess({ DATA_DIR: dataDir, LOCK_COMPONENTS_DIR: folder, WORKERS: workers });
      expect(await service.exit()).toBe(78);
      expect(service.stderr.trim().split('\n')).toEqual([
        expect.stringContaining(`latchkey: ${folder}/a.yaml:6: spec.type: is "lock.redis"; expected lock.postgres`),
        expect.stringContaining(`latchkey: ${folder}/a.yaml:12: is no YAML: `),
        expect.stringContaining(`latchkey: ${folder}/b.yaml:10: spec.metadata[0].value: the prefix has "||" in it`),
      ]);
      expect(service.stdout).toBe('');
      expect(readdirSync(dataDir)).toEqual([]);
    },
  );
});

describe('docs/lock-stores.md', () => {
  it('shows the examples as they are', () => {
    const shownFiles = [...PAGE.matchAll(/`(examples\/[\w./-]+\.yaml)`:\n\n```yaml\n([\s\S]*?)```/g)];
    expect(shownFiles.map(([, path]) => path)).toEqual([
      'examples/components/redisStore.yaml',
      'examples/lock-stores/lock-stores.yaml',
    ]);
    for (const [, path, text] of shownFiles) expect(text).toBe(readFileSync(join(EXAMPLES, '..', path!), 'utf8'));
  });

  it('shows the line that lock.redis is refused with', async () => {
    const text = component('old', 'none', 'lock.redis');
    writeFileSync(join(folder, 'locks.yaml'), text);
    const service = new ServiceProcess({ DATA_DIR: dataDir, LOCK_COMPONENTS_DIR: folder });
    await service.exit();
    expect(PAGE).toContain(service.stderr.trim().replace(`${folder}/`, 'components/'));
  });
});
