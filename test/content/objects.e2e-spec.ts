import { startApp, type TestApp } from '../support/start-app';
import { ContentHttp, USERS } from './content-http';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/;

let app: TestApp;
let anybody: ContentHttp;
let alice: ContentHttp;
let mia: ContentHttp;

beforeAll(async () => {
  app = await startApp({ CMS_USERS: USERS });
  anybody = new ContentHttp(app.port);
  alice = anybody.as('alice');
  mia = anybody.as('mia');
});
afterAll(() => app.close());

describe('the site root', () => {
  it('is there from the start, for everybody', async () => {
    const { status, headers, json } = await anybody.get('/');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect(json).toMatchObject({
      '@id': anybody.url(''),
      '@type': 'Plone Site',
      id: 'site',
      title: 'Site',
      is_folderish: true,
      review_state: 'published',
      parent: {},
      items: [],
      items_total: 0,
    });
    expect(json.batching).toBeUndefined();
    expect(json['@components'].actions).toEqual({ '@id': anybody.url('/@actions') });
    expect(json.created).toMatch(TIME);
    expect(json.UID).toMatch(/^[0-9a-f]{32}$/);
  });

  it('can be changed, but neither renamed nor deleted', async () => {
    expect((await alice.patch('/', { title: 'Home', id: 'site' })).status).toBe(204);
    expect((await anybody.get('/')).json).toMatchObject({ title: 'Home', id: 'site' });
    expect((await alice.patch('/', { id: 'other' })).json.type).toBe('BadRequest');
    expect((await alice.delete('/')).status).toBe(400);
    expect((await alice.post('/@copy', { source: '/' })).status).toBe(400);
    await alice.patch('/', { title: 'Site' });
  });
});

describe('POST', () => {
  it('adds an object and answers it as GET does', async () => {
    const blocks = { a: { '@type': 'text', nested: [1, null, { z: 'é\u0000\u0001😀' }] } };
    const sent = { '@type': 'Document', title: 'My Page', description: 'About', blocks, count: 3, flag: false };
    const { status, headers, json } = await alice.post('/', sent);
    expect(status).toBe(201);
    expect(headers.location).toBe(alice.url('/my-page'));
    expect(json).toMatchObject({ ...sent, '@id': alice.url('/my-page'), id: 'my-page', is_folderish: false });
    expect(json.parent).toMatchObject({ '@id': alice.url(''), '@type': 'Plone Site' });
    expect(json.items).toBeUndefined();
    expect((await anybody.get('/my-page')).json).toEqual(json);
  });

  it('makes ids from titles, unique by a number', async () => {
    for (const id of ['same-title', 'same-title-1', 'same-title-2']) {
      expect((await alice.post('/', { '@type': 'Document', title: 'Same Title' })).json.id).toBe(id);
    }
  });

  it('keeps ids from titles away from addresses of other surfaces, at the root only', async () => {
    expect(await alice.add('/', { title: 'Docs' })).toBe('/docs-1');
    const folder = await alice.add('/', { '@type': 'Folder', title: 'A folder' });
    expect(await alice.add(folder, { title: 'Docs' })).toBe('/a-folder/docs');
  });

  it('takes an id that was given, and then only that', async () => {
    expect(await alice.add('/', { id: 'Given.Id', title: 'x' })).toBe('/Given.Id');
    const again = await alice.post('/', { '@type': 'Document', id: 'Given.Id' });
    expect(again.status).toBe(400);
    expect(again.json).toMatchObject({ type: 'BadRequest', context: alice.url('') });
    expect(await alice.add('/', { id: 'docs' })).toBe('/++api++/docs');
    expect((await anybody.get('/++api++/docs')).json['@id']).toBe(alice.url('/++api++/docs'));
  });

  it('lets managers choose the UID, once', async () => {
    const UID = '0123456789abcdef0123456789abcdef';
    expect((await alice.post('/', { '@type': 'Document', UID })).json.error.type).toBe('Forbidden');
    expect((await mia.post('/', { '@type': 'Document', UID, title: 'chosen' })).json.UID).toBe(UID);
    expect((await mia.post('/', { '@type': 'Document', UID, title: 'chosen' })).status).toBe(400);
    expect((await mia.post('/', { '@type': 'Document', UID: 'short' })).status).toBe(400);
  });

  it('names a missing, an unknown and an impossible type', async () => {
    const missing = await alice.post('/', { title: 'x' });
    expect([missing.status, missing.json.type, missing.json.message]).toEqual([
      400,
      'BadRequest',
      `Property '@type' is required`,
    ]);
    expect(await alice.post('/', { '@type': 'Nonsense' })).toMatchObject({
      status: 403,
      json: { error: { type: 'Forbidden', message: 'Disallowed subobject type: Nonsense' } },
    });
    expect((await alice.post('/', { '@type': 'Plone Site' })).status).toBe(403);
    expect((await alice.post('/my-page', { '@type': 'Document' })).json.error.type).toBe('Forbidden');
    expect((await alice.post('/nowhere', { '@type': 'Document' })).json.type).toBe('NotFound');
  });
});

describe('PATCH', () => {
  it('changes what was sent and leaves the rest', async () => {
    const path = await alice.add('/', {
      title: 'Patched',
      description: 'old',
      one: 1,
      two: [2],
      three: { a: 1, b: 2 },
    });
    expect(await alice.patch(path, { description: null, two: null, three: { b: 3 }, four: 'new' })).toMatchObject({
      status: 204,
      text: '',
    });
    const { json } = await anybody.get(path);
    expect(json).toMatchObject({ title: 'Patched', description: '', one: 1, three: { b: 3 }, four: 'new' });
    expect(json.three).toEqual({ b: 3 });
    expect('two' in json).toBe(false);
  });

  it('answers the object when asked to', async () => {
    const path = await alice.add('/', { title: 'Shown' });
    const { status, json, headers } = await alice.patch(path, { title: 'Again' }, { prefer: 'return=representation' });
    expect([status, json.title, headers['preference-applied']]).toEqual([200, 'Again', 'return=representation']);
  });

  it('renames by id, keeps the UID, and refuses an id that is taken', async () => {
    const path = await alice.add('/', { title: 'Before' });
    const other = await alice.add('/', { title: 'Other' });
    const { json } = await anybody.get(path);
    const renamed = await alice.patch(path, { id: 'after', title: 'After' }, { prefer: 'return=representation' });
    expect(renamed.json).toMatchObject({ '@id': alice.url('/after'), UID: json.UID, title: 'After' });
    expect((await anybody.get(path)).status).toBe(404);
    expect((await alice.patch('/after', { id: 'other', title: 'lost' })).status).toBe(400);
    expect((await anybody.get('/after')).json.title).toBe('After');
    expect((await anybody.get(other)).json.title).toBe('Other');
  });

  it('changes every field of an object that has 50,000', async () => {
    const fields = (value: number): Record<string, number> =>
      Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`f${index}`, value]));
    const path = await alice.add('/', { title: 'Wide', ...fields(1), kept: true });
    expect((await alice.patch(path, { ...fields(2), f0: null })).status).toBe(204);
    const { json } = await anybody.get(path);
    expect(json).toMatchObject({ title: 'Wide', kept: true, f1: 2, f49999: 2 });
    expect('f0' in json).toBe(false);
  });

  it('takes an empty form for no change at all', async () => {
    const path = await alice.add('/', { title: 'Refreshed' });
    const before = await anybody.get(path);
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': '0' };
    expect(await alice.patch(path, undefined, headers)).toMatchObject({ status: 204, text: '' });
    expect((await alice.patch(path, {})).status).toBe(204);
    expect(await anybody.get(path)).toMatchObject({ text: before.text });
    expect((await anybody.get(path)).headers.etag).toBe(before.headers.etag);
  });
});

describe('DELETE', () => {
  it('takes an object with everything below it', async () => {
    const folder = await alice.add('/', { '@type': 'Folder', title: 'Doomed' });
    const inner = await alice.add(folder, { '@type': 'Folder', title: 'Inner' });
    const page = await alice.add(inner, { title: 'Page' });
    expect(await alice.delete(folder)).toMatchObject({ status: 204, text: '' });
    for (const path of [folder, inner, page]) expect((await anybody.get(path)).status).toBe(404);
    expect(await app.sql(`SELECT FROM content_object WHERE title IN ('Doomed', 'Inner', 'Page')`)).toEqual([]);
    expect((await alice.delete(folder)).status).toBe(404);
  });
});

describe('PUT', () => {
  it('is not there', async () => {
    const { status, headers, json } = await alice.send('PUT', '/my-page', { body: {} });
    expect([status, json.type]).toEqual([405, 'MethodNotAllowed']);
    expect(headers.allow).toBe('GET, HEAD, POST, PATCH, DELETE');
  });
});

describe('HEAD', () => {
  it('answers as GET without its body', async () => {
    const [head, get] = [await anybody.send('HEAD', '/my-page'), await anybody.get('/my-page')];
    expect([head.status, head.text, head.headers.etag]).toEqual([200, '', get.headers.etag]);
    expect(head.headers['content-length']).toBe(get.headers['content-length']);
    expect(await anybody.send('HEAD', '/nothing')).toMatchObject({ status: 404, text: '' });
  });
});
