import { createHmac } from 'node:crypto';
import { exportSPKI, importJWK, type KeyLike } from 'jose';
import { DatabaseClock } from '../../src/database/database-clock';
import { atOnce } from '../support/at-once';
import { type AzureAnswer } from '../support/azure-http';
import { AUDIENCE, OidcIssuer } from '../support/oidc-issuer';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

type SigningKey = Awaited<ReturnType<OidcIssuer['addKey']>>;

const READER = { roles: ['App Configuration Data Reader'] };
const OWNER = { roles: ['App Configuration Data Owner'] };
const INVALID = 'Authorization token failed validation';
const WRONG_ISSUER =
  'The access token is from the wrong issuer. It must match the AD tenant associated with the subscription, to which the configuration store belongs. If you just transferred your subscription and see this error message, please try back later.';
const MINUTE = 60;
const now = (): number => Math.floor(Date.now() / 1000);

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

let issuer: OidcIssuer;
let key: SigningKey;
let app: TestApp;
beforeAll(async () => {
  issuer = await OidcIssuer.start();
  key = await issuer.addKey();
  app = await startApp({ OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: AUDIENCE, FAILED_LOGINS_PER_MINUTE: '1000' });
  expect((await app.azure.put('/kv/there', { value: 'v' })).status).toBe(200);
});
afterAll(async () => {
  await app?.close();
  await issuer.stop();
});

interface Call {
  method?: string;
  target?: string;
  body?: object;
  scheme?: string;
  to?: TestApp;
  headers?: Record<string, string>;
}

function call(token: string, { method = 'GET', target = '/kv/there', scheme = 'Bearer', ...rest }: Call = {}) {
  const { to = app, body, headers } = rest;
  const authorization = `${scheme} ${token}`;
  return to.azure.send(method, target, { signed: false, body, headers: { ...headers, authorization } });
}

const challengesOf = ({ rawHeaders }: AzureAnswer): string[] =>
  rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]!.toLowerCase() === 'www-authenticate');

function expectRefusal(answer: AzureAnswer, description = INVALID): void {
  expect(answer).toMatchObject({ status: 401, text: '' });
  expect(challengesOf(answer)).toEqual([
    'HMAC-SHA256',
    `Bearer error="invalid_token", error_description="${description}"`,
  ]);
}

describe('a token of the configured issuer', () => {
  it('reads and does not write as a reader', async () => {
    const token = await issuer.token(key, READER);
    expect((await call(token)).json.value).toBe('v');
    for (const target of ['/kv', '/keys', '/labels', '/revisions']) {
      expect((await call(token, { target })).status).toBe(200);
    }
    expect((await call(token, { method: 'HEAD' })).status).toBe(200);
    for (const method of ['PUT', 'DELETE']) {
      expect(await call(token, { method, body: { value: 'x' } })).toMatchObject({ status: 403, text: '' });
    }
    expect((await app.azure.get('/kv/there')).json.value).toBe('v');
  });

  it('writes as an owner, and history names its subject', async () => {
    const token = await issuer.token(key, { ...OWNER, sub: 'somebody|7', preferred_username: 'who@example.com' });
    expect((await call(token, { method: 'PUT', target: '/kv/owned', body: { value: 'mine' } })).status).toBe(200);
    expect((await call(token, { method: 'DELETE', target: '/kv/owned' })).status).toBe(200);
    expect(await app.sql(`SELECT DISTINCT actor FROM key_value_revision WHERE key = 'owned'`)).toEqual([
      { actor: 'somebody|7' },
    ]);
  });

  it.each([[{}], [{ roles: [] }], [{ roles: 'Contributor' }], [{ roles: { owner: true } }], [{ roles: null }]])(
    'is known but allowed nothing with the claims %j',
    async (claims) => {
      expect(await call(await issuer.token(key, claims))).toMatchObject({ status: 403, text: '' });
    },
  );

  it('is narrowed by scp', async () => {
    const token = await issuer.token(key, { ...OWNER, scp: 'openid KeyValue.Read KeyValue.Write' });
    expect((await call(token)).status).toBe(200);
    expect((await call(token, { method: 'PUT', target: '/kv/narrow', body: { value: 'v' } })).status).toBe(200);
    expect((await call(token, { method: 'DELETE', target: '/kv/narrow' })).status).toBe(403);
    const reader = await issuer.token(key, { ...READER, scp: 'KeyValue.Write user_impersonation' });
    expect((await call(reader)).status).toBe(200);
    expect((await call(reader, { method: 'PUT', body: { value: 'x' } })).status).toBe(403);
    expect((await call(await issuer.token(key, { ...OWNER, scp: 'openid' }))).status).toBe(403);
  });

  it.each([
    ['KeyValue.Read', '1.0', 200],
    ['Snapshot.Read', '1.0', 403],
    ['KeyValue.Read', '2023-10-01', 403],
    ['Snapshot.Read', '2023-10-01', 200],
  ])('with scp %s lists /kv?snapshot= of api-version %s as what that is there: %i', async (scp, version, status) => {
    const target = `/kv?snapshot=s&api-version=${version}`;
    expect((await call(await issuer.token(key, { ...OWNER, scp }), { target })).status).toBe(status);
  });

  it.each(['bearer', 'BEARER', 'bEaReR', 'Bearer '])('may write the scheme as %j', async (scheme) => {
    expect((await call(await issuer.token(key, READER), { scheme })).status).toBe(200);
  });

  it.each([['HTTPS://AppConfig.Azure.Com'], [['https://other', AUDIENCE]]])(
    'may name the audience as %j',
    async (aud) => {
      expect((await call(await issuer.token(key, { ...READER, aud }))).status).toBe(200);
    },
  );

  it('may differ from the clock by half a minute', async () => {
    for (const claims of [{ exp: now() - 30 }, { nbf: now() + 30 }]) {
      expect((await call(await issuer.token(key, { ...READER, ...claims }))).status).toBe(200);
    }
  });

  it('is judged by the database’s clock, not by that of the host', async () => {
    const hour = 3_600_000;
    const clock = jest.spyOn(app.app.get(DatabaseClock), 'now');
    try {
      const token = await issuer.token(key, READER);
      clock.mockReturnValue(Date.now() + hour);
      expectRefusal(await call(token));
      expect((await call(await issuer.token(key, { ...READER, exp: now() + 70 * MINUTE }))).status).toBe(200);
      clock.mockReturnValue(Date.now() - hour);
      expectRefusal(await call(token));
    } finally {
      clock.mockRestore();
    }
  });

  it('is checked after the api-version and before the key, as signatures are', async () => {
    const token = await issuer.token(key, READER);
    expect((await call(token, { target: '/kv/there?api-version=nonsense' })).status).toBe(400);
    expect((await call('x', { target: '/kv/a%25b' })).status).toBe(401);
    expect((await call(token, { target: '/kv/a%25b' })).status).toBe(400);
  });
});

describe('401 for', () => {
  it.each([
    ['another audience', { aud: 'https://other' }],
    ['no audience', { aud: undefined }],
    ['an audience that only begins alike', { aud: `${AUDIENCE}.example` }],
    ['an audience that is no text', { aud: { [AUDIENCE]: 1 } }],
    ['an expired token', { exp: now() - 5 * MINUTE }],
    ['no expiry', { exp: undefined }],
    ['an expiry that is no number', { exp: 'never' }],
    ['a token not valid yet', { nbf: now() + 5 * MINUTE }],
    ['no subject', { sub: undefined }],
    ['an empty subject', { sub: ' ' }],
    ['a subject that no column holds', { sub: 'a\u0000b' }],
    ['a subject of 256 characters', { sub: 'a'.repeat(256) }],
    ['no issuer', { iss: undefined }],
    ['an issuer that is no text', { iss: ['x'] }],
  ])('%s', async (_what, claims) => {
    expectRefusal(await call(await issuer.token(key, { ...OWNER, ...claims })));
  });

  it('a token of another issuer, in its own words and without a look at its keys', async () => {
    const other = await OidcIssuer.start();
    const otherKey = await other.addKey();
    expectRefusal(await call(await other.token(otherKey, OWNER)), WRONG_ISSUER);
    expect(other.asked).toEqual([]);
    // Signed by the other, in the name of ours, with the id of a key of ours.
    expectRefusal(await call(await issuer.token({ ...otherKey, kid: key.kid }, OWNER)));
    await other.stop();
  });

  it('an altered token', async () => {
    const token = await issuer.token(key, READER);
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
    const forged = base64url({ ...claims, ...OWNER });
    for (const altered of [
      `${header}.${forged}.${signature}`,
      `${header}.${payload}.${signature.split('').reverse().join('')}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${token}.${signature}`,
    ]) {
      expectRefusal(await call(altered));
    }
  });

  it('algorithms that prove nothing: none, and HS* with the public key as the secret', async () => {
    const [, payload] = (await issuer.token(key, OWNER)).split('.');
    const pem = await exportSPKI((await importJWK(key.jwk, 'RS256')) as KeyLike);
    for (const alg of ['none', 'None', 'NONE']) {
      expectRefusal(await call(`${base64url({ alg, kid: key.kid })}.${payload}.`));
    }
    for (const secret of [pem, pem.trim(), key.jwk.n!, JSON.stringify(key.jwk)]) {
      const text = `${base64url({ alg: 'HS256', kid: key.kid })}.${payload}`;
      expectRefusal(await call(`${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`));
    }
  });

  it.each([
    '',
    'x',
    '.',
    '..',
    '...',
    'a.b.c',
    '🙂',
    `${'e30.'.repeat(4)}e30`,
    'e30.e30.e30',
    'bnVsbA.bnVsbA.AA',
    'x y',
  ])('the token %j', async (token) => {
    expectRefusal(await call(Buffer.from(token).toString('latin1')));
  });

  it('a token beyond any that is in use', async () => {
    expectRefusal(await call(await issuer.token(key, { ...OWNER, groups: 'g'.repeat(18_000) })));
    expectRefusal(await call('a'.repeat(30_000)));
    expect((await call(await issuer.token(key, { ...READER, groups: 'g'.repeat(9_000) }))).status).toBe(200);
  });

  it('a bearer token where none is configured, without a word about it', async () => {
    const plain = await startApp({}, app);
    const answer = await call(await issuer.token(key, OWNER), { to: plain });
    expect(answer.status).toBe(401);
    expect(challengesOf(answer)).toEqual(['HMAC-SHA256', 'Bearer']);
    await plain.close();
  });
});

describe.each(['RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA'])('an issuer with %s', (alg) => {
  it('is believed', async () => {
    const other = await OidcIssuer.start();
    const otherKey = await other.addKey(alg);
    const itsApp = await startApp({ OIDC_ISSUER: `${other.url}/`, OIDC_AUDIENCE: AUDIENCE }, app);
    expect((await call(await other.token(otherKey, READER), { to: itsApp })).status).toBe(200);
    await itsApp.close();
    await other.stop();
  });
});

describe('the keys of the issuer', () => {
  let own: OidcIssuer;
  let ownKey: SigningKey;
  let ownApp: TestApp;
  beforeEach(async () => {
    own = await OidcIssuer.start();
    ownKey = await own.addKey();
    ownApp = await startApp({ OIDC_ISSUER: own.url, OIDC_AUDIENCE: AUDIENCE, FAILED_LOGINS_PER_MINUTE: '1000' }, app);
  });
  afterEach(async () => {
    await ownApp.close();
    await own.stop();
  });
  const statusOf = async (token: string): Promise<number> => (await call(token, { to: ownApp })).status;

  it('are fetched at the first good-looking token, once for all that come together', async () => {
    await ownApp.azure.get('/kv/there');
    await call('garbage', { to: ownApp });
    expect(own.asked).toEqual([]);
    const token = await own.token(ownKey, READER);
    expect(new Set(await atOnce(20, () => statusOf(token)))).toEqual(new Set([200]));
    expect(await statusOf(token)).toBe(200);
    expect(own.asked).toEqual(['/tenant/.well-known/openid-configuration', '/tenant/keys']);
  });

  it('are fetched again for a new key, once, and not for every key id that somebody invents', async () => {
    const token = await own.token(ownKey, READER);
    expect(await statusOf(token)).toBe(200);
    own.published = [];
    const newKey = await own.addKey();
    const newToken = await own.token(newKey, READER);
    expect(new Set(await atOnce(20, () => statusOf(newToken)))).toEqual(new Set([200]));
    expect(own.fetches).toBe(2);
    expect(await statusOf(token)).toBe(401);
    const invented = await atOnce(20, async (index) =>
      call(await own.token({ ...newKey, kid: `invented-${index}` }, OWNER), { to: ownApp }),
    );
    invented.forEach((answer) => expectRefusal(answer));
    expect(own.fetches).toBe(2);
    expect(await statusOf(newToken)).toBe(200);
  });

  it('stay in use while the issuer is away', async () => {
    const token = await own.token(ownKey, READER);
    expect(await statusOf(token)).toBe(200);
    await own.stop();
    expect(await statusOf(await own.token({ ...ownKey, kid: 'unknown' }, READER))).toBe(401);
    expect(await statusOf(token)).toBe(200);
  });

  it('are looked for again once an issuer that was away comes back', async () => {
    own.isAway = true;
    const token = await own.token(ownKey, READER);
    const answer = await call(token, { to: ownApp });
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('2');
    own.isAway = false;
    await waitFor(async () => (await statusOf(token)) === 200);
  });

  it('hold nobody up while the issuer is mute: 503 within seconds, and other requests not at all', async () => {
    own.isMute = true;
    const token = await own.token(ownKey, READER);
    // The time is over when this says so: however slow the machine is, it is not while others are served.
    const patience = new AbortController();
    const timeout = jest.spyOn(AbortSignal, 'timeout').mockImplementation(() => patience.signal);
    try {
      let isAnswered = false;
      const waiting = atOnce(10, () => statusOf(token)).finally(() => (isAnswered = true));
      await waitFor(() => own.asked.length > 0);
      expect((await ownApp.azure.get('/kv/there')).status).toBe(200);
      expect(await statusOf('garbage')).toBe(401);
      expect(isAnswered).toBe(false);
      expect(timeout.mock.calls).toEqual([[3_000]]);
      patience.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
      expect(new Set(await waiting)).toEqual(new Set([503]));
    } finally {
      timeout.mockRestore();
    }
    expect(own.asked).toHaveLength(1);
  });

  it.each([
    ['speaks for another issuer', { issuer: 'https://elsewhere.example' }],
    ['names no key set', { jwks_uri: undefined }],
    ['names a key set that is none', { jwks_uri: 'nowhere' }],
  ])('are not taken from a discovery document that %s', async (_what, metadata) => {
    own.metadata = metadata;
    expect(await statusOf(await own.token(ownKey, OWNER))).toBe(503);
  });
});

describe('behind a proxy that ends TLS', () => {
  it('a token that came to the proxy over plain http is refused', async () => {
    const behind = await startApp(
      {
        OIDC_ISSUER: issuer.url,
        OIDC_AUDIENCE: AUDIENCE,
        TRUSTED_TLS_PROXY: 'true',
        DAPR_API_TOKEN: 'a-token-of-the-tests',
        CMS_USERS: 'admin:a-password-of-the-tests:manager',
      },
      app,
    );
    const token = await issuer.token(key, READER);
    expect((await call(token, { to: behind })).status).toBe(200);
    expect((await call(token, { to: behind, headers: { 'x-forwarded-proto': 'https' } })).status).toBe(200);
    const refused = await call(token, { to: behind, headers: { 'x-forwarded-proto': 'http' } });
    expectRefusal(refused, 'Bearer tokens are accepted over TLS only');
    expect((await call(token, { headers: { 'x-forwarded-proto': 'http' } })).status).toBe(200);
    await behind.close();
  });
});

describe('wrong tokens', () => {
  it('are failed logins, of which too many are 429; missing ones and refused signatures are none', async () => {
    const env = { OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: AUDIENCE, FAILED_LOGINS_PER_MINUTE: '2' };
    const strict = await startApp(env, app);
    try {
      const unsigned = { signed: false };
      const forged = { ...unsigned, headers: { authorization: 'HMAC-SHA256 Credential=test-rw&SignedHeaders=host' } };
      for (let count = 0; count < 3; count++) {
        expect((await strict.azure.get('/kv/there', unsigned)).status).toBe(401);
        expect((await strict.azure.get('/kv/there', forged)).status).toBe(401);
      }
      const answers = [];
      for (let count = 0; count < 3; count++) answers.push(await call('not.a.token', { to: strict }));
      expect(answers.map(({ status }) => status)).toEqual([401, 401, 429]);
      expect(answers[2]!.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(Number(answers[2]!.headers['retry-after-ms'])).toBeGreaterThan(0);
      expect((await call(await issuer.token(key, OWNER), { to: strict })).status).toBe(200);
    } finally {
      await strict.close();
    }
  });
});
