import { createHmac } from 'node:crypto';
import { ContentHttp, type ContentAnswer, basic, USERS } from './content-http';
import { exchange, requestText, valueOf } from '../support/raw-http';
import { startApp, type TestApp } from '../support/start-app';

const SECRET = 'a secret of at least 32 characters for tests';
const TWELVE_HOURS = 12 * 60 * 60;
const MISSING = {
  error: { type: 'Missing credentials', message: 'Login and password must be provided in body.' },
};
const WRONG = { error: { type: 'Invalid credentials', message: 'Wrong login and/or password.' } };
const INVALID_TOKEN = {
  error: {
    type: 'Invalid or expired authentication token',
    message: 'The authentication token is invalid or expired.',
  },
};
const UNREADABLE = { error: { type: 'DeserializationError', message: 'No JSON object could be decoded' } };

let app: TestApp;
let nobody: ContentHttp;
beforeAll(async () => {
  app = await startApp({ CMS_USERS: `${USERS},jürgen:päss:wörd ☃:editor`, FAILED_LOGINS_PER_MINUTE: '1000' });
  nobody = new ContentHttp(app.port);
});
afterAll(() => app?.close());

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
/** A token as ours are, but for what the caller changes. */
function forge(
  claims: object = {},
  { header = {}, secret = SECRET }: { header?: object; secret?: string } = {},
): string {
  const now = Math.floor(Date.now() / 1000);
  const text = `${part({ alg: 'HS256', typ: 'JWT', ...header })}.${part({
    iss: 'latchkey',
    sub: 'alice',
    fullname: 'alice',
    iat: now,
    exp: now + 60,
    ...claims,
  })}`;
  return `Bearer ${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString('utf8'));

const bearerOf = async (login: string, password = 'pw'): Promise<string> =>
  `Bearer ${(await nobody.post('/@login', { login, password })).json.token}`;

const isJson = ({ headers }: ContentAnswer): void =>
  expect(headers['content-type']).toBe('application/json; charset=utf-8');

describe('POST /@login', () => {
  it('answers a token and nothing else, which nobody on the way may keep', async () => {
    const answer = await nobody.post('/@login', { login: 'alice', password: 'pw' });
    expect(answer.status).toBe(200);
    isJson(answer);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.json).toEqual({ token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) });
  });

  it.each([
    ['alice', 'pw'],
    ['jürgen', 'päss:wörd ☃'],
  ])('the token says who %s is, by whom, and until when', async (login, password) => {
    const before = Math.floor(Date.now() / 1000);
    const { json } = await nobody.post('/@login', { login, password });
    const after = Math.floor(Date.now() / 1000);
    const claims = claimsOf(json.token);
    expect(claims).toEqual({
      iss: 'latchkey',
      sub: login,
      fullname: login,
      iat: expect.any(Number),
      exp: (claims['iat'] as number) + TWELVE_HOURS,
    });
    expect(claims['iat']).toBeGreaterThanOrEqual(before);
    expect(claims['iat']).toBeLessThanOrEqual(after);
    const header = JSON.parse(Buffer.from(json.token.split('.')[0], 'base64url').toString('utf8'));
    expect(header).toEqual({ alg: 'HS256', typ: 'JWT' });
  });

  it.each([
    ['expired', (): string => forge({ exp: 1_000_000, iat: 999_000 })],
    ['of somebody else', (): string => forge({ sub: 'bob' })],
    ['made up', (): string => 'Bearer nonsense'],
    ['of a wrong password', (): string => basic('alice', 'wrong')],
    ['of an unknown scheme', (): string => 'Negotiate abc'],
  ])('whatever credentials are sent along: %s', async (_, authorization) => {
    const { status, json } = await nobody.with(authorization()).post('/@login', { login: 'mia', password: 'pw' });
    expect(status).toBe(200);
    expect(claimsOf(json.token)['sub']).toBe('mia');
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream', 'x', ''])(
    'reads the body as JSON with the media type %j',
    async (type) => {
      const body = { login: 'alice', password: 'pw' };
      expect((await nobody.post('/@login', body, { 'content-type': type })).status).toBe(200);
    },
  );

  it.each(['/++api++/@login', '/++api++//@login', '//@login', '/@login/', '/%40login', '/@login?x=1'])(
    'is there at %s',
    async (path) => {
      expect((await nobody.post(path, { login: 'alice', password: 'pw' })).status).toBe(200);
    },
  );

  it.each([
    ['nothing', undefined],
    ['an empty object', {}],
    ['no password', { login: 'alice' }],
    ['no login', { password: 'pw' }],
    ['null', { login: 'alice', password: null }],
    ['a number', { login: 'alice', password: 1 }],
    ['a list', { login: ['alice'], password: 'pw' }],
    ['an object', { login: {}, password: 'pw' }],
  ])('refuses %s with 400', async (_, body) => {
    const answer = await nobody.post('/@login', body);
    expect(answer.status).toBe(400);
    isJson(answer);
    expect(answer.json).toEqual(MISSING);
  });

  it.each([
    ['not JSON', '{bad'],
    ['a form', 'login=alice&password=pw'],
    ['a list', '[]'],
    ['a text', '"alice"'],
    ['null', 'null'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['a prototype', '{"__proto__":{"login":"alice"},"password":"pw"}'],
    ['101 levels', `{"login":${'['.repeat(101)}${']'.repeat(101)}}`],
  ])('refuses a body that is %s with 400', async (_, body) => {
    const answer = await nobody.post('/@login', body);
    expect(answer.status).toBe(400);
    isJson(answer);
    expect(answer.json).toEqual(UNREADABLE);
  });

  it.each([
    ['a wrong password', 'alice', 'wrong'],
    ['an empty password', 'alice', ''],
    ['a name that nobody has', 'zoe', 'pw'],
    ['an empty name', '', 'pw'],
    ['another letter case', 'Alice', 'pw'],
    ['U+0000', 'alice\0', 'pw\0'],
    ['a long password', 'alice', 'x'.repeat(100_000)],
  ])('refuses %s with 401, without a challenge that makes browsers ask', async (_, login, password) => {
    const answer = await nobody.post('/@login', { login, password });
    expect(answer.status).toBe(401);
    isJson(answer);
    expect(answer.json).toEqual(WRONG);
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="latchkey"');
  });

  it('refuses half a surrogate pair with 400', async () => {
    expect((await nobody.post('/@login', '{"login":"alice","password":"\\ud800"}')).status).toBe(400);
  });

  it('refuses more than a megabyte with 413', async () => {
    // Not all of it need be taken in, and a client that still sends then hears of a broken connection first.
    const body = JSON.stringify({ login: 'alice', password: 'x'.repeat(1024 * 1024) });
    const answer = await exchange(app.port, requestText('POST', '/@login', { Host: '127.0.0.1' }, body));
    expect(answer.status).toBe(413);
    expect(valueOf(answer, 'content-type')).toBe('application/json; charset=utf-8');
  });

  it('is a view of the site root only', async () => {
    const answer = await nobody.post('/nowhere/@login', { login: 'alice', password: 'pw' });
    expect(answer.status).toBe(404);
    expect(answer.json).toMatchObject({
      type: 'NotFound',
      message: `Resource not found: ${nobody.url('/nowhere/@login')}`,
    });
  });

  it.each(['GET', 'PUT', 'PATCH', 'DELETE'])('knows no %s', async (method) => {
    const answer = await nobody.send(method, '/@login');
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe('POST');
    expect(answer.json).toMatchObject({ type: 'MethodNotAllowed' });
  });
});

describe('too many wrong logins', () => {
  it('are 429 with a time to wait, while right ones pass', async () => {
    const strict = await startApp({ CMS_USERS: USERS, FAILED_LOGINS_PER_MINUTE: '3' }, app);
    try {
      const http = new ContentHttp(strict.port);
      const tryOnce = (password: string) => http.post('/@login', { login: 'alice', password });
      // Neither of these is a wrong password.
      for (let index = 0; index < 5; index++) {
        await http.post('/@login', { login: 'alice' });
        await http.post('/@login', '{bad');
      }
      for (let index = 0; index < 3; index++) expect((await tryOnce(`wrong ${index}`)).status).toBe(401);
      const refused = await tryOnce('wrong again');
      expect(refused.status).toBe(429);
      isJson(refused);
      expect(refused.json).toMatchObject({ type: 'TooManyRequests', message: expect.any(String) });
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      expect((await tryOnce('pw')).status).toBe(200);
      // One count for every way to be wrong.
      expect((await http.with(basic('bob', 'wrong')).get('/')).status).toBe(429);
      expect((await http.with('Bearer x').post('/@login-renew')).status).toBe(429);
    } finally {
      await strict.close();
    }
  });
});

describe('POST /@login-renew', () => {
  it.each([
    ['Bearer', (): Promise<string> => bearerOf('alice')],
    [
      'a token that is about to expire',
      async (): Promise<string> => forge({ iat: Math.floor(Date.now() / 1000) - 43_000 }),
    ],
    ['Basic', async (): Promise<string> => basic('alice')],
  ])('gives a token with its full lifetime for %s', async (_, authorization) => {
    const sent = await authorization();
    const before = Math.floor(Date.now() / 1000);
    const answer = await nobody.with(sent).post('/@login-renew');
    const after = Math.floor(Date.now() / 1000);
    expect(answer.status).toBe(200);
    isJson(answer);
    expect(Object.keys(answer.json)).toEqual(['token']);
    const { sub, iat, exp } = claimsOf(answer.json.token) as { sub: string; iat: number; exp: number };
    expect([sub, exp - iat]).toEqual(['alice', TWELVE_HOURS]);
    expect(iat).toBeGreaterThanOrEqual(before);
    expect(iat).toBeLessThanOrEqual(after);
    expect((await nobody.with(`Bearer ${answer.json.token}`).get('/@users/alice')).status).toBe(200);
  });

  it.each([
    ['nobody', (): undefined => undefined],
    ['an expired token', (): string => forge({ exp: Math.floor(Date.now() / 1000) - 1 })],
    ['a token of another secret', (): string => forge({}, { secret: 'another secret of at least 32 characters' })],
    ['a token without a signature', (): string => forge({}, { header: { alg: 'none' } }).replace(/[^.]*$/, '')],
    ['a token of another issuer', (): string => forge({ iss: 'https://elsewhere.example' })],
    ['a token without an expiry', (): string => forge({ exp: undefined })],
    ['a token of a user who is gone', (): string => forge({ sub: 'zoe' })],
    ['something else', (): string => 'Bearer nonsense'],
    ['a wrong password', (): string => basic('alice', 'wrong')],
  ])('refuses %s with 401', async (_, authorization) => {
    const answer = await nobody.with(authorization()).post('/@login-renew');
    expect(answer.status).toBe(401);
    isJson(answer);
    expect(answer.json).toEqual(INVALID_TOKEN);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer /);
  });

  it('is a view of the site root only', async () => {
    expect((await nobody.as('alice').post('/nowhere/@login-renew')).status).toBe(404);
  });
});

describe('POST /@logout', () => {
  it.each([
    ['a user', (): Promise<string> => bearerOf('alice')],
    ['an expired token', async (): Promise<string> => forge({ exp: 1_000_000 })],
    ['nobody', async (): Promise<undefined> => undefined],
  ])('is 204 for %s', async (_, authorization) => {
    const answer = await nobody.with(await authorization()).post('/@logout');
    expect([answer.status, answer.text]).toEqual([204, '']);
  });

  it('takes any body', async () => {
    expect((await nobody.post('/@logout', '{bad')).status).toBe(204);
  });

  it('is a view of the site root only', async () => {
    expect((await nobody.post('/nowhere/@logout')).status).toBe(404);
  });
});

describe('who a request is from', () => {
  const READERS_VIEW = '/@types';

  it.each([
    ['Basic', async (): Promise<string> => basic('rita')],
    ['Basic with letters beyond ASCII', async (): Promise<string> => basic('jürgen', 'päss:wörd ☃')],
    ['Bearer', (): Promise<string> => bearerOf('rita')],
    ['the scheme in lower case', async (): Promise<string> => (await bearerOf('rita')).replace('Bearer', 'bearer')],
  ])('is known by %s', async (_, authorization) => {
    expect((await nobody.with(await authorization()).get(READERS_VIEW)).status).toBe(200);
  });

  it.each([
    ['no credentials', (): undefined => undefined],
    ['an expired token', (): string => forge({ exp: 1_000_000 })],
    ['a token of another secret', (): string => forge({}, { secret: 'another secret of at least 32 characters' })],
    ['a token of another issuer', (): string => forge({ iss: 'elsewhere' })],
    ['a token of somebody unknown', (): string => forge({ sub: 'zoe' })],
    ['a wrong password', (): string => basic('rita', 'wrong')],
    ['another scheme', (): string => 'Negotiate abc'],
  ])('is unknown with %s: 401 with a challenge', async (_, authorization) => {
    const answer = await nobody.with(authorization()).get(READERS_VIEW);
    expect(answer.status).toBe(401);
    isJson(answer);
    expect(answer.json).toMatchObject({
      type: 'Unauthorized',
      message: 'You are not authorized to access this resource.',
    });
    expect(answer.headers['www-authenticate']).toContain('Bearer realm="latchkey"');
  });

  it('is not known by wrong credentials where nobody needs any: they are refused', async () => {
    expect((await nobody.get('/@breadcrumbs')).status).toBe(200);
    expect((await nobody.with(forge({ exp: 1_000_000 })).get('/@breadcrumbs')).status).toBe(401);
  });
});

it('a token of a generated user is worth nothing where CMS_USERS names one of the same name', async () => {
  const users = [{ name: 'alice', password: 'generated', role: 'manager' as const }];
  const development = await startApp({}, app, { users });
  try {
    const { json } = await new ContentHttp(development.port).post('/@login', { login: 'alice', password: 'generated' });
    const authorization = `Bearer ${json.token}`;
    expect((await new ContentHttp(development.port, authorization).get('/@users/alice')).status).toBe(200);
    expect((await nobody.with(authorization).get('/@users/alice')).status).toBe(401);
    const configured = await bearerOf('alice');
    expect((await new ContentHttp(development.port, configured).get('/@users/alice')).status).toBe(401);
  } finally {
    await development.close();
  }
});
