import { pino } from 'pino';
import { type Credentials } from '../config/credentials.js';
import { loadSettings } from '../config/load-settings.js';
import { Metrics } from '../metrics/metrics';
import { type DatabaseClock } from '../database/database-clock.js';
import { type AuditLog } from '../events/audit-log.js';
import { type ApiRequest } from '../http/api-request.js';
import { LeanContext } from '../http/lean-context.js';
import { type Access } from '../http/surface-controller.decorator.js';
import { Problem } from '../problem/problem.js';
import { CallerAuthenticator } from './caller.authenticator.js';
import { FailedLogins } from './failed-logins.js';
import { NativeAuthGuard } from './native-auth.guard.js';
import { OidcAuthenticator } from './oidc.authenticator.js';
import { type Principal } from './principal.js';
import { UserDirectory } from './user-directory.js';

const NOW = Date.parse('2026-05-11T18:48:36Z');
const CREDENTIALS: Credentials = { masterKey: Buffer.alloc(32), jwtSecret: 'a secret of at least 32 characters!!' };
const USERS = 'rita:one:reader,ed:two:editor,max:three:manager';
const BASIC = 'Basic realm="latchkey", charset="UTF-8"';
const BEARER = 'Bearer realm="latchkey"';

const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

interface Call {
  access?: Access;
  headers?: Record<string, string>;
  isEncrypted?: boolean;
  remoteAddress?: string;
}

/** Everything about callers as the module builds it, with a clock that the test sets. */
class Callers {
  nowMs = NOW;
  /** Names of those whose refusal went to the audit log. */
  readonly noted: string[] = [];
  readonly authenticator: CallerAuthenticator;
  private readonly guard: NativeAuthGuard;

  constructor(env: Record<string, string> = {}) {
    const settings = loadSettings({ CMS_USERS: USERS, ...env }, false);
    const clock = { now: () => this.nowMs } as DatabaseClock;
    const logger = pino({ level: 'silent' });
    const auditLog = {
      refused: (request: ApiRequest) => this.noted.push(request.principal.name),
      loginFailed: () => undefined,
    } as unknown as AuditLog;
    const failedLogins = new FailedLogins(settings, logger, new Metrics(), auditLog);
    const oidc = new OidcAuthenticator(clock, settings, logger, failedLogins);
    const users = new UserDirectory(settings, CREDENTIALS, new Metrics());
    this.authenticator = new CallerAuthenticator(users, oidc, failedLogins, clock, settings, CREDENTIALS);
    this.guard = new NativeAuthGuard(this.authenticator, failedLogins, auditLog, settings);
  }

  /** The principal, or the refusal. */
  async call({ access = 'inspect', ...rest }: Call = {}): Promise<Principal | Problem> {
    const request = requestOf(rest);
    (request as { route: object }).route = { access };
    try {
      expect(await this.guard.canActivate(new LeanContext(request))).toBe(true);
      return request.principal;
    } catch (error) {
      if (error instanceof Problem) return error;
      throw error;
    }
  }

  async token(name: string): Promise<string> {
    return (await this.authenticator.renew(name))!.token;
  }
}

function requestOf({ headers = {}, isEncrypted = false, remoteAddress = '127.0.0.1' }: Call): ApiRequest {
  const request = { id: 'request', isEncrypted, remoteAddress, header: (name: string) => headers[name] };
  return request as unknown as ApiRequest;
}

const challengesOf = (outcome: Principal | Problem): string[] =>
  (outcome as Problem).headers.filter(([name]) => name === 'WWW-Authenticate').map(([, value]) => value);

const PROXY = {
  TRUSTED_TLS_PROXY: 'true',
  ACCESS_KEYS: 'id:c2VjcmV0:rw',
  DAPR_API_TOKEN: 'dapr-token',
};

describe('a caller without credentials', () => {
  it('is a lock client on loopback while no token is configured', async () => {
    const callers = new Callers();
    for (const access of ['nothing', 'inspect', 'lock'] as const) {
      expect(await callers.call({ access })).toMatchObject({ kind: 'dapr' });
    }
  });

  it.each(['force', 'audit', 'read', 'write'] as const)('is asked for some on loopback to %s', async (access) => {
    const outcome = await new Callers().call({ access });
    expect(outcome).toMatchObject({ status: 401 });
    expect(challengesOf(outcome)).toEqual([BASIC, BEARER]);
  });

  it.each([
    ['with a token on loopback', { DAPR_API_TOKEN: 'dapr-token' }],
    ['behind a proxy', PROXY],
  ])('is asked for some %s, but where nothing is needed', async (_, env) => {
    const callers = new Callers(env);
    for (const access of ['inspect', 'lock', 'force', 'audit', 'read', 'write'] as const) {
      const outcome = await callers.call({ access });
      expect(outcome).toMatchObject({ kind: 'unauthorized', status: 401 });
      expect(challengesOf(outcome)).toEqual([BASIC, BEARER]);
    }
    expect(await callers.call({ access: 'nothing' })).toMatchObject({ kind: 'anonymous', name: 'anonymous' });
  });

  it('may be missing as often as anybody likes', async () => {
    const callers = new Callers({ DAPR_API_TOKEN: 'dapr-token', FAILED_LOGINS_PER_MINUTE: '1' });
    for (let index = 0; index < 5; index++) expect(await callers.call()).toMatchObject({ status: 401 });
    expect(await callers.call({ headers: { authorization: 'Digest x' } })).toMatchObject({ status: 401 });
    expect(await callers.call({ headers: { authorization: 'Basic x' } })).toMatchObject({ status: 401 });
    expect(await callers.call({ headers: { authorization: 'Basic x' } })).toMatchObject({ status: 429 });
  });
});

describe('the token of the Dapr surface', () => {
  const callers = new Callers({ DAPR_API_TOKEN: 'dapr-token', FAILED_LOGINS_PER_MINUTE: '1000' });
  const withToken = (token: string, more: Record<string, string> = {}): Record<string, string> => ({
    'dapr-api-token': token,
    ...more,
  });

  it.each([
    ['nothing', null],
    ['inspect', null],
    ['lock', null],
    ['force', 403],
    ['audit', 403],
  ] as const)('%s: %s', async (access, status) => {
    const outcome = await callers.call({ access, headers: withToken('dapr-token') });
    expect(outcome).toMatchObject(status === null ? { kind: 'dapr', name: 'dapr' } : { status, kind: 'forbidden' });
  });

  it.each(['', 'dapr-toke', 'dapr-token2', 'DAPR-TOKEN', 'dapr-token, dapr-token', 'x'.repeat(16_000)])(
    'is refused when it is %j, even where nothing is needed',
    async (token) => {
      expect(await callers.call({ access: 'nothing', headers: withToken(token) })).toMatchObject({ status: 401 });
    },
  );

  it('is wrong where none is configured', async () => {
    expect(await new Callers().call({ headers: withToken('any') })).toMatchObject({ status: 401 });
  });

  it('leaves it to a user to say who calls, if it is right', async () => {
    const authorization = basic('max', 'three');
    expect(await callers.call({ access: 'force', headers: withToken('dapr-token', { authorization }) })).toMatchObject({
      name: 'max',
    });
    expect(await callers.call({ headers: withToken('wrong', { authorization }) })).toMatchObject({ status: 401 });
    expect(await callers.call({ headers: withToken('dapr-token', { authorization: 'Basic x' }) })).toMatchObject({
      status: 401,
    });
  });
});

describe('a user', () => {
  const callers = new Callers({ FAILED_LOGINS_PER_MINUTE: '1000' });
  const ALLOWED: Record<string, Access[]> = {
    rita: ['nothing', 'inspect'],
    ed: ['nothing', 'inspect', 'lock'],
    max: ['nothing', 'inspect', 'lock', 'force', 'audit'],
  };
  const PASSWORDS: Record<string, string> = { rita: 'one', ed: 'two', max: 'three' };
  const EVERY_ACCESS: Access[] = ['nothing', 'inspect', 'lock', 'force', 'audit', 'read', 'write'];

  it.each(
    Object.keys(ALLOWED).flatMap((name) =>
      ['password', 'token'].flatMap((proof) => EVERY_ACCESS.map((access) => ({ name, proof, access }))),
    ),
  )('$name by $proof: $access', async ({ name, proof, access }) => {
    const authorization = proof === 'token' ? `Bearer ${await callers.token(name)}` : basic(name, PASSWORDS[name]!);
    const outcome = await callers.call({ access, headers: { authorization } });
    expect(outcome).toMatchObject(ALLOWED[name]!.includes(access) ? { kind: 'user', name } : { status: 403 });
  });

  it.each([
    ['a wrong password', basic('max', 'two'), BEARER],
    ['an unknown name', basic('nobody', 'three'), BEARER],
    ['a malformed header', 'Basic %%%', BEARER],
    ['an empty header', 'Basic', BEARER],
    ['another scheme', 'Digest username="max"', BEARER],
    ['no scheme', '', BEARER],
    ['a token that is none', 'Bearer nonsense', `${BEARER}, error="invalid_token", error_description="`],
    ['no token', 'Bearer', `${BEARER}, error="invalid_token", error_description="`],
  ])('is refused for %s, even where nothing is needed', async (_, authorization, bearer) => {
    const outcome = await callers.call({ access: 'nothing', headers: { authorization } });
    expect(outcome).toMatchObject({ kind: 'unauthorized', status: 401 });
    expect(challengesOf(outcome)).toEqual([BASIC, expect.stringMatching(`^${bearer}`)]);
  });

  it('is refused by a token that expired by the clock of the database', async () => {
    const those = new Callers();
    const headers = { authorization: `Bearer ${await those.token('max')}` };
    those.nowMs += 12 * 3_600_000 - 1;
    expect(await those.call({ headers })).toMatchObject({ name: 'max' });
    those.nowMs += 1;
    expect(await those.call({ headers })).toMatchObject({ status: 401 });
  });

  it('is refused by a token once removed, and has the role of the day', async () => {
    const before = new Callers({ CMS_USERS: 'max:three:manager,ed:two:editor' });
    const [max, ed] = await Promise.all([before.token('max'), before.token('ed')]);
    const after = new Callers({ CMS_USERS: 'ed:two:reader' });
    expect(await after.call({ headers: { authorization: `Bearer ${max}` } })).toMatchObject({ status: 401 });
    expect(await after.call({ access: 'lock', headers: { authorization: `Bearer ${ed}` } })).toMatchObject({
      status: 403,
    });
  });
});

describe('the audit log', () => {
  it('gets refusals of callers who are known, and no others', async () => {
    const callers = new Callers({ DAPR_API_TOKEN: 'dapr-token' });
    await callers.call({ access: 'force', headers: { authorization: basic('ed', 'two') } });
    await callers.call({ access: 'audit', headers: { 'dapr-api-token': 'dapr-token' } });
    await callers.call({ access: 'lock', headers: { authorization: basic('ed', 'two') } });
    await callers.call({ access: 'lock', headers: { authorization: basic('ed', 'wrong') } });
    await callers.call({ access: 'lock' });
    expect(callers.noted).toEqual(['ed', 'dapr']);
  });
});

describe('credentials on the way', () => {
  it.each([
    [{ isEncrypted: true }, true],
    [{ forwarded: 'https' }, true],
    [{ forwarded: 'HTTPS , http' }, true],
    [{}, true],
    [{ forwarded: 'http' }, false],
    [{ forwarded: 'http, https' }, false],
    [{ forwarded: 'wss' }, false],
  ])(
    'behind a proxy, %j: taken %s',
    async ({ isEncrypted, forwarded }: { isEncrypted?: boolean; forwarded?: string }, isTaken) => {
      const callers = new Callers(PROXY);
      for (const authorization of [basic('max', 'three'), `Bearer ${await callers.token('max')}`]) {
        const headers = { authorization, ...(forwarded !== undefined && { 'x-forwarded-proto': forwarded }) };
        const outcome = await callers.call({ headers, isEncrypted });
        expect(outcome).toMatchObject(isTaken ? { name: 'max' } : { status: 401 });
      }
      const login = callers.authenticator.logIn(
        'max',
        'three',
        requestOf({ isEncrypted, headers: forwarded === undefined ? {} : { 'x-forwarded-proto': forwarded } }),
      );
      if (isTaken) expect((await login)?.user.name).toBe('max');
      else await expect(login).rejects.toMatchObject({ status: 401 });
    },
  );

  it('does not count what came in the open', async () => {
    const callers = new Callers({ ...PROXY, FAILED_LOGINS_PER_MINUTE: '1' });
    const headers = { authorization: basic('max', 'wrong'), 'x-forwarded-proto': 'http' };
    for (let index = 0; index < 3; index++) expect(await callers.call({ headers })).toMatchObject({ status: 401 });
  });
});

describe('wrong credentials beyond the limit', () => {
  it.each([
    ['passwords', { authorization: basic('max', 'wrong') }],
    ['login tokens', { authorization: 'Bearer a.b.c' }],
    ['tokens of the Dapr surface', { 'dapr-api-token': 'wrong' }],
  ])('are 429: %s', async (_, headers: Record<string, string>) => {
    const callers = new Callers({ FAILED_LOGINS_PER_MINUTE: '2', DAPR_API_TOKEN: 'dapr-token' });
    const statuses: unknown[] = [];
    for (let index = 0; index < 4; index++) {
      statuses.push(((await callers.call({ headers })) as Problem).status);
    }
    expect(statuses).toEqual([401, 401, 429, 429]);
    // From the same address.
    expect(await callers.call({ headers: { authorization: basic('max', 'three') } })).toMatchObject({ name: 'max' });
    expect(await callers.call({ headers: { 'dapr-api-token': 'dapr-token' } })).toMatchObject({ kind: 'dapr' });
    const token = await callers.token('ed');
    expect(await callers.call({ headers: { authorization: `Bearer ${token}` } })).toMatchObject({ name: 'ed' });
    // From another one.
    expect(await callers.call({ headers, remoteAddress: '10.0.0.9' })).toMatchObject({
      status: 401,
    });
  });
});

describe('CallerAuthenticator', () => {
  it('logs in by name and password and gives a token for it', async () => {
    const callers = new Callers();
    const login = await callers.authenticator.logIn('ed', 'two', requestOf({}));
    expect(login?.user).toEqual({ name: 'ed', role: 'editor', fullName: 'ed' });
    const headers = { authorization: `Bearer ${login!.token}` };
    expect(await callers.call({ access: 'lock', headers })).toMatchObject({ name: 'ed', role: 'editor' });
  });

  it('gives nothing for a wrong password, and 429 beyond the limit', async () => {
    const { authenticator } = new Callers({ FAILED_LOGINS_PER_MINUTE: '1' });
    expect(await authenticator.logIn('ed', 'wrong', requestOf({}))).toBeNull();
    await expect(authenticator.logIn('nobody', 'two', requestOf({}))).rejects.toMatchObject({ status: 429 });
    expect((await authenticator.logIn('ed', 'two', requestOf({})))?.user.name).toBe('ed');
  });

  it('renews for users there are', async () => {
    const { authenticator } = new Callers();
    expect(await authenticator.renew('nobody')).toBeNull();
    expect((await authenticator.renew('ed'))?.user.name).toBe('ed');
  });

  it('has nobody for a request without the header', async () => {
    expect(await new Callers().authenticator.authenticate(requestOf({}), 'content')).toBeNull();
  });
});
