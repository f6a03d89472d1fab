import { MAX_LEVELS } from '../../src/content/content.repository';
import { SideTransaction } from '../support/side-transaction';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';
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

  it('makes nothing of a source of which a part goes meanwhile', async () => {
    const { path } = await tree();
    const gone = (await anybody.get(`${path}/second`)).json.UID;
    const gate = await SideTransaction.begin(app, `DELETE FROM content_object WHERE uid = $1`, [gone]);
    const copying = alice.post('/to/@copy', { source: path });
    await waitFor(() => gate.isWaitedFor());
    await gate.end('COMMIT');
    const { status, json } = await copying;
    expect([status, json]).toMatchObject([400, { message: 'A source was deleted meanwhile.' }]);
    expect((await anybody.get(`/to${path}`)).status).toBe(404);
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

describe('a tree of as many levels as it may have', () => {
  /** Below a folder of its own at the root; ids are as long as they may be. */
  async function chain(levels: number): Promise<string> {
    let path = await alice.add('/', { '@type': 'Folder', id: `chain${++count}` });
    const id = 'i'.repeat(255);
    for (let level = 2; level <= levels; level++) path = await alice.add(path, { '@type': 'Folder', id });
    return path;
  }
  const top = (path: string): string => `/${path.split('/')[1]}`;
  const refused = { message: `The content tree has ${MAX_LEVELS} levels at most.`, type: 'BadRequest' };
  let deepest: string;

  beforeAll(async () => {
    deepest = await chain(MAX_LEVELS);
  });

  it('has an address for each object and each view of it', async () => {
    const { status, json } = await alice.get(`/++api++${deepest}?expand=breadcrumbs,navigation,types,actions`);
    expect([status, json['@components'].breadcrumbs.items.length]).toEqual([200, MAX_LEVELS]);
    expect((await alice.post(`/++api++${deepest}/@lock`)).status).toBe(200);
    expect((await alice.delete(`/++api++${deepest}/@lock`)).status).toBe(200);
  });

  it.each(['Folder', 'Document'])('takes no %s below the last one', async (type) => {
    const { status, json } = await alice.post(deepest, { '@type': type, id: 'more' });
    expect([status, json]).toMatchObject([400, refused]);
  });

  it.each(['@move', '@copy'])('%s into it is refused, of all sources', async (view) => {
    const page = await alice.add('/', { id: `page${++count}` });
    const { path } = await tree();
    const parent = deepest.slice(0, deepest.lastIndexOf('/'));
    for (const source of [[page], [page, path]]) {
      const { status, json } = await alice.post(`${deepest}/${view}`, { source });
      expect([status, json]).toMatchObject([400, refused]);
    }
    const { status, json } = await alice.post(`${parent}/${view}`, { source: [page, path] });
    expect([status, json]).toMatchObject([400, refused]);
    expect((await alice.get(parent)).json.items_total).toBe(1);
    // A tree of three levels, with a page on the last one, below one of three fewer.
    const fitting = await chain(MAX_LEVELS - 3);
    expect((await alice.post(`${fitting}/${view}`, { source: [path] })).status).toBe(200);
    expect((await alice.delete(top(fitting))).status).toBe(204);
  });

  it('can be moved and copied sideways and upwards, and deleted', async () => {
    const from = top(deepest);
    const second = deepest.split('/').slice(0, 3).join('/');
    const home = await alice.add('/', { '@type': 'Folder', id: `home${++count}` });
    expect((await alice.post(`${home}/@move`, { source: [from] })).status).toBe(400);
    expect((await alice.post(`${home}/@copy`, { source: [second] })).status).toBe(200);
    expect((await alice.post(`${home}/@move`, { source: [second] })).status).toBe(200);
    expect((await alice.delete(home)).status).toBe(204);
  });

  it('is copied into itself as it was, whatever its other copies bring there', async () => {
    const last = await chain(4);
    const ids = last.split('/').slice(1);
    const source = ids.map((_, index) => `/${ids.slice(0, ids.length - index).join('/')}`);
    expect((await alice.post(`${last}/@copy`, { source })).status).toBe(200);
    const made = await app.sql<{ level: number }>(
      `WITH RECURSIVE below (uid, level) AS (
         SELECT uid, 0 FROM content_object WHERE id = $1
         UNION ALL
         SELECT c.uid, b.level + 1 FROM below b JOIN content_object c ON c.parent_uid = b.uid)
       SELECT level FROM below WHERE level > 3`,
      [ids[0]],
    );
    // Chains of 1, 2, 3 and 4.
    expect(made.map(({ level }) => level).sort()).toEqual([4, 4, 4, 4, 5, 5, 5, 6, 6, 7]);
  });

  it('gets no deeper by a copy whose source grows meanwhile', async () => {
    const target = await chain(MAX_LEVELS - 1);
    const { path } = await tree();
    const source = `${path}/inner/page`;
    expect((await alice.delete(source)).status).toBe(204);
    const gate = await SideTransaction.begin(app, `SELECT FROM content_object WHERE uid = $1 FOR UPDATE`, [
      (await anybody.get(target)).json.UID,
    ]);
    const copying = alice.post(`${target}/@copy`, { source: `${path}/inner` });
    await waitFor(() => gate.isWaitedFor());
    await alice.add(`${path}/inner`, { id: 'more' });
    await gate.end('COMMIT');
    const { status, json } = await copying;
    expect([status, json]).toMatchObject([400, refused]);
  });
});
