import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppConfigurationClient, type AppConfigurationClientOptions } from '@azure/app-configuration';
import { AUDIENCE, OidcIssuer } from '../support/oidc-issuer';
import { startApp, type TestApp } from '../support/start-app';

const CERTIFICATE = join(__dirname, '../support/tls/test-only.cert.pem');
const KEY = join(__dirname, '../support/tls/test-only.key.pem');

type SigningKey = Awaited<ReturnType<OidcIssuer['addKey']>>;

/** `@azure/app-configuration` 1.13.0 with a token credential, as programs with a managed identity use it. */
let issuer: OidcIssuer;
let key: SigningKey;
let app: TestApp;
beforeAll(async () => {
  issuer = await OidcIssuer.start();
  key = await issuer.addKey();
  app = await startApp({
    TLS_CERT_FILE: CERTIFICATE,
    TLS_KEY_FILE: KEY,
    OIDC_ISSUER: issuer.url,
    OIDC_AUDIENCE: AUDIENCE,
  });
});
afterAll(async () => {
  await app?.close();
  await issuer.stop();
});

function connect(
  claims: Record<string, unknown>,
  { scheme = 'https', ...options }: AppConfigurationClientOptions & { scheme?: string } = {},
): { client: AppConfigurationClient; scopes: (string | string[])[] } {
  const scopes: (string | string[])[] = [];
  const credential = {
    getToken: async (wanted: string | string[]) => {
      scopes.push(wanted);
      return { token: await issuer.token(key, claims), expiresOnTimestamp: Date.now() + 600_000 };
    },
  };
  const client = new AppConfigurationClient(`${scheme}://127.0.0.1:${app.port}`, credential, {
    retryOptions: { maxRetries: 0 },
    tlsOptions: { ca: readFileSync(CERTIFICATE) },
    ...options,
  });
  return { client, scopes };
}

const refused = (statusCode: number): unknown => expect.objectContaining({ name: 'RestError', statusCode });

it('an owner writes, lists and deletes', async () => {
  const { client, scopes } = connect({ roles: ['App Configuration Data Owner'] });
  await client.setConfigurationSetting({ key: 'bearer/a', label: 'dev', value: 'by token' });
  expect((await client.getConfigurationSetting({ key: 'bearer/a', label: 'dev' })).value).toBe('by token');
  const keys: string[] = [];
  for await (const setting of client.listConfigurationSettings({ keyFilter: 'bearer/*' })) keys.push(setting.key);
  expect(keys).toEqual(['bearer/a']);
  expect((await client.deleteConfigurationSetting({ key: 'bearer/a', label: 'dev' })).statusCode).toBe(200);
  // What the issuer is asked for by default is the audience that the service expects.
  expect(scopes.flat()).toEqual([`${AUDIENCE}/.default`]);
});

it('a reader reads and is told 403 when writing', async () => {
  await connect({ roles: 'owner' }).client.setConfigurationSetting({ key: 'bearer/b', value: 'v' });
  const { client } = connect({ roles: 'reader' });
  expect((await client.getConfigurationSetting({ key: 'bearer/b' })).value).toBe('v');
  await expect(client.setConfigurationSetting({ key: 'bearer/b', value: 'x' })).rejects.toEqual(refused(403));
});

it('a token without a role is 403, one that is not good 401', async () => {
  const get = (claims: Record<string, unknown>): Promise<unknown> =>
    connect(claims).client.getConfigurationSetting({ key: 'bearer/c' });
  await expect(get({})).rejects.toEqual(refused(403));
  await expect(get({ roles: 'owner', exp: 1 })).rejects.toEqual(refused(401));
  await expect(get({ roles: 'owner', iss: 'https://sts.windows.net/other/' })).rejects.toEqual(refused(401));
});

it('the client itself sends no token over plain http', async () => {
  const { client, scopes } = connect({ roles: 'owner' }, { scheme: 'http', allowInsecureConnection: true });
  await expect(client.getConfigurationSetting({ key: 'bearer/d' })).rejects.toThrow(/https/i);
  expect(scopes).toEqual([]);
});
