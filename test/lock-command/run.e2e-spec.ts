import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../support/wait-for';
import { FakeLockService, FENCE, GRANTED, HELD, LOCK, LOST, problem, type Reply, RENEWED } from './fake-lock-service';
import { LockCommand } from './lock-command';

let service: FakeLockService;
const folder = mkdtempSync(join(tmpdir(), 'latchkey-lock-'));
const started: LockCommand[] = [];

beforeAll(async () => {
  service = await FakeLockService.start();
});
beforeEach(() => service.reset());
afterEach(() => {
  for (const command of started.splice(0)) command.signal('SIGKILL');
});
afterAll(() => service.close());

function start(args: readonly string[], env: Record<string, string> = {}): LockCommand {
  const command = new LockCommand({ LATCHKEY_URL: service.url, ...env }, args);
  started.push(command);
  return command;
}

const run = (...args: string[]): LockCommand => start(['run', 'deploy', ...args]);
const sh = (script: string): string[] => ['--', 'sh', '-c', script];

/** Runs until told to end, with the code that it reads. */
const UNTIL_TOLD = sh('echo started; read code; exit $code');
/** Says what it is told by signals, and ends with 0 at each. */
const SAYS_SIGNALS = sh(
  // A shell has its background processes ignore SIGINT, so this one is ended by hand.
  'sleep 600 & for s in INT TERM HUP; do trap "echo got $s; kill $! 2>/dev/null; exit 0" $s; done; echo started; while :; do wait; done',
);

async function outcomeOf(command: LockCommand): Promise<{ code: number | string; stdout: string; stderr: string }> {
  const code = await command.code;
  return { code, stdout: command.stdout, stderr: command.stderr };
}

const isStarted = (command: LockCommand) => waitFor(() => command.stdout.includes('started'));

/**
 * What was said but for attempts to renew that took too long and were repeated: each may take a sixth of the lease, which on a busy machine
 * may pass.
 */
const apartFromRepeats = (stderr: string): string =>
  stderr.replace(/^lock: deploy could not be renewed, trying again for .*\n(lock: deploy is renewed again\n)?/gm, '');

/** Renewals succeed until the command has said this. */
const loseOnce = (command: LockCommand, text: string) =>
  service.always('PATCH', () => (command.stdout.includes(text) ? LOST : RENEWED));

/** A process of the command's that may have been left behind. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('lock run', () => {
  it('takes the lock, runs the command and gives the lock back by its fence', async () => {
    const command = run('--ttl', '20s', '--owner', 'me', '--reason', 'release 7', ...sh('echo done'));
    expect(await outcomeOf(command)).toEqual({ code: 0, stdout: 'done\n', stderr: '' });
    expect(service.methods).toEqual(['PUT', 'DELETE']);
    const [put, release] = service.calls;
    expect(put!.target).toBe('/api/v1/lock-stores/lockstore/locks/deploy');
    expect(put!.json).toEqual({
      owner: 'me',
      ttlMs: 20_000,
      waitMs: 0,
      metadata: { host: hostname(), command: 'sh', reason: 'release 7' },
    });
    expect(put!.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect([release!.target, release!.headers['lock-fence']]).toEqual([put!.target, FENCE]);
  });

  it('tells the command which lock it holds', async () => {
    const names = ['STORE', 'RESOURCE', 'OWNER', 'FENCE', 'FENCE_HEADER'].map((name) => `"$LATCHKEY_LOCK_${name}"`);
    const args = ['run', 'a/b ü;%', '--store', 'other', '--owner', 'me', ...sh(`printf '%s\\n' ${names.join(' ')}`)];
    const { stdout } = await outcomeOf(start(args));
    expect(stdout.split('\n')).toEqual(['other', 'a/b ü;%', 'me', FENCE, `other/a%2Fb%20%C3%BC%3B%25;${FENCE}`, '']);
    expect(service.calls[0]!.target).toBe('/api/v1/lock-stores/other/locks/a%2Fb%20%C3%BC%3B%25');
  });

  it('holds under another owner each time unless told', async () => {
    await Promise.all([run(...sh('true')).code, run(...sh('true')).code]);
    const owners = service.callsOf('PUT').map(({ json }) => json['owner'] as string);
    expect(owners[0]).not.toBe(owners[1]);
    for (const owner of owners) expect(owner.startsWith(`${hostname()}:`)).toBe(true);
  });

  it('gives the command stdin, and its arguments as they are', async () => {
    const command = run('--', 'sh', '-c', 'read line; echo "$line $*"', 'x', '--help', '--ttl', '--', '-E');
    command.type('typed\n');
    expect(await outcomeOf(command)).toMatchObject({ code: 0, stdout: 'typed --help --ttl -- -E\n' });
  });

  it.each([
    ['the code of the command', sh('exit 42'), 42, ''],
    ['128 and the number of the signal that ended the command', sh('kill -KILL $$'), 137, ''],
    ['127 for a command that does not exist', ['--', 'no-such-command'], 127, 'no-such-command: command not found'],
    ['126 for a file that cannot be run', ['--', folder], 126, 'cannot be run'],
  ])('exits with %s, and gives the lock back', async (_, args, code, text) => {
    const outcome = await outcomeOf(run(...args));
    expect(outcome).toMatchObject({ code, stderr: expect.stringContaining(text) });
    expect(service.methods).toEqual(['PUT', 'DELETE']);
  });
});

describe('a lock that is not got', () => {
  const NOT_RUN = sh('echo run');

  it('is told with exit code 3 and its holder', async () => {
    service.always('PUT', () => HELD);
    expect(await outcomeOf(run(...NOT_RUN))).toEqual({
      code: 3,
      stdout: '',
      stderr: `lock: deploy was not got, held by somebody since ${LOCK.grantedAt}\n`,
    });
    expect(service.methods).toEqual(['PUT']);
  });

  it('is told with the exit code that was asked for', async () => {
    service.always('PUT', () => HELD);
    expect((await outcomeOf(run('-E', '0', ...NOT_RUN))).code).toBe(0);
    expect((await outcomeOf(run('--conflict-exit-code', '99', ...NOT_RUN))).code).toBe(99);
  });

  it('names the time that was waited', async () => {
    service.always('PUT', () => HELD);
    const { code, stderr } = await outcomeOf(run('--wait', '1s', ...NOT_RUN));
    expect([code, stderr]).toEqual([3, expect.stringMatching(/^lock: deploy was not got within 1s, held by /)]);
    expect(service.callsOf('PUT')[0]!.json['waitMs']).toBeGreaterThan(200);
  });

  it.each([
    ['6 without credentials', problem(401, 'unauthorized'), 6, 'not allowed: Title of unauthorized (401)'],
    ['6 without the right', problem(403, 'forbidden', { detail: 'Readers only look.' }), 6, 'Readers only look. (403)'],
    ['2 when the service finds fault with the arguments', problem(400, 'bad-request'), 2, 'refused by the service: '],
    ['1 when there is no such store', problem(404, 'no-such-store'), 1, 'refused by the service: '],
    ['1 at something else that answers', { status: 200, json: ['hello'] }, 1, 'not the lock service'],
    ['1 at a redirect', { status: 307, headers: { location: '/elsewhere' } }, 1, 'status 307'],
  ])('exits with %s', async (_, reply: Reply, code, text) => {
    service.always('PUT', () => reply);
    const outcome = await outcomeOf(run('--wait', '1m', ...NOT_RUN));
    expect(outcome).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(text) });
    expect(outcome.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(service.methods).toEqual(['PUT']);
  });

  it('exits with 1 when nobody listens', async () => {
    // As the own port of a connection it is nobody's to listen on meanwhile.
    const occupied = connect(Number(new URL(service.url).port), '127.0.0.1');
    await once(occupied, 'connect');
    const url = `http://127.0.0.1:${occupied.localPort}`;
    const line = `lock: no lock from the service: ${url} does not answer: connect ECONNREFUSED ${url.slice(7)}\n`;
    expect(await outcomeOf(run('--url', url, ...NOT_RUN))).toEqual({ code: 1, stdout: '', stderr: line });
    occupied.destroy();
  });

  it.each([
    [['run', 'deploy']],
    [['run', 'deploy', '--']],
    [['run', '--', 'true']],
    [['run', '', '--', 'true']],
    [['run', '..', '--', 'true']],
    [['run', 'deploy', '--ttl', '30', '--', 'true']],
    [['run', 'deploy', '--ttl', '0', '--', 'true']],
    [['run', 'deploy', '--wait', '25h', '--', 'true']],
    [['run', 'deploy', '--tll', '30s', '--', 'true']],
    [['run', 'deploy', '-E', '256', '--', 'true']],
    [['run', 'deploy', '--url', 'localhost:8080', '--', 'true']],
    [['run', 'deploy', '--url', 'http://user:secret@localhost', '--', 'true']],
    [['run', 'deploy', '--user', 'ann', '--', 'true']],
    [['show', 'deploy', '--', 'true']],
  ])('exits with 2 and asks nobody: %j', async (args) => {
    const { code, stderr } = await outcomeOf(start(args));
    expect(code).toBe(2);
    expect(stderr).not.toBe('');
    expect(service.calls).toEqual([]);
  });
});

describe('waiting', () => {
  it('is made of calls of a minute at most', async () => {
    service.plan('PUT', HELD, HELD);
    expect((await outcomeOf(run('--wait', '1m', ...sh('true')))).code).toBe(0);
    expect((await outcomeOf(run('--wait', '2h', ...sh('true')))).code).toBe(0);
    const waits = service.callsOf('PUT').map(({ json }) => json['waitMs'] as number);
    expect(waits).toHaveLength(4);
    expect(waits[0]).toBeGreaterThan(59_000);
    expect(Math.max(...waits)).toBe(60_000);
    // The second call waits for what is left of the minute.
    expect(waits[1]).toBeLessThan(waits[0]!);
    expect(waits[3]).toBe(60_000);
  });

  it('tells after a second for whom', async () => {
    service.plan('PUT', 'hang');
    const command = run('--wait', '5m', ...sh('true'));
    await waitFor(() => command.stderr !== '');
    expect(command.stderr).toMatch(
      /^lock: waiting for deploy held by somebody since \S+ \(for at most 29\ds more\)\n$/,
    );
  });

  it('ends with the signal that comes meanwhile, and leaves the line', async () => {
    service.plan('PUT', 'hang');
    // Nor is there an answer to for whom it waits, which it asks after a second.
    service.always('GET', () => 'hang');
    const command = run('--wait', '5m', ...sh('echo run'));
    await waitFor(() => service.callsOf('PUT').length === 1);
    command.signal('SIGINT');
    expect(await outcomeOf(command)).toEqual({
      code: 130,
      stdout: '',
      stderr: 'lock: interrupted while waiting for deploy\n',
    });
    await waitFor(() => service.callsOf('PUT')[0]!.isGivenUp);
  });

  it('goes on after Retry-After when too many wait', async () => {
    service.plan('PUT', problem(429, 'too-many-waiters', {}, { 'retry-after': '2' }));
    expect((await outcomeOf(run('--wait', '1m', ...sh('true')))).code).toBe(0);
    const [first, second] = service.callsOf('PUT');
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(1_990);
  });

  it('ends when Retry-After asks for more time than there is', async () => {
    service.always('PUT', () => problem(429, 'too-many-waiters', {}, { 'retry-after': '7' }));
    const { code, stderr } = await outcomeOf(run('--wait', '1s', ...sh('true')));
    const line = 'lock: deploy was not got within 1s: Title of too-many-waiters (429), try again in 7s\n';
    expect([code, stderr]).toEqual([3, line]);
    expect(service.methods).toEqual(['PUT']);
  });

  it.each(['cut', 'busy'] as const)('outlives a service that is away (%s)', async (how) => {
    const away = how === 'cut' ? 'cut' : problem(503, 'draining');
    service.plan('PUT', away, away, away, GRANTED);
    const { code, stderr } = await outcomeOf(run('--wait', '1m', ...sh('true')));
    expect(code).toBe(0);
    expect(stderr).toMatch(/^lock: no lock from the service, trying for \d\ds more: .*\n/m);
  });
});

describe('a grant', () => {
  /** A grant that comes when more than a third of a lease of three seconds may be over. */
  const lateGrant = (): Promise<Reply> =>
    waitFor(() => service.calls.length > 0 && performance.now() - service.calls[0]!.at > 1_100).then(() => GRANTED);
  // Who waits as long asks for whom.
  const methods = (): string[] => service.methods.filter((method) => method !== 'GET');
  beforeEach(() => service.always('GET', () => 'hang'));

  it('whose answer got lost is asked for again with the same key, and made sure of', async () => {
    service.plan('PUT', 'cut', lateGrant());
    expect((await outcomeOf(run('--ttl', '3s', '--wait', '1m', ...sh('true')))).code).toBe(0);
    expect(methods().slice(0, 3)).toEqual(['PUT', 'PUT', 'PATCH']);
    const [first, second] = service.callsOf('PUT');
    expect(second!.headers['idempotency-key']).toBe(first!.headers['idempotency-key']);
  });

  it('that took long is renewed before the command starts', async () => {
    let renew!: (reply: Reply) => void;
    const renewed = new Promise<Reply>((resolve) => (renew = resolve));
    service.plan('PUT', lateGrant());
    service.always('PATCH', () => renewed);
    const command = run('--ttl', '3s', '--wait', '1m', ...sh('echo started'));
    await waitFor(() => service.callsOf('PATCH').length > 0);
    expect(command.stdout).toBe('');
    renew(RENEWED);
    const { code, stdout, stderr } = await outcomeOf(command);
    expect([code, stdout, apartFromRepeats(stderr)]).toEqual([0, 'started\n', '']);
  });

  it('that is over before it could be made sure of is asked for anew', async () => {
    service.plan('PUT', 'cut', 'cut', lateGrant(), GRANTED);
    service.always('PATCH', () => (service.callsOf('PUT').length < 4 ? LOST : RENEWED));
    const { code, stderr } = await outcomeOf(run('--ttl', '3s', '--wait', '1m', ...sh('true')));
    expect([code, apartFromRepeats(stderr)]).toEqual([
      0,
      expect.stringMatching(/^lock: deploy is lost: .*; asking again\n$/),
    ]);
    const keys = service.callsOf('PUT').map(({ headers }) => headers['idempotency-key']);
    expect(keys).toEqual([keys[0], keys[0], keys[0], expect.not.stringMatching(keys[0] as string)]);
  });
});

describe('while the command runs', () => {
  it('the lock is renewed by its fence at a third of the lease', async () => {
    const startedAt = performance.now();
    const command = run('--ttl', '3s', '--owner', 'me', ...UNTIL_TOLD);
    await waitFor(() => service.callsOf('PATCH').length >= 4);
    command.type('0\n');
    const { code, stderr } = await outcomeOf(command);
    expect([code, apartFromRepeats(stderr)]).toEqual([0, '']);
    const [, first] = service.calls;
    expect(first!.json).toEqual({ owner: 'me', fence: FENCE, ttlMs: 3_000 });
    expect(first!.at - startedAt).toBeGreaterThan(950);
    expect(service.methods.at(-1)).toBe('DELETE');
  });

  it('a renewal that fails is tried again', async () => {
    const elsewhere = { status: 200, json: { hello: 'proxy' } };
    service.plan('PATCH', 'cut', problem(503, 'busy'), elsewhere, problem(401, 'unauthorized'), RENEWED);
    const command = run('--ttl', '9s', ...UNTIL_TOLD);
    await waitFor(() => command.stderr.includes('again\n'));
    command.type('5\n');
    const { code, stderr } = await outcomeOf(command);
    expect(code).toBe(5);
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^lock: deploy could not be renewed, trying again for \d(\.\d)?s: http:.*$/),
      'lock: deploy is renewed again',
    ]);
    expect(service.callsOf('PATCH').length).toBeGreaterThanOrEqual(5);
  });

  it('a renewal that is told to wait waits', async () => {
    service.plan('PATCH', problem(429, 'too-many', {}, { 'retry-after': '1' }));
    const command = run('--ttl', '9s', ...UNTIL_TOLD);
    await waitFor(() => service.callsOf('PATCH').length === 2);
    command.type('0\n');
    expect((await outcomeOf(command)).code).toBe(0);
    const [first, second] = service.callsOf('PATCH');
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(990);
  });

  it('a lost lock ends it with SIGTERM, and 7 tells so although it ended with 0', async () => {
    const command = run('--ttl', '3s', ...SAYS_SIGNALS);
    loseOnce(command, 'started');
    const { code, stdout, stderr } = await outcomeOf(command);
    expect([code, stdout]).toEqual([7, 'started\ngot TERM\n']);
    expect(apartFromRepeats(stderr)).toMatch(
      /^lock: deploy is lost: .*; ending the command \(SIGTERM, after 10s SIGKILL\)\n$/,
    );
    // It is another's by now.
    expect(service.callsOf('DELETE')).toEqual([]);
  });

  it.each(['cut', 'hang'] as const)('the end of the lease ends it when renewals fail (%s)', async (how) => {
    const startedAt = performance.now();
    const command = run('--ttl', '3s', ...SAYS_SIGNALS);
    service.plan('PATCH', RENEWED);
    service.always('PATCH', () => (command.stdout.includes('started') ? how : RENEWED));
    await waitFor(() => command.stdout.includes('got TERM'));
    const endedAt = performance.now();
    const { code, stderr } = await outcomeOf(command);
    expect(code).toBe(7);
    expect(stderr).toMatch(/could not be renewed before its lease ended: http:.*; ending the command/);
    const [renewal, ...failed] = service.callsOf('PATCH');
    // Not before the end of the lease that the grant began; where a renewal came through, that is what extended it.
    expect(endedAt - startedAt).toBeGreaterThan(3_000);
    // What is above the lease is this test's own delay.
    expect(endedAt - renewal!.at).toBeLessThan(7_000);
    expect(failed.length).toBeGreaterThan(1);
  });

  it('a standstill of our own does not hide the end of the lease', async () => {
    const command = run('--ttl', '3s', ...SAYS_SIGNALS);
    await waitFor(() => service.callsOf('PATCH').length > 0);
    command.signal('SIGSTOP');
    const stoppedAt = performance.now();
    await waitFor(() => performance.now() - stoppedAt > 3_100);
    const before = service.callsOf('PATCH').length;
    command.signal('SIGCONT');
    expect((await outcomeOf(command)).code).toBe(7);
    expect(service.callsOf('PATCH').length).toBe(before);
  });

  it('SIGKILL follows for everything that the command started', async () => {
    const stubborn = 'trap "" TERM; echo child $$ started; while :; do sleep 600; done';
    const script = `trap "" TERM; sh -c '${stubborn}' & while :; do wait; done`;
    const command = run('--ttl', '3s', '--kill-after', '200ms', ...sh(script));
    loseOnce(command, 'started');
    const { code, stdout } = await outcomeOf(command);
    expect(code).toBe(7);
    const pid = Number(/child (\d+)/.exec(stdout)![1]);
    await waitFor(() => !isAlive(pid));
  });

  it('what the command left running ends with the lost lock too', async () => {
    const child = 'trap "echo child ended; exit" TERM; sleep 600 & echo child; wait';
    const command = run('--ttl', '3s', ...sh(`trap 'exit 0' TERM; sh -c '${child}' & wait`));
    loseOnce(command, 'child');
    expect(await outcomeOf(command)).toMatchObject({ code: 7, stdout: 'child\nchild ended\n' });
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s is passed on, and the lock given back after',
    async (signal) => {
      const command = run(...SAYS_SIGNALS);
      await isStarted(command);
      command.signal(signal);
      expect(await outcomeOf(command)).toEqual({ code: 0, stdout: `started\ngot ${signal.slice(3)}\n`, stderr: '' });
      expect(service.methods.at(-1)).toBe('DELETE');
    },
  );

  it('a signal that ends the command is told as shells tell it', async () => {
    const command = run(...sh('echo started; sleep 600'));
    await isStarted(command);
    command.signal('SIGTERM');
    expect((await outcomeOf(command)).code).toBe(143);
  });
});

describe('giving the lock back', () => {
  it('is tried again when no answer came; that it is gone by then is no loss', async () => {
    service.plan('DELETE', 'cut', problem(404, 'lock-not-held'));
    expect(await outcomeOf(run(...sh('exit 4')))).toMatchObject({ code: 4, stderr: '' });
    expect(service.callsOf('DELETE')).toHaveLength(2);
  });

  it.each([
    ['without an answer', 'cut' as const],
    ['with a refusal', problem(403, 'forbidden')],
  ])('that fails (%s) is a warning', async (_, outcome) => {
    service.always('DELETE', () => outcome);
    const { code, stderr } = await outcomeOf(run('--ttl', '20s', ...sh('exit 4')));
    expect(code).toBe(4);
    expect(stderr).toMatch(/^lock: warning: deploy could not be released and stays locked for up to 20s: .+\n$/);
  });

  it.each([problem(404, 'lock-not-held'), problem(409, 'lock-held-by-other')])(
    'shows that it was lost meanwhile: $status',
    async (reply) => {
      service.plan('DELETE', reply);
      expect(await outcomeOf(run(...sh('exit 0')))).toEqual({
        code: 7,
        stdout: '',
        stderr: 'lock: deploy was lost before the command ended\n',
      });
    },
  );
});

describe('credentials', () => {
  const file = join(folder, 'secret');
  writeFileSync(file, 'from file\n');
  writeFileSync(`${file}-token`, 'token-from-file\n');
  const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;

  it.each<[string, string[], Record<string, string>, Record<string, string>]>([
    ['nobody', [], {}, {}],
    ['a token', [], { DAPR_API_TOKEN: 't1' }, { 'dapr-api-token': 't1' }],
    ['a token from a file', [], { DAPR_API_TOKEN_FILE: `${file}-token` }, { 'dapr-api-token': 'token-from-file' }],
    ['a token as an argument', ['--token', 't2'], { DAPR_API_TOKEN: 't1' }, { 'dapr-api-token': 't2' }],
    [
      'a user',
      ['--user', 'ann'],
      { LATCHKEY_PASSWORD: 'p:ä', DAPR_API_TOKEN: 't1' },
      { authorization: basic('ann:p:ä') },
    ],
    [
      'a user from the environment',
      [],
      { LATCHKEY_USER: 'ann', LATCHKEY_PASSWORD_FILE: file },
      { authorization: basic('ann:from file') },
    ],
  ])('are those of %s', async (_, args, env, expected) => {
    expect((await outcomeOf(start(['run', 'deploy', ...args, ...sh('true')], env))).code).toBe(0);
    for (const { headers } of service.calls) {
      const sent = ['authorization', 'dapr-api-token'].flatMap((name) =>
        headers[name] ? [[name, headers[name]]] : [],
      );
      expect(Object.fromEntries(sent)).toEqual(expected);
    }
  });
});

describe('lock show, list, force', () => {
  it('show a lock', async () => {
    const line = `deploy  held by somebody until ${LOCK.expiresAt}, fence ${FENCE}, 2 waiting\n`;
    expect(await outcomeOf(start(['show', 'deploy']))).toEqual({ code: 0, stdout: line, stderr: '' });
    expect(JSON.parse((await outcomeOf(start(['show', 'deploy', '-o', 'json']))).stdout)).toEqual(LOCK);
  });

  it('list all pages', async () => {
    const page = (next: string | null) => ({ status: 200, json: { items: [LOCK], next } });
    service.plan('GET', page('a/b'), page(null));
    const { code, stdout } = await outcomeOf(start(['list', 'dep']));
    expect([code, stdout.split('\n').length]).toEqual([0, 3]);
    expect(service.calls.map(({ target }) => target)).toEqual([
      '/api/v1/lock-stores/lockstore/locks?state=held&prefix=dep',
      '/api/v1/lock-stores/lockstore/locks?state=held&prefix=dep&after=a%2Fb',
    ]);
  });

  it('force a lock, with the reason', async () => {
    service.plan('DELETE', RENEWED);
    expect((await outcomeOf(start(['force', 'deploy', '--reason', 'stuck since noon']))).code).toBe(0);
    expect(service.calls[0]!.target).toMatch(/\/deploy\?force=true&reason=stuck\+since\+noon$/);
    service.plan('DELETE', problem(403, 'forbidden'));
    expect((await outcomeOf(start(['force', 'deploy', '--reason', 'x']))).code).toBe(6);
  });
});
