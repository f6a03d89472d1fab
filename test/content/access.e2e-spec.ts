import { CallerAuthenticator } from '../../src/auth/caller.authenticator';
import { mayOnContent } from '../../src/auth/content-access';
import { userPrincipal, NOBODY_PRINCIPAL } from '../../src/auth/principal';
import { type UserRole } from '../../src/config/settings';
import { AuditLog } from '../../src/events/audit-log';
import { Dispatcher } from '../../src/http/dispatcher';
import { type ApiRequest } from '../../src/http/api-request';
import { startApp, type TestApp } from '../support/start-app';
import { basic, type ContentAnswer, ContentHttp, USERS } from './content-http';

let app: TestApp;
let anybody: ContentHttp;
let alice: ContentHttp;

beforeAll(async () => {
  app = await startApp({ CMS_USERS: USERS, FAILED_LOGINS_PER_MINUTE: '1000' });
  anybody = new ContentHttp(app.port);
  alice = anybody.as('alice');
  await alice.add('/', { '@type': 'Folder', id: 'f' });
  await alice.add('/f', { id: 'page', title: 'Page' });
});
afterAll(() => app.close());

const bearer = async (name: string): Promise<string> => {
  const request = { isEncrypted: false, remoteAddress: '127.0.0.1', header: () => undefined } as unknown as ApiRequest;
  return `Bearer ${(await app.app.get(CallerAuthenticator).logIn(name, 'pw', request))!.token}`;
};

it.each([
  [
    null,
    { view: 1, authenticated: 0, modify: 0, add: 0, delete: 0, break: 0, login: 1, nothing: 1, read: 0, surface: 0 },
  ],
  ['reader', { view: 1, authenticated: 1, modify: 0, add: 0, delete: 0, break: 0, login: 1, nothing: 1, write: 0 }],
  ['editor', { view: 1, authenticated: 1, modify: 1, add: 1, delete: 1, break: 0, login: 1, nothing: 1, lock: 0 }],
  ['manager', { view: 1, authenticated: 1, modify: 1, add: 1, delete: 1, break: 1, login: 1, nothing: 1, force: 0 }],
] as [UserRole | null, Record<string, number>][])('%s may %j', (role, rights) => {
  const principal = role === null ? NOBODY_PRINCIPAL : userPrincipal({ name: 'x', fullName: 'x', role });
  for (const [access, may] of Object.entries(rights)) {
    expect([access, mayOnContent(principal, access)]).toEqual([access, may === 1]);
  }
});

it.each<[string, string, (path: string) => Promise<ContentAnswer>]>([
  ['a whole call', 'DELETE', (path) => anybody.as('rita').delete(path)],
  [
    'the choice of a UID',
    'POST',
    (path) => alice.post(path, { '@type': 'Document', UID: '0123456789abcdef'.repeat(2) }),
  ],
])('notes who was refused %s for want of rights', async (_, method, call) => {
  const path = await alice.add('/', { '@type': 'Folder' });
  const { status } = await call(path);
  await app.app.get(AuditLog).flush();
  const target = encodeURIComponent(`${method} ${path}`);
  const { json } = await anybody.as('mia').get(`/api/v1/audit?surface=content&target=${target}`);
  expect([status, json.items]).toMatchObject([403, [{ action: 'refused', outcome: 'refused' }]]);
});

it('every route answers each kind of caller as its right says, by password and by token', async () => {
  const routes = [...app.app.get(Dispatcher).routes()].filter(({ surface }) => surface.name === 'content');
  expect(routes.length).toBeGreaterThanOrEqual(6);
  for (const { route } of routes) {
    if (route.access === 'nothing' || route.access === 'login') continue;
    const view = route.pattern === 'object' ? '' : `/${route.pattern.replace(/[:*]\w+/g, 'x')}`;
    for (const [name, role] of [
      ['', null],
      ['rita', 'reader'],
      ['alice', 'editor'],
      ['mia', 'manager'],
    ] as const) {
      const principal = role === null ? NOBODY_PRINCIPAL : userPrincipal({ name, fullName: name, role });
      const may = mayOnContent(principal, route.access);
      for (const authorization of role === null ? [undefined] : [basic(name), await bearer(name)]) {
        for (const prefix of ['', '/++api++', '/++api++/']) {
          // Rights are decided before it is known whether there is such an object.
          const http = anybody.with(authorization).behind(prefix);
          const { status, json, headers } = await http.send(route.method, `/nothing/here${view}`);
          const what = [route.handlerName, name, status];
          if (may) expect([...what, status !== 401 && status !== 403 && status < 500]).toEqual([...what, true]);
          else {
            expect(what).toEqual([route.handlerName, name, role === null ? 401 : 403]);
            expect(json).toEqual({
              type: role === null ? 'Unauthorized' : 'Forbidden',
              message: 'You are not authorized to access this resource.',
              context: anybody.url(''),
            });
            expect(headers['www-authenticate'] !== undefined).toBe(role === null);
          }
        }
      }
    }
  }
});

it.each([
  ['a wrong password', basic('alice', 'wrong')],
  ['nobody’s name', basic('nobody')],
  ['no token of ours', 'Bearer nonsense'],
  ['a token cut short', null],
  ['another scheme', 'Digest x'],
  ['no credentials at all', 'Basic'],
])('meets %s with 401, even where anybody may look', async (_, authorization) => {
  const sent = authorization ?? (await bearer('alice')).slice(0, -2);
  const { status, json, headers } = await anybody.with(sent).get('/f/page');
  expect([status, json.type]).toEqual([401, 'Unauthorized']);
  expect(headers['www-authenticate']).toMatch(/^Basic realm=/);
});

it('does the work for a token as for a password', async () => {
  const bob = anybody.with(await bearer('bob')).behind('/++api++');
  const path = await bob.add('//f/', { title: 'By token' });
  expect(path).toBe('/f/by-token');
  expect((await bob.patch(path, { title: 'Again' })).status).toBe(204);
  expect((await bob.delete(path)).status).toBe(204);
});

it('remembers who made and who changed an object last, and when anybody else did', async () => {
  const path = await alice.add('/', { id: 'history' });
  const row = async (): Promise<Record<string, unknown>> =>
    (
      await app.sql(
        `SELECT created_by, last_by, last_at > created AS changed, other_at >= created AS by_others
           FROM content_object WHERE id = 'history'`,
      )
    )[0]!;
  expect(await row()).toEqual({ created_by: 'alice', last_by: 'alice', changed: false, by_others: null });
  await alice.patch(path, { title: '1' });
  expect(await row()).toEqual({ created_by: 'alice', last_by: 'alice', changed: true, by_others: null });
  await anybody.as('bob').patch(path, { title: '2' });
  expect(await row()).toEqual({ created_by: 'alice', last_by: 'bob', changed: true, by_others: true });
});
