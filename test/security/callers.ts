import { createHash, createHmac } from 'node:crypto';
import { type IncomingHttpHeaders, request } from 'node:http';
import { CallerAuthenticator } from '../../src/auth/caller.authenticator';
import { AzureHttp } from '../support/azure-http';
import { type OidcIssuer } from '../support/oidc-issuer';
import { READ_ONLY_KEY, READ_WRITE_KEY, type TestApp } from '../support/start-app';

/** Secrets of the specs. None of these texts is part of anything that a test may rightly see in an answer or in the log. */
export const SECRETS = {
  lockToken: 'lock-token-0f3c1a',
  passwords: { reader: 'pw-of-rita-7d2', editor: 'pw-of-ed-91b', manager: 'pw-of-mia-c40' },
  wrongPassword: 'pw-of-nobody-e5e',
  wrongLockToken: 'lock-token-of-nobody-8aa',
  value: 'value-that-nobody-may-see-55f',
  jwt: 'jwt secret of the security specs 4b1',
};
const NAMES = { reader: 'rita', editor: 'ed', manager: 'mia' } as const;
type Role = keyof typeof NAMES;
export const CMS_USERS = (Object.keys(NAMES) as Role[])
  .map((role) => `${NAMES[role]}:${SECRETS.passwords[role]}:${role}`)
  .join(',');

/** What is sent, as far as credentials depend on it. */
export interface Call {
  readonly method: string;
  readonly target: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly text: string;
}

/** Headers that make a call one of a certain caller's. */
export type Credentials = (call: Call, host: string) => Record<string, string>;

export const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

const fixed =
  (headers: Record<string, string>): Credentials =>
  () =>
    headers;

function signed(key: { id: string; secret: string }): Credentials {
  const client = new AzureHttp(0, key);
  return ({ method, target, body }, host) =>
    client.sign(method, target, body === undefined ? undefined : Buffer.from(body), host);
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A login token as only the holder of the secret could make it. */
function forgedLogin(sub: string, secret: string, alg = 'HS256'): string {
  const now = Math.floor(Date.now() / 1000);
  const text = `${base64url({ alg, typ: 'JWT' })}.${base64url({ iss: 'latchkey', sub, iat: now, exp: now + 600 })}`;
  return `${text}.${alg === 'none' ? '' : createHmac('sha256', secret).update(text).digest('base64url')}`;
}

export type Caller = (typeof CALLERS)[number];
/** Everybody that can be told apart by credentials, right and wrong ones. */
export const CALLERS = [
  'nobody',
  'read-only key',
  'read-write key',
  'lock token',
  'reader',
  'reader, login token',
  'editor',
  'editor, login token',
  'manager',
  'manager, login token',
  'OIDC reader',
  'OIDC owner',
  'OIDC without role',
  'OIDC owner for reading key-values',
  'OIDC owner for reading snapshots',
  'OIDC owner for writing snapshots',
  'OIDC owner for writing snapshots of what it reads',
  'wrong password',
  'unknown user',
  'malformed Basic',
  'login token of another secret',
  'login token without signature',
  'OIDC token of another key',
  'OIDC token that ran out',
  'OIDC token for another audience',
  'wrong signature',
  'unknown key',
  'unknown scheme',
  'wrong lock token',
] as const;

/** Headers of each caller; tokens are made once, so a run has to be over within ten minutes. */
export async function credentialsOf(app: TestApp, issuer: OidcIssuer): Promise<Record<Caller, Credentials>> {
  const key = await issuer.addKey();
  const foreign = { ...(await issuer.addKey()), kid: key.kid };
  const login = async (role: Role): Promise<Credentials> => {
    const { token } = (await app.app.get(CallerAuthenticator).renew(NAMES[role]))!;
    return fixed({ authorization: `Bearer ${token}` });
  };
  const password = (role: Role): Credentials => fixed({ authorization: basic(NAMES[role], SECRETS.passwords[role]) });
  const bearer = (token: string): Credentials => fixed({ authorization: `Bearer ${token}` });
  const oidc = async (claims: Record<string, unknown>, by = key): Promise<Credentials> =>
    bearer(await issuer.token(by, claims));
  return {
    nobody: fixed({}),
    'read-only key': signed(READ_ONLY_KEY),
    'read-write key': signed(READ_WRITE_KEY),
    'lock token': fixed({ 'dapr-api-token': SECRETS.lockToken }),
    reader: password('reader'),
    'reader, login token': await login('reader'),
    editor: password('editor'),
    'editor, login token': await login('editor'),
    manager: password('manager'),
    'manager, login token': await login('manager'),
    'OIDC reader': await oidc({ roles: 'reader' }),
    'OIDC owner': await oidc({ roles: ['App Configuration Data Owner'] }),
    'OIDC without role': await oidc({}),
    'OIDC owner for reading key-values': await oidc({ roles: 'owner', scp: 'KeyValue.Read' }),
    'OIDC owner for reading snapshots': await oidc({ roles: 'owner', scp: 'Snapshot.Read' }),
    'OIDC owner for writing snapshots': await oidc({ roles: 'owner', scp: 'Snapshot.Write' }),
    'OIDC owner for writing snapshots of what it reads': await oidc({
      roles: 'owner',
      scp: 'Snapshot.Write KeyValue.Read',
    }),
    'wrong password': fixed({ authorization: basic('mia', SECRETS.wrongPassword) }),
    'unknown user': fixed({ authorization: basic('nobody', SECRETS.wrongPassword) }),
    'malformed Basic': fixed({ authorization: `Basic ${SECRETS.wrongPassword}` }),
    'login token of another secret': bearer(forgedLogin('mia', 'some other secret of 32 characters')),
    'login token without signature': bearer(forgedLogin('mia', '', 'none')),
    'OIDC token of another key': await oidc({ roles: 'owner' }, foreign),
    'OIDC token that ran out': await oidc({ roles: 'owner', exp: Math.floor(Date.now() / 1000) - 600 }),
    'OIDC token for another audience': await oidc({ roles: 'owner', aud: 'https://elsewhere.example' }),
    'wrong signature': signed({ ...READ_WRITE_KEY, secret: Buffer.from('guessed').toString('base64') }),
    'unknown key': signed({ ...READ_WRITE_KEY, id: 'nobody' }),
    'unknown scheme': fixed({ authorization: `Negotiate ${SECRETS.wrongPassword}` }),
    'wrong lock token': fixed({ 'dapr-api-token': SECRETS.wrongLockToken }),
  };
}

/** Sends one call with a caller's credentials, on a connection of the default agent. */
export function send(port: number, call: Call, credentials: Credentials = () => ({})): Promise<Answer> {
  const { method, target, body } = call;
  const host = `127.0.0.1:${port}`;
  const headers: Record<string, string> = { host, ...call.headers, ...credentials(call, host) };
  if (body !== undefined) {
    headers['content-length'] = String(Buffer.byteLength(body));
    headers['content-type'] ??= 'application/json';
  }
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, method, path: target, headers }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode!,
          headers: incoming.headers,
          rawHeaders: incoming.rawHeaders,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    })
      .on('error', reject)
      .end(body);
  });
}

/** Every text that must be in no refusal and in no line of the log, in each spelling in which it is sent. */
export function forbiddenTexts(headersSent: Iterable<Record<string, string>>): string[] {
  const texts = new Set<string>([
    SECRETS.lockToken,
    SECRETS.wrongPassword,
    SECRETS.wrongLockToken,
    SECRETS.value,
    SECRETS.jwt,
    ...Object.values(SECRETS.passwords),
    READ_ONLY_KEY.secret,
    READ_WRITE_KEY.secret,
    Buffer.alloc(32, 7).toString('base64'),
    createHash('sha256').update(SECRETS.lockToken).digest('hex'),
  ]);
  for (const { authorization } of headersSent) {
    if (authorization === undefined) continue;
    texts.add(authorization);
    // The part behind the scheme; of a token also its signature, of a signed request the signature alone.
    const credentials = authorization.slice(authorization.indexOf(' ') + 1);
    texts.add(credentials);
    const signature = /Signature=(.+)$/.exec(credentials)?.[1] ?? credentials.split('.')[2];
    if (signature) texts.add(signature);
  }
  return [...texts];
}

/** What would show that an answer came from the inside: a stack, a path of ours, or SQL. */
export const INSIDES =
  /\n\s+at |node_modules|\.(?:js|ts):\d+|\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|RETURNING)\b|key_value|content_object|content_lock|pg_|QueryFailed|TypeError|Error:/;
