import { Post } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { DiscoveryModule, DiscoveryService, ModuleRef, Reflector } from '@nestjs/core';
import { type ChangeGuard, ContentHooks, type Refusal } from '../../src/content/content-hooks';
import { ChangesContent } from '../../src/content/changes-content.decorator';
import { LockTokenGuard } from '../../src/content/lock-token.guard';
import { type Answer, emptyAnswer } from '../../src/http/answer';
import { raised } from '../../src/http/content/content-problem';
import { type Dispatcher } from '../../src/http/dispatcher';
import { registerSurfaceRoutes } from '../../src/http/register-routes';
import { type Route } from '../../src/http/route-table';
import { Needs, SurfaceController } from '../../src/http/surface-controller.decorator';
import { SideTransaction } from '../support/side-transaction';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';
import { ContentHttp, USERS } from './content-http';

let app: TestApp;
let anybody: ContentHttp;
let alice: ContentHttp;
const refusals: Refusal[] = [];

/** Objects with a row in `test_lock` are locked for all who do not send its token. */
const guard: ChangeGuard = {
  verdictSql: (uid, user, token) => `test_verdict(${uid}, ${user}, ${token})`,
  changedSql: (uid, user, token, release) => `test_changed(${uid}, ${user}, ${token}, ${release})`,
  refusal: (refusal) => {
    refusals.push(refusal);
    const { verdict, change, urls } = refusal;
    return raised('test', verdict === 'stale-token' ? 412 : 423, verdict, `${change} ${urls.join(' ')}`);
  },
};

beforeAll(async () => {
  app = await startApp({ CMS_USERS: USERS });
  const hooks = app.app.get(ContentHooks);
  jest.spyOn(hooks, 'guard', 'get').mockReturnValue(guard);
  jest
    .spyOn(hooks, 'membersOf')
    .mockImplementation((objects, request) =>
      Promise.resolve(objects.map(({ id }) => ({ lock: { of: id, to: request.principal.name } }))),
    );
  await app.sql(`CREATE TABLE test_lock (uid text PRIMARY KEY, token text)`);
  await app.sql(`CREATE TABLE test_touch (uid text, who text, token text, released boolean)`);
  await app.sql(`
    CREATE FUNCTION test_verdict(p_uid text, p_user text, p_token text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE l test_lock%ROWTYPE;
    BEGIN
      SELECT * INTO l FROM test_lock WHERE uid = p_uid;
      IF NOT FOUND THEN RETURN CASE p_token WHEN 'stale' THEN 'stale-token' ELSE 'free' END; END IF;
      RETURN CASE WHEN l.token = p_token THEN 'holder' ELSE 'locked' END;
    END $$`);
  await app.sql(`
    CREATE FUNCTION test_changed(text, text, text, boolean) RETURNS void LANGUAGE sql AS $$
      INSERT INTO test_touch VALUES ($1, $2, $3, $4) $$`);
  anybody = new ContentHttp(app.port);
  alice = anybody.as('alice');
});
afterAll(() => app.close());
beforeEach(async () => {
  refusals.length = 0;
  await app.sql('TRUNCATE test_lock, test_touch');
});

async function addLocked(folder: string, id: string, type = 'Document'): Promise<{ path: string; uid: string }> {
  const { json } = await alice.post(folder, { '@type': type, id });
  await app.sql(`INSERT INTO test_lock VALUES ($1, 'T')`, [json.UID]);
  return { path: new URL(json['@id'] as string).pathname, uid: json.UID };
}
const touches = (): Promise<unknown[]> => app.sql('SELECT * FROM test_touch');

it('a locked object is changed with its token only, and the guard hears of it in the same transaction', async () => {
  const { path, uid } = await addLocked('/', 'locked');
  for (const headers of [{}, { 'lock-token': 'other' }] as Record<string, string>[]) {
    expect(await alice.patch(path, { title: 'lost' }, headers)).toMatchObject({
      status: 423,
      json: { type: 'locked' },
    });
    expect((await alice.patch(path, {}, headers)).status).toBe(423);
    expect((await alice.patch(path, { ordering: { obj_id: 'x', delta: 1 } }, headers)).status).toBe(423);
    expect((await alice.delete(path, headers)).status).toBe(423);
  }
  expect(refusals[0]).toMatchObject({ verdict: 'locked', change: 'update', object: { uid }, urls: [alice.url(path)] });
  expect((await anybody.get(path)).json.title).toBe('');
  expect(await touches()).toEqual([]);

  expect((await alice.patch(path, { title: 'kept' }, { 'lock-token': '<opaquelocktoken:T>' })).status).toBe(204);
  expect((await alice.patch(path, '', { 'lock-token': 'T', 'x-plone-unlock': 'TRUE' })).status).toBe(204);
  expect(await touches()).toEqual([
    { uid, who: 'alice', token: 'T', released: false },
    { uid, who: 'alice', token: 'T', released: true },
  ]);
  expect((await alice.delete(path, { 'lock-token': 'T' })).status).toBe(204);
});

it('a stale token and a wrong version are told apart, the lock first', async () => {
  const path = await alice.add('/', { id: 'stale' });
  const headers = { 'lock-token': 'stale', 'if-match': '"0"' };
  expect(await alice.patch(path, { title: 'x' }, headers)).toMatchObject({
    status: 412,
    json: { type: 'stale-token' },
  });
  const missed = await alice.patch(path, { title: 'x' }, { 'if-match': '"0"' });
  expect([missed.status, missed.json.type]).toEqual([412, 'PreconditionFailed']);
  expect(await touches()).toEqual([]);
});

it('a folder is not deleted over locked objects in it, which are named', async () => {
  await alice.add('/', { '@type': 'Folder', id: 'folder' });
  await alice.add('/folder', { '@type': 'Folder', id: 'inner' });
  const deep = await addLocked('/folder/inner', 'deep');
  const near = await addLocked('/folder', 'near');
  expect(await alice.delete('/folder', { 'lock-token': 'T2' })).toMatchObject({ status: 423 });
  expect(refusals[0]).toMatchObject({
    change: 'remove',
    object: { id: 'folder' },
    urls: [near.path, deep.path].map((path) => alice.url(path)),
  });
  expect((await anybody.get('/folder/inner/deep')).status).toBe(200);
  await app.sql('TRUNCATE test_lock');
  expect((await alice.delete('/folder')).status).toBe(204);
});

it('a lock stands against moving its object, not against what is around it', async () => {
  const { path, uid } = await addLocked('/', 'source', 'Folder');
  await alice.add('/', { '@type': 'Folder', id: 'target' });
  const free = await alice.add('/', { id: 'free' });
  expect(await alice.post('/target/@move', { source: [free, path] })).toMatchObject({ status: 423 });
  expect(refusals[0]).toMatchObject({ change: 'move', object: { uid } });
  expect((await anybody.get(free)).status).toBe(200);
  expect(await touches()).toEqual([]);
  expect((await alice.post(path, { '@type': 'Document', id: 'child' })).status).toBe(201);
  expect((await alice.post('/target/@copy', { source: path })).status).toBe(200);
  expect((await alice.post('/target/@move', { source: path }, { 'lock-token': 'T' })).status).toBe(200);
  expect(await touches()).toEqual([{ uid, who: 'alice', token: 'T', released: false }]);
});

it('a lock that is granted while a change waits for the row counts', async () => {
  const { json } = await alice.post('/', { '@type': 'Document', id: 'raced' });
  const uid = json.UID as string;
  await alice.add('/', { '@type': 'Folder', id: 'elsewhere' });
  const granting = await SideTransaction.begin(app, 'SELECT FROM content_object WHERE uid = $1 FOR UPDATE', [uid]);
  await granting.query(`INSERT INTO test_lock VALUES ($1, 'T')`, [uid]);
  const changes = [
    alice.patch('/raced', { title: 'x' }),
    alice.delete('/raced'),
    alice.post('/elsewhere/@move', { source: '/raced' }),
  ];
  // Some wait for the row, some for those before them.
  const waiting = (): Promise<unknown[]> =>
    app.sql(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`);
  await waitFor(async () => (await waiting()).length === changes.length);
  await granting.end('COMMIT');
  expect((await Promise.all(changes)).map(({ status }) => status)).toEqual([423, 423, 423]);
});

it('serializers add to objects in full, not to summaries', async () => {
  await alice.add('/', { '@type': 'Folder', id: 'shown' });
  const path = await alice.add('/shown', { id: 'page' });
  expect((await anybody.get(path)).json.lock).toEqual({ of: 'page', to: 'anonymous' });
  expect((await alice.patch(path, {}, { prefer: 'return=representation' })).json.lock).toEqual({
    of: 'page',
    to: 'alice',
  });
  expect((await alice.post('/shown', { '@type': 'Document', id: 'new' })).json.lock.of).toBe('new');
  const { items, lock } = (await anybody.get('/shown')).json;
  expect([lock.of, items[0].lock]).toEqual(['shown', undefined]);
  expect((await anybody.get('/shown?fullobjects')).json.items[0].lock.of).toBe('page');
});

describe('a route of the content surface', () => {
  const start = async (decorator: MethodDecorator | undefined): Promise<Route[]> => {
    @SurfaceController('content')
    class Probe {
      change(): Answer {
        return emptyAnswer(204);
      }
    }
    const descriptor = Object.getOwnPropertyDescriptor(Probe.prototype, 'change')!;
    for (const decorate of [Post('@probe'), Needs('modify'), ...(decorator ? [decorator] : [])]) {
      decorate(Probe.prototype, 'change', descriptor);
    }
    const module = await Test.createTestingModule({
      imports: [DiscoveryModule],
      controllers: [Probe],
      providers: [LockTokenGuard],
    }).compile();
    const routes: Route[] = [];
    registerSurfaceRoutes({
      discovery: module.get(DiscoveryService, { strict: false }),
      reflector: module.get(Reflector),
      moduleRef: module.get(ModuleRef),
      dispatcher: { addRoute: (_: string, route: Route) => void routes.push(route) } as unknown as Dispatcher,
    });
    return routes;
  };

  it('does not start unless it says what it changes', async () => {
    await expect(start(undefined)).rejects.toThrow('Probe.change does not declare with @ChangesContent()');
  });

  it('reads Lock-Token where it changes an object', async () => {
    const hasGuard = ([route]: Route[]): boolean => route!.guards.some((one) => one instanceof LockTokenGuard);
    expect(hasGuard(await start(ChangesContent('object')))).toBe(true);
    expect(hasGuard(await start(ChangesContent('source')))).toBe(true);
    expect(hasGuard(await start(ChangesContent('nothing')))).toBe(false);
  });
});
