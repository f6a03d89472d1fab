import { startApp, type TestApp } from '../support/start-app';
import { ContentHttp, USERS } from './content-http';

let app: TestApp;
let anybody: ContentHttp;
let alice: ContentHttp;

beforeAll(async () => {
  app = await startApp({ CMS_USERS: USERS });
  anybody = new ContentHttp(app.port);
  alice = anybody.as('alice');
  await alice.add('/', { '@type': 'Folder', id: 'to' });
});
afterAll(() => app.close());

let count = 0;
/** A folder with a page in a folder in it. */
async function tree(): Promise<{ path: string; uid: string }> {
  const path = await alice.add('/', {
    '@type': 'Folder',
    id: `tree${++count}`,
    title: `Tree ${count}`,
    extra: { a: ['\u0000'] },
  });
  await alice.add(path, { '@type': 'Folder', id: 'inner' });
  await alice.add(`${path}/inner`, { id: 'page', title: 'Page' });
  await alice.add(path, { id: 'second' });
  return { path, uid: (await anybody.get(path)).json.UID };
}

describe('@move', () => {
  it('takes a source as path, URL or UID and keeps what it is', async () => {
    for (const spell of [
      ({ path }: { path: string }) => path,
      ({ path }: { path: string }) => anybody.url(path),
      ({ path }: { path: string }) => anybody.url(`/++api++${path}/`),
      ({ path }: { path: string }) => path.slice(1),
      ({ uid }: { uid: string }) => uid,
    ]) {
      const moved = await tree();
      const before = (await anybody.get(moved.path)).json;
      const { status, json } = await alice.behind('/++api++').post('/to/@move', { source: spell(moved) });
      expect([status, json]).toEqual([
        200,
        [{ source: anybody.url(moved.path), target: anybody.url(`/to${moved.path}`) }],
      ]);
      expect((await anybody.get(moved.path)).status).toBe(404);
      const after = (await anybody.get(`/to${moved.path}`)).json;
      expect(after).toMatchObject({
        UID: moved.uid,
        title: before.title,
        extra: before.extra,
        created: before.created,
      });
      expect(after.items.map(({ id }: { id: string }) => id)).toEqual(['inner', 'second']);
      expect((await anybody.get(`/to${moved.path}/inner/page`)).json.title).toBe('Page');
    }
  });

  it('moves a list in its order, each once', async () => {
    const [a, b] = [await tree(), await tree()];
    const { json } = await alice.post('/to/@move', { source: [b.path, a.path, b.uid] });
    expect(json.map(({ source }: { source: string }) => source)).toEqual(
      [b.path, a.path].map((path) => anybody.url(path)),
    );
    const ids = (await anybody.get('/to')).json.items.map(({ id }: { id: string }) => `/${id}`);
    expect(ids.slice(-2)).toEqual([b.path, a.path]);
  });

  it('finds another id where the old one is taken, and stays where it is already', async () => {
    await alice.add('/to', { id: 'taken' });
    await alice.add('/', { id: 'taken' });
    const { json } = await alice.post('/to/@move', { source: '/taken' });
    expect(json[0].target).toBe(anybody.url('/to/taken-1'));
    const again = await alice.post('/to/@move', { source: '/to/taken' });
    expect(again.json[0].target).toBe(anybody.url('/to/taken'));
  });

  it('refuses an object that would lie in itself, all of the list with it', async () => {
    const { path } = await tree();
    const other = await alice.add('/', { id: `beside${count}` });
    for (const target of [path, `${path}/inner`]) {
      expect(await alice.post(`${target}/@move`, { source: [other, path] })).toMatchObject({
        status: 400,
        json: { type: 'BadRequest' },
      });
    }
    expect((await anybody.get(other)).status).toBe(200);
    expect((await alice.post('/to/@move', { source: '/' })).status).toBe(400);
  });
});

describe('@copy', () => {
  it('copies with all below, as objects of their own', async () => {
    const { path, uid } = await tree();
    const { status, json } = await anybody.as('bob').post('/to/@copy', { source: path });
    const copy = `/to${path}`;
    expect([status, json]).toEqual([200, [{ source: anybody.url(path), target: anybody.url(copy) }]]);
    const [before, after] = [(await anybody.get(path)).json, (await anybody.get(copy)).json];
    expect(after).toMatchObject({ title: before.title, extra: before.extra, items_total: 2 });
    expect(after.UID).not.toBe(uid);
    expect(after.items.map(({ id }: { id: string }) => id)).toEqual(['inner', 'second']);
    expect(after.items[0].UID).not.toBe(before.items[0].UID);
    await alice.patch(`${copy}/inner/page`, { title: 'Changed' });
    expect((await anybody.get(`${path}/inner/page`)).json.title).toBe('Page');
    expect(await app.sql('SELECT created_by FROM content_object WHERE uid = $1', [after.UID])).toEqual([
      { created_by: 'bob' },
    ]);
  });

  it('copies beside and into itself', async () => {
    const { path } = await tree();
    expect((await alice.post('/@copy', { source: path })).json[0].target).toBe(anybody.url(`${path}-1`));
    expect((await alice.post('/@copy', { source: path })).json[0].target).toBe(anybody.url(`${path}-2`));
    const inside = (await alice.post(`${path}/inner/@copy`, { source: path })).json[0].target;
    expect(inside).toBe(anybody.url(`${path}/inner${path}`));
    expect((await anybody.get(`${path}/inner${path}/inner`)).json.items.map(({ id }: { id: string }) => id)).toEqual([
      'page',
    ]);
  });

  it('has a limit, beyond which nothing is copied', async () => {
    const { path } = await tree();
    await app.sql(
      `INSERT INTO content_object (uid, parent_uid, id, type, title, description, fields, position, version, created, modified,
         created_by, last_by, last_at)
       SELECT md5(n::text), f.uid, 'n' || n, 'Document', '', '', '{}', n, 0, now(), now(), 'x', 'x', now()
         FROM content_object f, generate_series(1, 5000) n WHERE f.id = $1`,
      [path.slice(1)],
    );
    const other = await alice.add('/', { id: `small${count}` });
    const { status, json } = await alice.post('/to/@copy', { source: [other, path] });
    expect([status, json.message]).toEqual([400, 'A copy may make 5000 objects at most.']);
    expect((await anybody.get(`/to${other}`)).status).toBe(404);
  });
});

describe.each(['@move', '@copy'])('%s', (view) => {
  it.each<[unknown, number]>([
    [{}, 400],
    [{ source: '' }, 400],
    [{ source: 7 }, 400],
    [{ source: [7] }, 400],
    [{ source: {} }, 400],
    [{ source: '/nothing' }, 404],
    [{ source: ['/to', '/nothing'] }, 404],
    [{ source: 'f'.repeat(32) }, 400],
    [{ source: 'https://elsewhere.example/to' }, 400],
    [{ source: '/to/@lock' }, 400],
    [{ source: '/%ff' }, 400],
    [{ source: '/é%' }, 400],
    [{ source: '/\u0000' }, 404],
    [{ source: '/ü' }, 404],
    [{ source: '\ud800' }, 400],
    [{ source: Array.from({ length: 101 }, () => '/to') }, 400],
    ['[]', 400],
    ['{bad', 400],
  ])('%j is %i', async (body, status) => {
    expect((await alice.post(`/to/${view}`, body)).status).toBe(status);
  });

  it('needs a folder that exists', async () => {
    const page = await alice.add('/', { id: `page${view.slice(1)}` });
    expect((await alice.post(`${page}/${view}`, { source: '/to' })).json.error.type).toBe('Forbidden');
    expect((await alice.post(`/nothing/${view}`, { source: page })).status).toBe(404);
    expect((await alice.post(`/to/${view}`, { source: [] })).json).toEqual([]);
  });
});
