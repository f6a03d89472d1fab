import crypto, { createHmac } from 'node:crypto';
import { type IncomingHttpHeaders, request } from 'node:http';
import { CallerAuthenticator } from '../../src/auth/caller.authenticator';
import { NativeAuthGuard } from '../../src/auth/native-auth.guard';
import { Dispatcher } from '../../src/http/dispatcher';
import { AUDIENCE, OidcIssuer } from '../support/oidc-issuer';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

type SigningKey = Awaited<ReturnType<OidcIssuer['addKey']>>;

const SECRET = 'a secret of at least 32 characters for tests';
const USERS = 'rita:one:reader,ed:two:with:colons:editor,jürgen:pässwörd ☃:manager';
const ACCESSES = ['nothing', 'inspect', 'lock', 'force', 'audit'] as const;
const BASIC = 'Basic realm="latchkey", charset="UTF-8"';
const INVALID = 'Bearer realm="latchkey", error="invalid_token", error_description=';

const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

interface NativeAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  challenges: string[];
  text: string;
}

let issuer: OidcIssuer;
let key: SigningKey;
/** Locks are open on this one, as after a first start. */
let open: TestApp;
/** This one has a token for lock clients, and patience with wrong credentials. */
let closed: TestApp;
const apps: TestApp[] = [];

async function start(env: Record<string, string> = {}): Promise<TestApp> {
  const app = await startApp({ CMS_USERS: USERS, ...env }, apps[0]);
  apps.push(app);
  // One route for each right. Its answer names the caller.
  for (const access of ACCESSES) {
    app.app.get(Dispatcher).addRoute('native', {
      method: 'GET',
      pattern: `api/v1/probe/${access}`,
      access,
      guards: [app.app.get(NativeAuthGuard)],
      handlerName: `Probe.${access}`,
      handle: ({ principal }) => ({ status: 200, headers: [], body: `${principal.kind} ${principal.name}` }),
    });
  }
  return app;
}

beforeAll(async () => {
  issuer = await OidcIssuer.start();
  key = await issuer.addKey();
  open = await start({ FAILED_LOGINS_PER_MINUTE: '1000' });
  closed = await start({
    DAPR_API_TOKEN: 'lock-token',
    OIDC_ISSUER: issuer.url,
    OIDC_AUDIENCE: AUDIENCE,
    FAILED_LOGINS_PER_MINUTE: '1000',
  });
});
afterAll(async () => {
  for (const app of apps.reverse()) await app.close();
  await issuer.stop();
});

/** @param from address of the loopback that the request comes from */
function get(app: TestApp, path: string, headers: Record<string, string> = {}, from = '127.0.0.1') {
  return new Promise<NativeAnswer>((resolve, reject) => {
    const options = { host: '127.0.0.1', port: app.port, path, headers, localAddress: from, agent: false as const };
    request(options, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode!,
          headers: incoming.headers,
          challenges: incoming.headersDistinct['www-authenticate'] ?? [],
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    })
      .on('error', reject)
      .end();
  });
}

const probe = (app: TestApp, access: string, headers?: Record<string, string>, from?: string) =>
  get(app, `/api/v1/probe/${access}`, headers, from);

async function loginToken(app: TestApp, name: string): Promise<string> {
  return (await app.app.get(CallerAuthenticator).renew(name))!.token;
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
function forge(header: object, claims: object, secret: string | null): string {
  const text = `${base64url(header)}.${base64url(claims)}`;
  return `${text}.${secret === null ? '' : createHmac('sha256', secret).update(text).digest('base64url')}`;
}

/** Headers of each credential. */
const CREDENTIALS: Record<string, () => Promise<Record<string, string>>> = {
  none: async () => ({}),
  'dapr-api-token': async () => ({ 'dapr-api-token': 'lock-token' }),
  'reader, Basic': async () => ({ authorization: basic('rita', 'one') }),
  'editor, Basic': async () => ({ authorization: basic('ed', 'two:with:colons') }),
  'manager, Basic': async () => ({ authorization: basic('jürgen', 'pässwörd ☃') }),
  'reader, login token': async () => ({ authorization: `Bearer ${await loginToken(closed, 'rita')}` }),
  'editor, login token': async () => ({ authorization: `Bearer ${await loginToken(closed, 'ed')}` }),
  'manager, login token': async () => ({ authorization: `Bearer ${await loginToken(closed, 'jürgen')}` }),
  'OIDC owner': async () => ({ authorization: `Bearer ${await issuer.token(key, { roles: 'owner' })}` }),
  'OIDC reader': async () => ({ authorization: `Bearer ${await issuer.token(key, { roles: 'reader' })}` }),
  'OIDC without role': async () => ({ authorization: `Bearer ${await issuer.token(key)}` }),
};

describe('what each credential may do', () => {
  //                                           nothing inspect lock force audit
  const MATRIX: [credential: string, statuses: number[]][] = [
    ['none', [200, 401, 401, 401, 401]],
    ['dapr-api-token', [200, 200, 200, 403, 403]],
    ['reader, Basic', [200, 200, 403, 403, 403]],
    ['reader, login token', [200, 200, 403, 403, 403]],
    ['editor, Basic', [200, 200, 200, 403, 403]],
    ['editor, login token', [200, 200, 200, 403, 403]],
    ['manager, Basic', [200, 200, 200, 200, 200]],
    ['manager, login token', [200, 200, 200, 200, 200]],
    ['OIDC owner', [200, 200, 200, 403, 403]],
    ['OIDC reader', [200, 200, 403, 403, 403]],
    ['OIDC without role', [200, 403, 403, 403, 403]],
  ];

  it.each(MATRIX)('%s', async (credential, statuses) => {
    const headers = await CREDENTIALS[credential]!();
    const found: number[] = [];
    for (const access of ACCESSES) found.push((await probe(closed, access, headers)).status);
    expect(found).toEqual(statuses);
  });

  it('nothing, while locks are open on loopback', async () => {
    const answers = await Promise.all(ACCESSES.map((access) => probe(open, access)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 401, 401]);
    expect(answers[2]!.text).toBe('dapr dapr');
  });

  it('names the caller to the route', async () => {
    const names: string[] = [];
    for (const credential of ['dapr-api-token', 'manager, Basic', 'manager, login token', 'OIDC owner']) {
      names.push((await probe(closed, 'inspect', await CREDENTIALS[credential]!())).text);
    }
    expect(names).toEqual(['dapr dapr', 'user jürgen', 'user jürgen', 'oidc subject-1']);
  });
});

describe('a refusal', () => {
  it('is a problem that lists every scheme', async () => {
    const answer = await probe(closed, 'inspect');
    expect(answer).toMatchObject({ status: 401, challenges: [BASIC, 'Bearer realm="latchkey"'] });
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(JSON.parse(answer.text)).toMatchObject({ type: 'urn:latchkey:problem:unauthorized', status: 401 });
  });

  it('of a known caller has no challenge', async () => {
    const answer = await probe(closed, 'force', { authorization: basic('rita', 'one') });
    expect(answer).toMatchObject({ status: 403, challenges: [] });
    expect(JSON.parse(answer.text)).toMatchObject({ type: 'urn:latchkey:problem:forbidden', status: 403 });
  });

  it.each([
    ['a wrong password', { authorization: basic('ed', 'wrong') }],
    ['the password of somebody else', { authorization: basic('ed', 'one') }],
    ['half of a password with colons', { authorization: basic('ed', 'two') }],
    ['a name that nobody has', { authorization: basic('nobody', 'one') }],
    ['a name in another spelling', { authorization: basic('Ed', 'two:with:colons') }],
    ['no colon', { authorization: `Basic ${Buffer.from('ed').toString('base64')}` }],
    ['no base64', { authorization: 'Basic ed:two' }],
    ['no UTF-8', { authorization: `Basic ${Buffer.from('jürgen:pässwörd', 'latin1').toString('base64')}` }],
    ['nothing', { authorization: 'Basic' }],
    ['an empty header', { authorization: '' }],
    ['another scheme', { authorization: 'HMAC-SHA256 Credential=test-rw&SignedHeaders=host&Signature=x' }],
    ['a wrong token for locks', { 'dapr-api-token': 'lock-tokem' }],
    ['the right token for locks in another place', { authorization: 'Bearer lock-token' }],
  ])('meets %s, even where nothing is needed and on loopback', async (_, headers) => {
    for (const app of [closed, open]) {
      for (const access of ['nothing', 'inspect']) {
        expect((await probe(app, access, headers as Record<string, string>)).status).toBe(401);
      }
    }
  });

  it.each<[string, (exp: number) => string]>([
    [
      'without signature (alg none)',
      (exp) => forge({ alg: 'none' }, { iss: 'latchkey', sub: 'jürgen', iat: 1, exp }, null),
    ],
    [
      'with another secret',
      (exp) => forge({ alg: 'HS256' }, { iss: 'latchkey', sub: 'jürgen', iat: 1, exp }, 'x'.repeat(32)),
    ],
    [
      'that is over',
      (exp) => forge({ alg: 'HS256' }, { iss: 'latchkey', sub: 'jürgen', iat: 1, exp: exp - 3610 }, SECRET),
    ],
    ['of a user who is gone', (exp) => forge({ alg: 'HS256' }, { iss: 'latchkey', sub: 'gone', iat: 1, exp }, SECRET)],
    ['of no issuer', (exp) => forge({ alg: 'HS256' }, { sub: 'jürgen', iat: 1, exp }, SECRET)],
    [
      'of another issuer',
      (exp) => forge({ alg: 'HS256' }, { iss: 'https://x.example', sub: 'jürgen', iat: 1, exp }, SECRET),
    ],
    [
      'of the identity provider with our secret',
      (exp) =>
        forge({ alg: 'HS256' }, { iss: issuer.url, aud: AUDIENCE, sub: 's', roles: 'owner', iat: 1, exp }, SECRET),
    ],
  ])('meets a token %s', async (_, make) => {
    const token = make(Math.floor(Date.now() / 1000) + 3600);
    const answer = await probe(closed, 'nothing', { authorization: `Bearer ${token}` });
    expect(answer).toMatchObject({ status: 401, challenges: [BASIC, expect.stringContaining(INVALID)] });
  });

  it('meets a token of the identity provider that says it is ours', async () => {
    const token = await issuer.token(key, { iss: 'latchkey', sub: 'jürgen' });
    expect(await probe(closed, 'nothing', { authorization: `Bearer ${token}` })).toMatchObject({ status: 401 });
  });

  it('meets a token of an identity provider where none is configured', async () => {
    const other = await start();
    const token = await issuer.token(key, { roles: 'owner' });
    expect(await probe(other, 'nothing', { authorization: `Bearer ${token}` })).toMatchObject({ status: 401 });
    // Made with the same secret: replicas believe each other's.
    const ours = await loginToken(closed, 'ed');
    expect(await probe(other, 'lock', { authorization: `Bearer ${ours}` })).toMatchObject({ status: 200 });
  });
});

describe('wrong credentials beyond the limit', () => {
  it('are 429 with the time to wait, for the address they came from', async () => {
    const app = await start();
    const startedAt = performance.now();
    const wrong = (count: number) => ({ authorization: basic('ed', `wrong ${count % 3}`) });
    for (let count = 1; count <= 10; count++) expect((await probe(app, 'inspect', wrong(count))).status).toBe(401);
    const eleventh = await probe(app, 'inspect', wrong(11));
    expect(eleventh).toMatchObject({ status: 429, challenges: [] });
    const ms = Number(eleventh.headers['retry-after-ms']);
    // A minute from the first one, which was after that moment.
    expect(ms).toBeGreaterThanOrEqual(60_000 - (performance.now() - startedAt));
    expect(ms).toBeLessThanOrEqual(60_000);
    expect(eleventh.headers['retry-after']).toBe(String(Math.ceil(ms / 1000)));
    expect(JSON.parse(eleventh.text).type).toBe('urn:latchkey:problem:too-many-failed-logins');

    expect((await probe(app, 'lock', { authorization: basic('ed', 'two:with:colons') })).status).toBe(200);
    expect((await probe(app, 'lock')).status).toBe(200);
    expect((await probe(app, 'inspect', wrong(1), '127.0.0.2')).status).toBe(401);
  });

  it('that fill every line keep nobody out at the same address', async () => {
    const app = await start();
    // A hash ends when the test says so: the lines stay full.
    const ends: (() => void)[] = [];
    const scrypt = jest.spyOn(crypto, 'scrypt').mockImplementation((_password, _salt, length, _options, done) => {
      ends.push(() => done(null, Buffer.alloc(length)));
    });
    try {
      const statuses: number[] = [];
      const flood = Array.from({ length: 40 }, async (_, index) => {
        statuses.push((await probe(app, 'inspect', { authorization: basic('ed', `guess ${index}`) })).status);
      });
      await waitFor(() => statuses.length === 16);
      expect(new Set(statuses)).toEqual(new Set([503]));
      const login = { login: 'jürgen', password: 'pässwörd ☃' };
      const found = await Promise.all([
        probe(app, 'lock', { authorization: basic('ed', 'two:with:colons') }),
        probe(app, 'lock', { authorization: basic('ed', 'two:with:colons') }),
        fetch(`http://127.0.0.1:${app.port}/@login`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', accept: 'application/json' },
          body: JSON.stringify(login),
        }),
      ]);
      expect(found.map(({ status }) => status)).toEqual([200, 200, 200]);
      await waitFor(() => {
        ends.shift()?.();
        return statuses.length === flood.length;
      });
      expect(statuses.slice(16).sort()).toEqual([...Array<number>(10).fill(401), ...Array<number>(14).fill(429)]);
    } finally {
      scrypt.mockRestore();
      for (const end of ends) end();
    }
  });

  it('in a flood delay neither others nor the right ones', async () => {
    const app = await start();
    // A hash takes its time on its thread, and is over when the test says so, however slowly the flood comes in.
    const ends: (() => void)[] = [];
    const realScrypt = crypto.scrypt;
    const scrypt = jest.spyOn(crypto, 'scrypt').mockImplementation((password, salt, length, options, done) => {
      realScrypt(password, salt, length, options, (error, hash) => ends.push(() => done(error, hash)));
    });
    try {
      const statuses: number[] = [];
      const flood = Array.from({ length: 200 }, async (_, index) => {
        const guess = { authorization: basic('ed', `guess ${index}`) };
        statuses.push((await probe(app, 'inspect', guess, '127.0.0.3')).status);
      });
      const others = await Promise.all([
        probe(app, 'lock', { authorization: basic('ed', 'two:with:colons') }, '127.0.0.4'),
        probe(app, 'lock', { authorization: `Bearer ${await loginToken(app, 'rita')}` }, '127.0.0.4'),
        probe(app, 'lock'),
        get(app, '/healthz'),
        probe(app, 'lock', { authorization: basic('rita', 'one') }, '127.0.0.3'),
      ]);
      expect(others.map(({ status }) => status)).toEqual([200, 403, 200, 200, 403]);
      // Three are hashed and 5 + 16 wait; the rest is turned away unhashed.
      await waitFor(() => statuses.length === 176);
      expect(new Set(statuses)).toEqual(new Set([503]));
      expect(scrypt).toHaveBeenCalledTimes(3);
      await waitFor(() => {
        ends.shift()?.();
        return statuses.length === flood.length;
      });
      expect(statuses.slice(176).sort()).toEqual([...Array<number>(10).fill(401), ...Array<number>(14).fill(429)]);
      expect((await probe(app, 'lock', { authorization: basic('rita', 'one') }, '127.0.0.3')).status).toBe(403);
    } finally {
      scrypt.mockRestore();
      for (const end of ends) end();
    }
  });
});
