import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';
import { LockCommand } from './lock-command';

/** The command against the service itself; what the service does not do on purpose is tested with a fake one. */

const TOKEN = 'token-of-the-lock-command';
const PASSWORD = 'correct horse';
let app: TestApp;
let count = 0;
let name: string;

beforeAll(async () => {
  app = await startApp({
    DAPR_API_TOKEN: TOKEN,
    CMS_USERS: `maria:${PASSWORD}:manager,eva:${PASSWORD}:editor`,
  });
});
afterAll(() => app.close());
beforeEach(() => {
  name = `deploy/${++count} ü`;
});

function lock(args: readonly string[], env: Record<string, string> = { DAPR_API_TOKEN: TOKEN }): LockCommand {
  return new LockCommand({ LATCHKEY_URL: `http://127.0.0.1:${app.port}`, ...env }, args);
}

const run = (args: readonly string[], script: string): LockCommand =>
  lock(['run', name, ...args, '--', 'sh', '-c', script]);
const UNTIL_TOLD = 'echo $LATCHKEY_LOCK_FENCE; read code; exit $code';
const isStarted = (command: LockCommand) => waitFor(() => command.stdout !== '');

async function show(): Promise<Record<string, unknown>> {
  const command = lock(['show', name, '-o', 'json']);
  await command.code;
  return JSON.parse(command.stdout) as Record<string, unknown>;
}

describe('the lock command with the service', () => {
  it('holds the lock while the command runs, and not longer', async () => {
    const command = run(['--owner', 'me', '--reason', 'release 7'], UNTIL_TOLD);
    await isStarted(command);
    expect(await show()).toMatchObject({
      resource: name,
      state: 'held',
      owner: 'me',
      fence: command.stdout.trim(),
      ttlMs: 30_000,
      metadata: { command: 'sh', reason: 'release 7' },
    });
    command.type('9\n');
    expect([await command.code, command.stderr]).toEqual([9, '']);
    expect(await show()).toMatchObject({ state: 'free' });
  });

  it('keeps a lock beyond its first lease, and others out', async () => {
    const command = run(['--ttl', '3s'], UNTIL_TOLD);
    await isStarted(command);
    await waitFor(async () => ((await show())['renewals'] as number) >= 4);
    const other = run([], 'echo run');
    expect([await other.code, other.stdout]).toEqual([3, '']);
    command.type('0\n');
    expect(await command.code).toBe(0);
    // Beside attempts to renew that took too long and were repeated.
    expect(command.stderr).toMatch(/^(lock: .* (could not be renewed, trying again for .*|is renewed again)\n)*$/);
  });

  it('gets the lock in its turn, with a higher fence', async () => {
    const first = run([], UNTIL_TOLD);
    await isStarted(first);
    const second = run(['--wait', '1m'], UNTIL_TOLD);
    await waitFor(async () => (await show())['waiters'] === 1);
    first.type('0\n');
    await isStarted(second);
    second.type('0\n');
    expect([await first.code, await second.code]).toEqual([0, 0]);
    expect(BigInt(second.stdout)).toBeGreaterThan(BigInt(first.stdout));
  });

  it('gives up its place in the line when interrupted', async () => {
    const first = run([], UNTIL_TOLD);
    await isStarted(first);
    const second = run(['--wait', '1m'], 'echo run');
    await waitFor(async () => (await show())['waiters'] === 1);
    second.signal('SIGTERM');
    expect(await second.code).toBe(143);
    await waitFor(async () => (await show())['waiters'] === 0);
    first.type('0\n');
    await first.code;
  });

  it('ends the command when a manager forces the lock', async () => {
    const command = run(['--ttl', '3s'], 'echo started; sleep 600');
    await isStarted(command);
    const editor = lock(['force', name, '--reason', 'stuck'], { LATCHKEY_USER: 'eva', LATCHKEY_PASSWORD: PASSWORD });
    expect(await editor.code).toBe(6);
    const manager = lock(['force', name, '--reason', 'stuck'], { LATCHKEY_USER: 'maria', LATCHKEY_PASSWORD: PASSWORD });
    expect([await manager.code, manager.stderr]).toEqual([0, '']);
    expect([await command.code, command.stderr]).toEqual([7, expect.stringContaining('is lost')]);
  });

  it('writes under the lock with the header that it gives the command', async () => {
    // native-api.md section 5: the header names a lock that is held by this very fence.
    const command = run([], 'echo "$LATCHKEY_LOCK_FENCE_HEADER"; read code; exit $code');
    await isStarted(command);
    const { fence, store } = await show();
    expect(command.stdout.trim()).toBe(`${store as string}/${encodeURIComponent(name)};${fence as string}`);
    command.type('0\n');
    expect(await command.code).toBe(0);
  });

  it('is refused with a wrong token, an unknown store and a name that no lock can have', async () => {
    expect(await lock(['run', name, '--', 'true'], { DAPR_API_TOKEN: 'wrong' }).code).toBe(6);
    expect(await lock(['run', name, '--store', 'nowhere', '--', 'true']).code).not.toBe(0);
    expect(await lock(['run', 'a||b', '--', 'true']).code).toBe(2);
  });
});
