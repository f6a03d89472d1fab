import { createHash, createHmac, randomBytes } from 'node:crypto';
import { seal } from '../../src/auth/secret-box';
import { RetentionService } from '../../src/retention/retention.service';
import { type AzureAnswer, AzureHttp } from '../support/azure-http';
import { exchange, type RawAnswer, requestText, valuesOf } from '../support/raw-http';
import { READ_ONLY_KEY, READ_WRITE_KEY, startApp, type TestApp } from '../support/start-app';

const MINUTE = 60_000;
const sha256 = (text: string): string => createHash('sha256').update(text, 'latin1').digest('base64');
const flip = (text: string, at: number): string =>
  text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

/** A request whose every part can be altered after it was signed. */
interface Sent {
  method: string;
  target: string;
  headers: Record<string, string>;
  body: string | undefined;
  credential: string;
  signedHeaders: string;
  signature: string;
  /** Text of the Authorization header; made of the three above. */
  authorization?: string | undefined;
}

let app: TestApp;
let host: string;
beforeAll(async () => {
  app = await startApp();
  host = `127.0.0.1:${app.port}`;
  expect((await app.azure.put('/kv/there', { value: 'v' })).status).toBe(200);
});
afterAll(() => app.close());

function unsigned(method: string, target: string, body?: string): Sent {
  return {
    method,
    target,
    headers: {
      host,
      'x-ms-date': new Date().toUTCString(),
      'x-ms-content-sha256': sha256(body ?? ''),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body,
    credential: READ_WRITE_KEY.id,
    signedHeaders: 'x-ms-date;host;x-ms-content-sha256',
    signature: '',
  };
}

/** Signs as the contract's section 9.2 says. @param hostText what the client takes for its host */
function sign(sent: Sent, { secret = READ_WRITE_KEY.secret, hostText = sent.headers['host']! } = {}): Sent {
  const values = sent.signedHeaders
    .split(';')
    .map((name) => (name.trim().toLowerCase() === 'host' ? hostText : sent.headers[name.trim().toLowerCase()]));
  const text = `${sent.method}\n${sent.target}\n${values.join(';')}`;
  const signature = createHmac('sha256', Buffer.from(secret, 'base64')).update(text, 'latin1').digest('base64');
  return { ...sent, signature };
}

const get = (): Sent => sign(unsigned('GET', '/kv/there?api-version=1.0'));
const put = (): Sent => sign(unsigned('PUT', '/kv/app%2Fkey?label=prod&api-version=2023-11-01', '{"value":"v"}'));

function send({ method, target, headers, body, ...parts }: Sent, port = app.port): Promise<RawAnswer> {
  const { credential, signedHeaders, signature } = parts;
  const authorization =
    'authorization' in parts
      ? parts.authorization
      : `HMAC-SHA256 Credential=${credential}&SignedHeaders=${signedHeaders}&Signature=${signature}`;
  const all = { ...headers, ...(authorization === undefined ? {} : { authorization }) };
  return exchange(port, requestText(method, target, all, body), method);
}

const withHeaders = (sent: Sent, headers: Record<string, string | undefined>): Sent => ({
  ...sent,
  headers: Object.fromEntries(
    Object.entries({ ...sent.headers, ...headers }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  ),
});

function expectRefusal(answer: RawAnswer, description?: string): void {
  const parameters = description === undefined ? '' : ` error="invalid_token", error_description="${description}"`;
  expect(answer).toMatchObject({ status: 401, body: '' });
  expect(valuesOf(answer, 'www-authenticate')).toEqual([`HMAC-SHA256${parameters}`, 'Bearer']);
  expect(valuesOf(answer, 'content-type')).toEqual([]);
}

const historyLength = async (): Promise<number> =>
  Number((await app.sql<{ count: string }>('SELECT count(*) FROM key_value_revision'))[0]!.count);

describe('a rightly signed request', () => {
  it.each(['&', ',', ', ', ' & ', ' , '])('may separate its parts by %j', async (separator) => {
    const { credential, signedHeaders, signature, ...sent } = get();
    const parts = [`Credential=${credential}`, `SignedHeaders=${signedHeaders}`, `Signature=${signature}`];
    for (const order of [parts, parts.toReversed()]) {
      const authorization = `HMAC-SHA256 ${order.join(separator)}`;
      expect(await send({ ...sent, credential, signedHeaders, signature, authorization })).toMatchObject({
        status: 200,
      });
    }
  });

  it('may be signed as Go and .NET do it, by Date', async () => {
    const sent = withHeaders(unsigned('PUT', '/kv/go?api-version=1.0', '{}'), {
      date: new Date().toUTCString(),
      'x-ms-date': undefined,
    });
    expect((await send(sign({ ...sent, signedHeaders: 'date;host;x-ms-content-sha256' }))).status).toBe(200);
  });

  it('may be dated as Python does it', async () => {
    const now = new Date();
    const [, day, month, year, time] = now.toUTCString().split(' ');
    const date = `${month}, ${day} ${year} ${time}.${String(now.getMilliseconds()).padStart(3, '0')}559 GMT`;
    expect((await send(sign(withHeaders(get(), { 'x-ms-date': date })))).status).toBe(200);
  });

  it.each([-14, 14])('may be %i minutes off', async (minutes) => {
    const date = new Date(Date.now() + minutes * MINUTE).toUTCString();
    expect((await send(sign(withHeaders(get(), { 'x-ms-date': date })))).status).toBe(200);
  });

  it('may sign more headers, in any order and case', async () => {
    const sent = withHeaders(put(), { accept: '*/*' });
    const signedHeaders = 'Content-Type;X-MS-CONTENT-SHA256;Accept;Host;x-ms-date';
    expect((await send(sign({ ...sent, signedHeaders }))).status).toBe(200);
  });

  it('may have any target that the surface reads, signed as it stands', async () => {
    for (const target of [
      '//kv?api-version=1.0',
      '/kv/a/../b?api-version=1.0&a=%2f&A=+',
      '/kv/%C3%a4;x?API-Version=1.0',
    ]) {
      const answer = await send(sign(unsigned('GET', target)));
      expect([200, 404]).toContain(answer.status);
    }
  });

  it('may use a read-only key for every read', async () => {
    for (const target of ['/kv', '/kv/there', '/keys', '/labels', '/revisions']) {
      for (const method of ['GET', 'HEAD']) expect((await app.azureReader.send(method, target)).status).toBe(200);
    }
  });
});

describe('a refusal', () => {
  const notFound = (name: string): string => `Required signing request header '${name}' not found`;
  it.each<[string, (sent: Sent) => Sent, string]>([
    ['2: nothing behind the scheme', (sent) => ({ ...sent, authorization: 'HMAC-SHA256' }), 'Invalid Credential'],
    ['2: blanks behind the scheme', (sent) => ({ ...sent, authorization: 'HMAC-SHA256   ' }), 'Invalid Credential'],
    [
      '3: no SignedHeaders',
      ({ signature, ...sent }) => ({
        ...sent,
        signature,
        authorization: `HMAC-SHA256 Credential=test-rw&Signature=${signature}`,
      }),
      'SignedHeaders parameter is required',
    ],
    [
      '4: empty header name',
      (sent) => ({ ...sent, signedHeaders: 'x-ms-date;;host' }),
      'Invalid SignedHeaders parameter',
    ],
    ['5: listed header missing', (sent) => ({ ...sent, signedHeaders: 'x-ms-date;host;x-other' }), notFound('x-other')],
    ['5: x-ms-date missing', (sent) => withHeaders(sent, { 'x-ms-date': undefined }), notFound('x-ms-date')],
    ['6: no date listed', (sent) => ({ ...sent, signedHeaders: 'host;x-ms-content-sha256' }), notFound('Date')],
    ['6: no host listed', (sent) => ({ ...sent, signedHeaders: 'x-ms-date;x-ms-content-sha256' }), notFound('Host')],
    ['6: no hash listed', (sent) => ({ ...sent, signedHeaders: 'x-ms-date;host' }), notFound('x-ms-content-sha256')],
    [
      '7: unreadable date',
      (sent) => sign(withHeaders(sent, { 'x-ms-date': 'yesterday' })),
      'Invalid access token date',
    ],
    [
      '8: 16 minutes late',
      (sent) => sign(withHeaders(sent, { 'x-ms-date': new Date(Date.now() - 16 * MINUTE).toUTCString() })),
      'The access token has expired',
    ],
    [
      '8: 16 minutes early',
      (sent) => sign(withHeaders(sent, { 'x-ms-date': new Date(Date.now() + 16 * MINUTE).toUTCString() })),
      'The access token has expired',
    ],
    ['9: no Credential', (sent) => ({ ...sent, credential: '' }), 'Invalid Credential'],
    ['9: unknown Credential', (sent) => ({ ...sent, credential: 'nobody' }), 'Invalid Credential'],
    ['10: no Signature', (sent) => ({ ...sent, signature: '' }), 'Signature is required'],
    ['11: not base64', (sent) => ({ ...sent, signature: 'no!base64' }), 'Invalid Signature'],
    ['11: of another secret', (sent) => sign(sent, { secret: READ_ONLY_KEY.secret }), 'Invalid Signature'],
    ['12: another body', (sent) => ({ ...sent, body: '{"value":"w"}' }), 'Invalid request content hash'],
  ])('%s', async (_what, alter, description) => {
    const before = await historyLength();
    expectRefusal(await send(alter(put())), description);
    expect(await historyLength()).toBe(before);
  });

  it.each([
    undefined,
    'Bearer x.y.z',
    'Basic dGVzdC1ydzp4',
    'Digest username="x"',
    'HMAC-SHA512 Credential=test-rw',
    'nonsense',
    '',
  ])('of the Authorization %j names the schemes only', async (authorization) => {
    const answer = await send({ ...put(), authorization });
    expectRefusal(answer);
  });

  it('shows a header name of the caller without letting it end the text', async () => {
    const answer = await send({ ...get(), signedHeaders: 'host;a"b\\c' });
    expectRefusal(answer, `Required signing request header 'a\\"b\\\\c' not found`);
  });
});

describe('a request that was altered on its way', () => {
  const alterations: [string, (sent: Sent) => Sent][] = [
    ...['GET', 'HEAD', 'DELETE'].map((method): [string, (sent: Sent) => Sent] => [
      `method ${method}`,
      (sent) => ({ ...sent, method, body: method === 'HEAD' ? undefined : sent.body }),
    ]),
    ...[
      '/kv/app/key?label=prod&api-version=2023-11-01',
      '/kv/app%2fkey?label=prod&api-version=2023-11-01',
      '/kv/app%2Fkez?label=prod&api-version=2023-11-01',
      '//kv/app%2Fkey?label=prod&api-version=2023-11-01',
      '/kv/app%2Fkey/?label=prod&api-version=2023-11-01',
      '/kv/./app%2Fkey?label=prod&api-version=2023-11-01',
      '/kv/app%2Fkey?api-version=2023-11-01&label=prod',
      '/kv/app%2Fkey?label=prod&api-version=2023-11-01&x=1',
      '/kv/app%2Fkey?label=prod&api-version=2023-10-01',
      '/kv/app%2Fkey?label=test&api-version=2023-11-01',
      '/kv/app%2Fkey?label=%70rod&api-version=2023-11-01',
      '/kv/app%2Fkey?Label=prod&api-version=2023-11-01',
      '/kv/app%2Fkey?api-version=2023-11-01',
    ].map((target): [string, (sent: Sent) => Sent] => [`target ${target}`, (sent) => ({ ...sent, target })]),
    ...['localhost', '127.0.0.1', '127.0.0.1:1', 'x127.0.0.1', 'LOCALHOST:80', '27.0.0.1'].map(
      (name): [string, (sent: Sent) => Sent] => [`host ${name}`, (sent) => withHeaders(sent, { host: name })],
    ),
    [
      'date by a second',
      (sent) =>
        withHeaders(sent, { 'x-ms-date': new Date(Date.parse(sent.headers['x-ms-date']!) + 1000).toUTCString() }),
    ],
    [
      'date in another form',
      (sent) => withHeaders(sent, { 'x-ms-date': new Date(sent.headers['x-ms-date']!).toISOString() }),
    ],
    [
      'date in another zone',
      (sent) => withHeaders(sent, { 'x-ms-date': sent.headers['x-ms-date']!.replace('GMT', 'UTC') }),
    ],
    ['hash of nothing', (sent) => withHeaders(sent, { 'x-ms-content-sha256': sha256('') })],
    ['no hash', (sent) => withHeaders(sent, { 'x-ms-content-sha256': '' })],
    [
      'hash and body alike',
      (sent) => withHeaders({ ...sent, body: '{"value":"w"}' }, { 'x-ms-content-sha256': sha256('{"value":"w"}') }),
    ],
    ...['{"value":"w"}', '{"value":"v"} ', ' {"value":"v"}', '', '{"value":"v","tags":{}}'].map(
      (body): [string, (sent: Sent) => Sent] => [`body ${body}`, (sent) => ({ ...sent, body })],
    ),
    ['no body', (sent) => ({ ...sent, body: undefined })],
    ...['test-ro', 'TEST-RW', 'test-rw ', 'test-r', 'test%2Drw'].map((credential): [string, (sent: Sent) => Sent] => [
      `credential ${credential}`,
      (sent) => (credential === 'test-rw ' ? { ...sent, credential: 'test-rw x' } : { ...sent, credential }),
    ]),
    ...[
      'host;x-ms-date;x-ms-content-sha256',
      'x-ms-date;host;x-ms-content-sha256;content-type',
      'x-ms-date;host;host;x-ms-content-sha256',
    ].map((signedHeaders): [string, (sent: Sent) => Sent] => [
      `signed headers ${signedHeaders}`,
      (sent) => ({ ...sent, signedHeaders }),
    ]),
    ...[0, 1, 20, 41, 42].map((at): [string, (sent: Sent) => Sent] => [
      `signature, character ${at}`,
      (sent) => ({ ...sent, signature: flip(sent.signature, at) }),
    ]),
    ['signature without padding', (sent) => ({ ...sent, signature: sent.signature.slice(0, -1) })],
    ['signature with more padding', (sent) => ({ ...sent, signature: `${sent.signature}=` })],
    ['signature with junk', (sent) => ({ ...sent, signature: `!${sent.signature}` })],
    [
      'signature in hexadecimal',
      (sent) => ({ ...sent, signature: Buffer.from(sent.signature, 'base64').toString('hex') }),
    ],
    ['signature of another request', (sent) => ({ ...sent, signature: get().signature })],
  ];

  it('has at least 40 variants here', () => expect(alterations.length).toBeGreaterThanOrEqual(40));

  it.each(alterations)('is 401: %s', async (_what, alter) => {
    const before = await historyLength();
    const answer = await send(alter(put()));
    expect(answer).toMatchObject({ status: 401, body: '' });
    expect(valuesOf(answer, 'www-authenticate')).toHaveLength(2);
    expect(await historyLength()).toBe(before);
  });
});

describe('the order of refusals', () => {
  const reader = (): AzureHttp => app.azureReader;

  it('asks who calls before what the caller may do, and that before what is asked', async () => {
    const bad = { body: 'nonsense', headers: { 'if-match': '"x"' } };
    for (const target of ['/kv/a%25b', '/kv/%00', '/kv/there?label=%01', '/kv/%ff']) {
      expect(await app.azure.send('PUT', target, { ...bad, signed: false })).toMatchObject({ status: 401, text: '' });
      expect(await reader().send('PUT', target, bad)).toMatchObject({ status: 403, text: '' });
      expect((await app.azure.send('PUT', target, bad)).status).toBe(400);
    }
  });

  it('asks for %25 in the path before all validation', async () => {
    const label = encodeURIComponent('\u0001');
    const answer = await app.azure.put(`/kv/a%25%00?label=${label}`, 'nonsense', {
      headers: { 'content-type': 'text/plain' },
    });
    expect(answer).toMatchObject({ status: 400, text: '' });
    expect(await reader().get(`/kv/a%25?label=${label}`)).toMatchObject({ status: 400, text: '' });
    expect((await app.azure.get(`/kv/a?label=a%25`)).status).toBe(404);
  });

  it('asks for the version and the verb before who calls', async () => {
    expect((await app.azure.get('/kv', { signed: false, apiVersion: null })).json).toMatchObject({
      status: 400,
      name: 'api-version',
    });
    expect((await app.azure.send('POST', '/kv', { signed: false })).status).toBe(405);
    expect((await reader().send('PUT', '/kv/a', { apiVersion: 'x' })).status).toBe(400);
  });

  const CONDITIONS: Record<string, string>[] = [{}, { 'if-match': '"x"' }, { 'if-none-match': '*' }];

  it('tells strangers and readers nothing of what exists', async () => {
    for (const key of ['there', 'missing']) {
      for (const headers of CONDITIONS) {
        const options = { body: { value: 'w' }, headers };
        expect((await app.azure.send('PUT', `/kv/${key}`, { ...options, signed: false })).status).toBe(401);
        expect((await app.azure.send('GET', `/kv/${key}`, { headers, signed: false })).status).toBe(401);
        expect((await reader().send('PUT', `/kv/${key}`, options)).status).toBe(403);
        expect((await reader().send('DELETE', `/kv/${key}`, { headers })).status).toBe(403);
      }
    }
  });

  it('answers 403 without a body and without challenges', async () => {
    for (const method of ['PUT', 'DELETE']) {
      const answer: AzureAnswer = await reader().send(method, '/kv/there', method === 'PUT' ? { body: {} } : {});
      expect(answer).toMatchObject({ status: 403, text: '' });
      expect(answer.headers['content-length']).toBe('0');
      expect(answer.headers['www-authenticate']).toBeUndefined();
    }
    expect((await app.azure.get('/kv/there')).json).toMatchObject({ value: 'v' });
  });
});

describe('the host that two clients sign over plain http', () => {
  const local = (): Sent => withHeaders(get(), { host: `localhost:${app.port}` });
  const quirks = (): string[] => [`ocalhost:${app.port}`, 'localhost'];
  let strict: TestApp;
  beforeAll(async () => void (strict = await startApp({ HTTP_HOST_QUIRK: 'false' }, app)));
  afterAll(() => strict.close());

  it('is accepted on loopback: Python’s without its first letter, JavaScript’s without its port', async () => {
    for (const hostText of quirks()) expect((await send(sign(local(), { hostText }))).status).toBe(200);
  });

  it('is refused with HTTP_HOST_QUIRK=false', async () => {
    for (const hostText of quirks()) {
      expectRefusal(await send(sign(local(), { hostText }), strict.port), 'Invalid Signature');
    }
    expect((await send(sign(local()), strict.port)).status).toBe(200);
  });

  it('is no excuse for another host or body', async () => {
    for (const hostText of ['calhost', 'ocalhost', 'localhost:1', 'localhos', '']) {
      expectRefusal(await send(sign(local(), { hostText })), 'Invalid Signature');
    }
    const [python] = quirks();
    expectRefusal(await send({ ...sign(local(), { hostText: python! }), body: 'x' }), 'Invalid request content hash');
  });
});

describe('with ALLOW_ANONYMOUS_CONFIG', () => {
  let open: TestApp;
  beforeAll(async () => void (open = await startApp({ ALLOW_ANONYMOUS_CONFIG: 'true' }, app)));
  afterAll(() => open.close());

  it('anybody reads and writes, and history says so', async () => {
    const put = await open.azure.put('/kv/anonymous', { value: 'v' }, { signed: false });
    expect(put.status).toBe(200);
    expect((await open.azure.get('/kv/anonymous', { signed: false })).text).toBe(put.text);
    expect(await app.sql(`SELECT actor FROM key_value_revision WHERE key = 'anonymous'`)).toEqual([
      { actor: 'anonymous' },
    ]);
  });

  it('wrong credentials stay wrong', async () => {
    for (const authorization of ['Bearer x', 'Basic dGVzdDp0ZXN0', 'nonsense', 'HMAC-SHA256', '']) {
      expect((await send({ ...get(), authorization }, open.port)).status).toBe(401);
    }
    expectRefusal(await send({ ...get(), signature: flip(get().signature, 3) }, open.port), 'Invalid Signature');
  });

  it('read-only keys stay read-only', async () => {
    expect((await open.azureReader.put('/kv/anonymous', { value: 'w' })).status).toBe(403);
  });
});

describe('keys that the service keeps', () => {
  const generated = { id: 'dev-Ab1_', secret: randomBytes(32).toString('base64'), readOnly: false };
  const foreign = { id: 'dev-other', secret: randomBytes(32).toString('base64'), readOnly: false };
  const useStored = { ACCESS_KEYS: '' };
  let first: TestApp;
  beforeAll(async () => {
    first = await startApp(useStored, undefined, { accessKey: generated });
  });
  afterAll(() => first.close());

  const status = async ({ port }: TestApp, key: { id: string; secret: string }): Promise<number> =>
    (await new AzureHttp(port, key).put(`/kv/by-${key.id}`, { value: String(Math.random()) })).status;

  it('hold the generated one, and no other', async () => {
    expect(await status(first, generated)).toBe(200);
    expect(await status(first, READ_WRITE_KEY)).toBe(401);
    expect(await first.sql('SELECT id, read_only FROM access_key')).toEqual([{ id: generated.id, read_only: false }]);
  });

  it('are the same after another start, with the key or without it', async () => {
    const sealed = (): Promise<unknown[]> => first.sql('SELECT * FROM access_key');
    const before = await sealed();
    for (const credentials of [{ accessKey: generated }, {}]) {
      const again = await startApp(useStored, first, credentials);
      expect(await status(again, generated)).toBe(200);
      await again.close();
    }
    expect(await sealed()).toEqual(before);
  });

  it('leave out the generated one off loopback, and no other', async () => {
    const made = { id: 'made', secret: randomBytes(32).toString('base64') };
    const sealed = seal(Buffer.from(made.secret, 'base64'), Buffer.alloc(32, 7), made.id);
    await first.sql('INSERT INTO access_key (id, sealed_secret, read_only, generated) VALUES ($1, $2, false, false)', [
      made.id,
      sealed,
    ]);
    const own = {
      OIDC_ISSUER: 'https://issuer.example',
      OIDC_AUDIENCE: 'x',
      DAPR_API_TOKEN: 'x',
      CMS_USERS: 'x:y:reader',
    };
    const found: number[][] = [];
    // Behind a proxy that ends TLS counts as off loopback.
    for (const TRUSTED_TLS_PROXY of ['true', 'false']) {
      const again = await startApp({ ...useStored, ...own, TRUSTED_TLS_PROXY }, first);
      found.push([await status(again, generated), await status(again, made)]);
      await again.close();
    }
    await first.sql('DELETE FROM access_key WHERE id = $1', [made.id]);
    expect(found).toEqual([
      [401, 200],
      [200, 200],
    ]);
  });

  it('leave out one that was sealed under another master key', async () => {
    const other = await startApp(useStored, first, { accessKey: foreign, masterKey: randomBytes(32) });
    expect([await status(other, foreign), await status(other, generated)]).toEqual([200, 401]);
    await other.close();
    const again = await startApp(useStored, first, { accessKey: generated });
    expect([await status(again, foreign), await status(again, generated)]).toEqual([401, 200]);
    await again.close();
  });

  it('may be read-only', async () => {
    const readOnly = { id: 'dev-ro', secret: randomBytes(32).toString('base64'), readOnly: true };
    const again = await startApp(useStored, first, { accessKey: readOnly });
    const reader = new AzureHttp(again.port, readOnly);
    expect([(await reader.get('/kv')).status, (await reader.put('/kv/x', {})).status]).toEqual([200, 403]);
    await again.close();
  });

  it('are nowhere in the database in clear text, nor are those of ACCESS_KEYS', async () => {
    await app.azure.put('/kv/secret-search', { value: 'v' });
    for (const [holder, keys] of [
      [first, [generated, foreign]],
      [app, [READ_WRITE_KEY, READ_ONLY_KEY]],
    ] as const) {
      const tables = await holder.sql<{ name: string }>(
        `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
      );
      expect(tables.length).toBeGreaterThanOrEqual(4);
      for (const { secret } of keys) {
        const bytes = Buffer.from(secret, 'base64');
        const spellings = [
          secret,
          secret.replace(/=+$/, ''),
          bytes.toString('base64url'),
          bytes.toString('hex'),
          bytes.toString('latin1'),
        ];
        for (const { name } of tables) {
          // The text of a whole row has every column in it, binary ones in hexadecimal.
          const found = await holder.sql(
            `SELECT 1 FROM ${name} t WHERE EXISTS (SELECT FROM unnest($1::text[]) s WHERE position(lower(s) IN lower(t::text)) > 0)`,
            [spellings.filter((text) => !text.includes('\0'))],
          );
          expect(found).toEqual([]);
        }
      }
    }
  });
});

describe('with STRICT_REPLAY', () => {
  let strict: TestApp;
  let other: TestApp;
  beforeAll(async () => {
    strict = await startApp({ STRICT_REPLAY: 'true' }, app);
    other = await startApp({ STRICT_REPLAY: 'true' }, app);
  });
  afterAll(async () => {
    await other.close();
    await strict.close();
  });

  /** The host is signed, so a replica behind the same name is meant. */
  const unique = (method = 'PUT', key = randomBytes(6).toString('hex')): Sent =>
    sign(unsigned(method, `/kv/${key}?api-version=1.0`, method === 'PUT' ? '{"value":"v"}' : undefined));
  const USED = 'The signature was used before';

  it('a write is taken once, in whichever process', async () => {
    const sent = unique();
    expect((await send(sent, strict.port)).status).toBe(200);
    const before = await historyLength();
    for (const { port } of [strict, other, strict]) expectRefusal(await send(sent, port), USED);
    expect(await historyLength()).toBe(before);
  });

  it('of many at once one is', async () => {
    const sent = unique();
    const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => send(sent, (i % 2 ? strict : other).port)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(7).fill(401)]);
  });

  it('another spelling of the same signature changes nothing', async () => {
    const { credential, signedHeaders, signature, ...sent } = unique();
    const parts = [`Credential=${credential}`, `SignedHeaders=${signedHeaders}`, `Signature=${signature}`];
    const as = (authorization: string) =>
      send({ ...sent, credential, signedHeaders, signature, authorization }, strict.port);
    expect((await as(`HMAC-SHA256 ${parts.join('&')}`)).status).toBe(200);
    expectRefusal(await as(`hmac-sha256 ${parts.toReversed().join(', ')}`), USED);
    expectRefusal(await as(`HMAC-SHA256 ${parts.join('&').replace('x-ms-date', 'X-MS-DATE')}`), USED);
  });

  it('each kind of write counts, and a write of its own does not', async () => {
    const key = randomBytes(6).toString('hex');
    for (const sent of [unique('PUT', key), unique('DELETE', key)]) {
      expect((await send(sent, strict.port)).status).toBe(200);
      expectRefusal(await send(sent, strict.port), USED);
    }
  });

  it('reads may be repeated, and so may writes without the setting', async () => {
    const read = get();
    for (let count = 0; count < 3; count++) expect((await send(read, strict.port)).status).toBe(200);
    const write = unique();
    for (let count = 0; count < 3; count++) expect((await send(write, app.port)).status).toBe(200);
  });

  it('a refused one uses nothing up', async () => {
    const sent = unique();
    const broken = { ...sent, body: '{"value":"w"}' };
    expectRefusal(await send(broken, strict.port), 'Invalid request content hash');
    expect((await send(sent, strict.port)).status).toBe(200);
  });

  it('what was used is forgotten after an hour, and not before', async () => {
    await app.sql(`DELETE FROM seen_signature`);
    for (const count of [1, 2, 3]) expect([count, (await send(unique(), strict.port)).status]).toEqual([count, 200]);
    await app.sql(`
      UPDATE seen_signature SET seen_at = seen_at - interval '61 minutes'
       WHERE digest IN (SELECT digest FROM seen_signature ORDER BY seen_at LIMIT 2)`);
    await strict.app.get(RetentionService, { strict: false }).purge();
    expect(await app.sql('SELECT 1 FROM seen_signature')).toHaveLength(1);
  });
});
