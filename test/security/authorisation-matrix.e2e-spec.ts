import { pino } from 'pino';
import { Dispatcher } from '../../src/http/dispatcher';
import { type Route } from '../../src/http/route-table';
import { loggerOptions } from '../../src/logging/logger';
import { AUDIENCE, OidcIssuer } from '../support/oidc-issuer';
import { NativeHttp } from '../distributed-lock/native-http';
import { ContentHttp } from '../content/content-http';
import { GrpcClient } from '../support/grpc-client';
import { startApp, type TestApp } from '../support/start-app';
import {
  type Answer,
  basic,
  type Call,
  type Caller,
  CALLERS,
  CMS_USERS,
  type Credentials,
  credentialsOf,
  forbiddenTexts,
  INSIDES,
  SECRETS,
  send,
} from './callers';

/**
 * Every route of every surface, read from the dispatcher itself, against every caller. What a caller may do is written down here a second
 * time and by hand; a route without an entry fails, and so does an entry without a route.
 */

/** 401, 403, or let through: whatever the route then says of the request, it says something else than those two. */
type Verdict = 401 | 403 | 'ok';

const forAll = (verdict: Verdict): Record<Caller, Verdict> =>
  Object.fromEntries(CALLERS.map((caller) => [caller, verdict])) as Record<Caller, Verdict>;

const each = (callers: readonly Caller[], verdict: Verdict): Partial<Record<Caller, Verdict>> =>
  Object.fromEntries(callers.map((caller) => [caller, verdict]));

/** Callers that no surface knows. */
const WRONG_AUTHORIZATION = CALLERS.slice(CALLERS.indexOf('wrong password'), CALLERS.indexOf('wrong lock token'));

/** Owners whose tokens name their scopes. */
const NARROWED = [
  'OIDC owner for reading key-values',
  'OIDC owner for reading snapshots',
  'OIDC owner for writing snapshots',
  'OIDC owner for writing snapshots of what it reads',
] as const satisfies readonly Caller[];

/** On the configuration API everybody who neither signs nor has a token of the issuer is unknown. */
const config = (rights: Partial<Record<Caller, Verdict>>): Record<Caller, Verdict> => ({
  ...forAll(401),
  'read-only key': 403,
  'read-write key': 'ok',
  'OIDC reader': 403,
  'OIDC owner': 'ok',
  'OIDC without role': 403,
  ...each(NARROWED, 403),
  ...rights,
});

/** Callers that our own API knows. */
const KNOWN: readonly Caller[] = [
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
  ...NARROWED,
];

/** On our own API a signature says nothing, and a known caller without the right is 403. */
const native = (mayBy: readonly Caller[]): Record<Caller, Verdict> => {
  const verdicts = forAll(401);
  for (const caller of KNOWN) verdicts[caller] = 403;
  for (const caller of mayBy) verdicts[caller] = 'ok';
  return verdicts;
};
const MANAGERS: readonly Caller[] = ['manager', 'manager, login token'];
const EDITORS: readonly Caller[] = ['editor', 'editor, login token', ...MANAGERS];
const READERS: readonly Caller[] = ['reader', 'reader, login token', ...EDITORS];

/** On content only users are known; whoever sends no `Authorization`, lock tokens included, is a visitor. */
const content = (rights: Partial<Record<Caller, Verdict>>): Record<Caller, Verdict> => ({ ...forAll(401), ...rights });

const VERDICTS = {
  'read key-values': config({
    ...each(['read-only key', 'OIDC reader', 'OIDC owner for reading key-values'], 'ok'),
    'OIDC owner for writing snapshots of what it reads': 'ok',
  }),
  'write key-values': config({}),
  'read snapshots': config(each(['read-only key', 'OIDC reader', 'OIDC owner for reading snapshots'], 'ok')),
  'make snapshots': config({ 'OIDC owner for writing snapshots of what it reads': 'ok' }),
  'archive snapshots': config({}),
  'use locks as Dapr does': { ...forAll(401), 'lock token': 'ok' },
  'inspect locks': native(['lock token', 'OIDC reader', 'OIDC owner', ...READERS]),
  'take locks': native(['lock token', 'OIDC owner', ...EDITORS]),
  'see who edits': native(EDITORS),
  'use force': native(MANAGERS),
  'read the audit log': native(MANAGERS),
  // On loopback for anyone whose credentials are not wrong.
  'watch the service': native(['nobody', ...KNOWN]),
  'read content': content({ ...each([...READERS, 'nobody', 'lock token', 'wrong lock token'], 'ok') }),
  'change content': content({ ...each(READERS, 403), ...each(EDITORS, 'ok') }),
  'know who asks': content(each(READERS, 'ok')),
  'renew a login': content(each(READERS, 'ok')),
  nothing: forAll('ok'),
} satisfies Record<string, Record<Caller, Verdict>>;
type Asks = keyof typeof VERDICTS;

/** What anybody may do without credentials while the lock token is not configured, as after a first start on loopback. */
const OPEN_LOCKS: readonly Asks[] = [
  'use locks as Dapr does',
  'inspect locks',
  'take locks',
  'watch the service',
  'read content',
  'nothing',
];
const OPEN_CONFIG: readonly Asks[] = [
  'read key-values',
  'write key-values',
  'read snapshots',
  'make snapshots',
  'archive snapshots',
];

interface Entry {
  readonly asks: Asks;
  /** `{name}`, `{store}` and `{uid}` stand for things that are there, and in a second call for some that are not. */
  readonly path: string;
  readonly body?: object | string;
  readonly headers?: Record<string, string>;
  /** Of nobody in particular while locks are open, where that is not 401. */
  readonly open?: 403;
  /** What whoever is let through gets for the things that are there, and for the others. Chosen so that nothing changes. */
  readonly answers: readonly [there: number, missing: number];
}

/** Holds for nobody's version: a change that is allowed then ends without one. */
const NEVER = { 'if-match': '"never"' };
const LOCK = { resourceId: 'there', lockOwner: 'somebody-else', expiryInSeconds: 60 };

const ENTRIES: Record<string, Entry> = {
  'azure GET kv': { asks: 'read key-values', path: '/kv', answers: [200, 200] },
  'azure GET kv/*key': { asks: 'read key-values', path: '/kv/{name}', answers: [200, 404] },
  'azure PUT kv/*key': {
    asks: 'write key-values',
    path: '/kv/{name}',
    body: { value: SECRETS.value },
    headers: NEVER,
    answers: [412, 412],
  },
  'azure DELETE kv/*key': { asks: 'write key-values', path: '/kv/{name}', headers: NEVER, answers: [412, 412] },
  'azure GET keys': { asks: 'read key-values', path: '/keys', answers: [200, 200] },
  'azure GET labels': { asks: 'read key-values', path: '/labels', answers: [200, 200] },
  'azure GET revisions': { asks: 'read key-values', path: '/revisions', answers: [200, 200] },
  'azure PUT locks/*key': { asks: 'write key-values', path: '/locks/{name}', headers: NEVER, answers: [412, 412] },
  'azure DELETE locks/*key': { asks: 'write key-values', path: '/locks/{name}', headers: NEVER, answers: [412, 412] },
  'azure GET snapshots': { asks: 'read snapshots', path: '/snapshots', answers: [200, 200] },
  'azure GET snapshots/*name': { asks: 'read snapshots', path: '/snapshots/{name}', answers: [200, 404] },
  'azure PUT snapshots/*name': { asks: 'make snapshots', path: '/snapshots/{name}', body: {}, answers: [400, 400] },
  'azure PATCH snapshots/*name': {
    asks: 'archive snapshots',
    path: '/snapshots/{name}',
    body: { status: 'archived' },
    headers: NEVER,
    answers: [412, 404],
  },
  'azure GET operations': { asks: 'read snapshots', path: '/operations?snapshot={name}', answers: [200, 404] },

  'dapr POST v1.0-alpha1/lock/:storeName': {
    asks: 'use locks as Dapr does',
    path: '/v1.0-alpha1/lock/{store}',
    body: LOCK,
    answers: [200, 400],
  },
  'dapr POST v1.0-alpha/lock/:storeName': {
    asks: 'use locks as Dapr does',
    path: '/v1.0-alpha/lock/{store}',
    body: LOCK,
    answers: [200, 400],
  },
  'dapr POST v1.0-alpha1/unlock/:storeName': {
    asks: 'use locks as Dapr does',
    path: '/v1.0-alpha1/unlock/{store}',
    body: LOCK,
    answers: [200, 400],
  },
  'dapr POST v1.0-alpha/unlock/:storeName': {
    asks: 'use locks as Dapr does',
    path: '/v1.0-alpha/unlock/{store}',
    body: LOCK,
    answers: [200, 400],
  },
  'dapr GET v1.0/metadata': { asks: 'use locks as Dapr does', path: '/v1.0/metadata', answers: [200, 200] },
  'dapr PUT v1.0/metadata/:key': {
    asks: 'use locks as Dapr does',
    path: '/v1.0/metadata/{name}',
    body: 'kept',
    answers: [204, 204],
  },
  'dapr GET v1.0/healthz': { asks: 'nothing', path: '/v1.0/healthz', answers: [204, 204] },
  'dapr GET v1.0/healthz/outbound': { asks: 'nothing', path: '/v1.0/healthz/outbound', answers: [204, 204] },

  'native GET healthz': { asks: 'nothing', path: '/healthz', answers: [200, 200] },
  'native GET readyz': { asks: 'nothing', path: '/readyz', answers: [200, 200] },
  'native GET metrics': { asks: 'watch the service', path: '/metrics', answers: [200, 200] },
  'native GET api/v1/lock-stores': { asks: 'inspect locks', path: '/api/v1/lock-stores', answers: [200, 200] },
  'native GET api/v1/lock-stores/:store/locks': {
    asks: 'inspect locks',
    path: '/api/v1/lock-stores/{store}/locks',
    answers: [200, 404],
  },
  'native GET api/v1/lock-stores/:store/locks/:resource': {
    asks: 'inspect locks',
    // A lock that nobody ever took is one that is free.
    path: '/api/v1/lock-stores/{store}/locks/there',
    answers: [200, 404],
  },
  'native PUT api/v1/lock-stores/:store/locks/:resource': {
    asks: 'take locks',
    path: '/api/v1/lock-stores/{store}/locks/there',
    body: { owner: 'somebody-else', ttlMs: 60_000 },
    answers: [409, 404],
  },
  'native PATCH api/v1/lock-stores/:store/locks/:resource': {
    asks: 'take locks',
    path: '/api/v1/lock-stores/{store}/locks/there',
    body: { owner: 'somebody-else', ttlMs: 60_000 },
    answers: [409, 404],
  },
  'native DELETE api/v1/lock-stores/:store/locks/:resource': {
    asks: 'take locks',
    path: '/api/v1/lock-stores/{store}/locks/there?owner=somebody-else',
    answers: [409, 404],
  },
  'native POST api/v1/lock-stores/:store/locks/:resource/check': {
    asks: 'inspect locks',
    path: '/api/v1/lock-stores/{store}/locks/there/check',
    body: { fence: '1' },
    answers: [200, 404],
  },
  'native GET api/v1/content-locks': { asks: 'see who edits', path: '/api/v1/content-locks', answers: [200, 200] },
  'native DELETE api/v1/content-locks/:uid': {
    asks: 'use force',
    path: '/api/v1/content-locks/{uid}',
    answers: [400, 400],
  },
  'native GET api/v1/audit': { asks: 'read the audit log', path: '/api/v1/audit', answers: [200, 200] },

  'content GET object': { asks: 'read content', path: '/{name}', answers: [200, 404] },
  'content POST object': { asks: 'change content', path: '/{name}', body: {}, answers: [400, 400] },
  'content PATCH object': {
    asks: 'change content',
    path: '/{name}',
    body: { title: 'x' },
    headers: NEVER,
    answers: [412, 404],
  },
  'content DELETE object': { asks: 'change content', path: '/{name}', headers: NEVER, answers: [412, 404] },
  'content POST @move': { asks: 'change content', path: '/{name}/@move', body: {}, answers: [400, 400] },
  'content POST @copy': { asks: 'change content', path: '/{name}/@copy', body: {}, answers: [400, 400] },
  'content GET @lock': { asks: 'read content', path: '/{name}/@lock', answers: [200, 404] },
  'content POST @lock': { asks: 'change content', path: '/{name}/@lock', body: { timeout: -5 }, answers: [400, 400] },
  'content PATCH @lock': { asks: 'change content', path: '/{name}/@lock', body: { timeout: -5 }, answers: [400, 400] },
  'content DELETE @lock': { asks: 'change content', path: '/{name}/@lock', body: { force: 5 }, answers: [400, 400] },
  'content POST @lock-release': { asks: 'nothing', path: '/{name}/@lock-release', body: 'x', answers: [204, 404] },
  'content POST @login': {
    asks: 'nothing',
    path: '/@login',
    body: { login: 'rita', password: SECRETS.passwords.reader },
    answers: [200, 200],
  },
  'content POST @login-renew': { asks: 'renew a login', path: '/@login-renew', answers: [200, 200] },
  'content POST @logout': { asks: 'nothing', path: '/@logout', answers: [204, 204] },
  'content GET @actions': { asks: 'read content', path: '/{name}/@actions', answers: [200, 404] },
  'content GET @breadcrumbs': { asks: 'read content', path: '/{name}/@breadcrumbs', answers: [200, 404] },
  'content GET @navigation': { asks: 'read content', path: '/{name}/@navigation', answers: [200, 404] },
  'content GET @navroot': { asks: 'read content', path: '/{name}/@navroot', answers: [200, 404] },
  'content GET @types': { asks: 'know who asks', path: '/{name}/@types', answers: [200, 404] },
  'content GET @types/:type': { asks: 'know who asks', path: '/@types/Document', answers: [200, 200] },
  'content GET @site': { asks: 'read content', path: '/@site', answers: [200, 200] },
  'content GET @users/:id': { asks: 'know who asks', path: '/@users/rita', answers: [200, 200] },
};
/** Ways to call a route that ask for more than the route does, or for something else. */
const VARIANTS: Record<string, Entry> = {
  'azure GET kv of a snapshot': { asks: 'read snapshots', path: '/kv?snapshot={name}', answers: [200, 200] },
  'azure GET kv without the name of one': { asks: 'read key-values', path: '/kv?snapshot=', answers: [200, 200] },
  'azure GET kv of one key': { asks: 'read key-values', path: '/kv/{name}?snapshot=there', answers: [200, 404] },
  'native DELETE a lock by force': {
    asks: 'use force',
    path: '/api/v1/lock-stores/{store}/locks/there?force=true',
    // Who may lock without a token counts as a lock client, and those are known.
    open: 403,
    answers: [400, 404],
  },
};

const nameOf = (surface: string, { method, pattern }: Route): string => `${surface} ${method} ${pattern}`;

/** Surface, method and entry, HEAD included wherever GET is: Dapr alone has no HEAD. */
const CASES = Object.entries({ ...ENTRIES, ...VARIANTS }).flatMap(([name, entry]) => {
  const [surface, method] = name.split(' ') as [string, string];
  const own = { name, surface, method, entry };
  if (method !== 'GET' || surface === 'dapr') return [own];
  return [own, { ...own, name: name.replace('GET', 'HEAD'), method: 'HEAD' }];
});

let issuer: OidcIssuer;
let app: TestApp;
/** Without a lock token, and with the configuration API open as well. */
let openLocks: TestApp;
let openAll: TestApp;
let credentials: Record<Caller, Credentials>;
let uid: string;
const log: string[] = [];
const logger = pino(loggerOptions('trace'), { write: (line: string) => void log.push(line) });
/** Of every call of this file. */
const sent: Record<string, string>[] = [];
const refusals: { readonly what: string; readonly answer: Answer }[] = [];

beforeAll(async () => {
  issuer = await OidcIssuer.start();
  const env = { CMS_USERS, FAILED_LOGINS_PER_MINUTE: '1000000' };
  const ours = { jwtSecret: SECRETS.jwt };
  const oidc = { OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: AUDIENCE };
  app = await startApp({ ...env, ...oidc, DAPR_API_TOKEN: SECRETS.lockToken, GRPC_PORT: '0' }, undefined, ours, logger);
  openLocks = await startApp(env, app, ours, logger);
  openAll = await startApp({ ...env, ALLOW_ANONYMOUS_CONFIG: 'true' }, app, ours, logger);
  credentials = await credentialsOf(app, issuer);
  await makeThere();
});
afterAll(async () => {
  for (const each of [openAll, openLocks, app]) await each?.close();
  await issuer.stop();
});

/** A key-value, a snapshot, a lock and an object, each named "there", and an object that is locked. */
async function makeThere(): Promise<void> {
  expect((await app.azure.put('/kv/there', { value: SECRETS.value })).status).toBe(200);
  const snapshot = { filters: [{ key: 'there' }] };
  const type = { 'content-type': 'application/vnd.microsoft.appconfig.snapshot+json' };
  const made = await app.azure.put('/snapshots/there', snapshot, { headers: type });
  expect(made.status).toBe(201);
  const tokenHeader = { 'dapr-api-token': SECRETS.lockToken };
  await new NativeHttp(app.port, 'lockstore', tokenHeader).grant('there', 'holder', { ttlMs: 3_600_000 });
  const manager = new ContentHttp(app.port, basic('mia', SECRETS.passwords.manager));
  await manager.add('/', { id: 'there', title: 'There' });
  await manager.add('/', { id: 'locked', title: 'Locked' });
  uid = (await manager.get('/locked')).json.UID;
  expect((await manager.post('/locked/@lock', {})).status).toBe(200);
}

function callOf(surface: string, method: string, { path, body, headers }: Entry, isThere: boolean): Call {
  const target = path
    .replace('{name}', isThere ? 'there' : 'missing')
    .replace('{store}', isThere ? 'lockstore' : 'nowhere')
    .replace('{uid}', isThere ? uid : '00000000000000000000000000000000');
  const version = surface === 'azure' ? `${target.includes('?') ? '&' : '?'}api-version=2023-11-01` : '';
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  return { method, target: target + version, body: text, headers };
}

async function ask(to: TestApp, call: Call, caller: Caller): Promise<Answer> {
  const answer = await send(to.port, call, (...args) => {
    const headers = credentials[caller](...args);
    sent.push(headers);
    return headers;
  });
  const what = `${call.method} ${call.target} by ${caller}`;
  if (answer.status >= 400) refusals.push({ what, answer });
  expect([what, answer.status < 500]).toEqual([what, true]);
  return answer;
}

/** All that is stored, but for the log of refusals itself, which grows with each of them. */
async function stored(): Promise<unknown> {
  const tables = await app.sql<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables
      WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
        AND table_name NOT IN ('audit_event', 'lease_replica', 'dapr_metadata')
      ORDER BY 1`,
  );
  const digests = tables.map(
    ({ name }) => `(SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM ${name} t) AS ${name}`,
  );
  return app.sql(`SELECT ${digests.join(', ')}`);
}

/** Headers that name the one request. */
const OF_THE_REQUEST = new Set(['date', 'x-ms-request-id', 'x-ms-correlation-request-id', 'x-request-id']);

/** What a caller learns from a refusal. */
function seen({ status, headers, text }: Answer): unknown {
  return { status, text, headers: Object.entries(headers).filter(([name]) => !OF_THE_REQUEST.has(name)) };
}

describe('the route table', () => {
  it('has no route without an entry here, and no entry has lost its route', () => {
    const names = [...app.app.get(Dispatcher).routes()].map(({ surface, route }) => nameOf(surface.name, route));
    expect(names.length).toBeGreaterThan(50);
    expect([...names].sort()).toEqual(Object.keys(ENTRIES).sort());
  });

  it('has a guard on every route that asks for something, or a surface that decides before routing', () => {
    for (const { surface, route } of app.app.get(Dispatcher).routes()) {
      const isOpen = route.access === 'nothing' || surface.name === 'dapr';
      expect([nameOf(surface.name, route), isOpen || route.guards.length > 0]).toEqual([
        nameOf(surface.name, route),
        true,
      ]);
    }
  });
});

describe.each(CASES)('$name', ({ surface, method, entry }) => {
  const verdicts: Readonly<Record<Caller, Verdict>> = VERDICTS[entry.asks];

  it('is for those alone who may, and refuses before it looks at anything', async () => {
    const before = await stored();
    const found: Partial<Record<Caller, Verdict>> = {};
    for (const caller of CALLERS) {
      const wanted = verdicts[caller];
      if (wanted === 'ok') continue;
      const there = await ask(app, callOf(surface, method, entry, true), caller);
      const missing = await ask(app, callOf(surface, method, entry, false), caller);
      found[caller] = there.status === 401 || there.status === 403 ? there.status : 'ok';
      expect([caller, seen(missing)]).toEqual([caller, seen(there)]);
      expect([caller, there.headers['www-authenticate'] !== undefined]).toEqual([
        caller,
        there.status === 401 && surface !== 'dapr',
      ]);
    }
    expect(found).toEqual(Object.fromEntries(Object.entries(verdicts).filter(([, verdict]) => verdict !== 'ok')));
    expect(await stored()).toEqual(before);
  });

  it('lets those through who may', async () => {
    const found: Record<string, number[]> = {};
    const wanted: Record<string, readonly number[]> = {};
    for (const caller of CALLERS) {
      if (verdicts[caller] !== 'ok') continue;
      const there = await ask(app, callOf(surface, method, entry, true), caller);
      const missing = await ask(app, callOf(surface, method, entry, false), caller);
      found[caller] = [there.status, missing.status];
      wanted[caller] = entry.answers;
    }
    expect(found).toEqual(wanted);
  });

  it('asks nobody for credentials that the settings do not ask for, and for all others', async () => {
    const settings: [TestApp, readonly Asks[]][] = [
      [openLocks, OPEN_LOCKS],
      [openAll, [...OPEN_LOCKS, ...OPEN_CONFIG]],
    ];
    for (const [to, open] of settings) {
      const { status } = await ask(to, callOf(surface, method, entry, true), 'nobody');
      expect(status).toBe(open.includes(entry.asks) ? entry.answers[0] : (entry.open ?? 401));
    }
  });
});

describe('gRPC', () => {
  const methods = ['TryLockAlpha1', 'UnlockAlpha1'] as const;
  const UNAUTHENTICATED = 16;
  it.each([...methods, 'an unknown method'])('%s is for those alone who have the lock token', async (method) => {
    const message = { storeName: 'nowhere', resourceId: 'r', lockOwner: 'o', expiryInSeconds: 1 };
    const codes: number[] = [];
    for (const token of [undefined, '', SECRETS.wrongLockToken, SECRETS.lockToken]) {
      const client = new GrpcClient(app.grpcPort, token);
      const known = methods.find((each) => each === method);
      const outcome = known
        ? await client.call(known, message)
        : await client.callUnknown('/dapr.proto.runtime.v1.Dapr/GetState');
      codes.push(outcome.code);
      client.close();
    }
    const through = method === 'an unknown method' ? 12 : 3;
    expect(codes).toEqual([UNAUTHENTICATED, UNAUTHENTICATED, UNAUTHENTICATED, through]);
  });
});

describe('pages outside the route table', () => {
  it.each(['/docs', '/openapi.json'])('%s is open to all and shows no credentials', async (path) => {
    const answer = await send(app.port, { method: 'GET', target: path });
    expect(answer.status).toBe(200);
    for (const secret of forbiddenTexts([])) expect(answer.text.includes(secret)).toBe(false);
  });

  it.each(['/api/v1/nothing', '/console', '/kv/a/b?api-version=1.0'])('%s is never open by accident', async (path) => {
    expect([401, 404]).toContain((await send(app.port, { method: 'GET', target: path })).status);
  });
});

describe('after all this', () => {
  it('no refusal has shown a stack, SQL, or a secret', () => {
    expect(refusals.length).toBeGreaterThan(1500);
    const forbidden = forbiddenTexts(sent);
    for (const { what, answer } of refusals) {
      const whole = `${answer.rawHeaders.join('\n')}\n\n${answer.text}`;
      expect([what, INSIDES.exec(whole)?.[0]]).toEqual([what, undefined]);
      const shown = forbidden.filter((text) => whole.includes(text));
      expect([what, shown]).toEqual([what, []]);
    }
  });

  it('neither has the log', () => {
    const whole = log.join('');
    // Every call left its line: what is searched is really the log.
    expect(log.length).toBeGreaterThan(refusals.length);
    expect(whole).toContain('/api/v1/audit');
    const forbidden = forbiddenTexts(sent);
    expect(forbidden.length).toBeGreaterThan(100);
    expect(forbidden.filter((text) => whole.includes(text))).toEqual([]);
    for (const name of ['authorization', 'dapr-api-token', 'Signature=']) expect(whole).not.toContain(name);
  });

  it('every wrong credential counted as wrong', () => {
    expect(WRONG_AUTHORIZATION.length).toBeGreaterThan(8);
    for (const caller of WRONG_AUTHORIZATION) {
      const statuses = refusals.filter(({ what }) => what.endsWith(` by ${caller}`)).map(({ answer }) => answer.status);
      expect(new Set(statuses)).toContain(401);
      expect(statuses).not.toContain(403);
    }
  });
});
