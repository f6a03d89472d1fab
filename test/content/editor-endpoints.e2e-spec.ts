import { startApp, type TestApp } from '../support/start-app';
import { type ContentAnswer, ContentHttp, USERS } from './content-http';

let app: TestApp;
let nobody: ContentHttp;
let rita: ContentHttp;
let alice: ContentHttp;
let mia: ContentHttp;

/** /news (folder) holds first, second and archive (folder) with old in it; /about is a document of the root. */
beforeAll(async () => {
  app = await startApp({ CMS_USERS: `${USERS},jürgen/x y:pw:editor`, FAILED_LOGINS_PER_MINUTE: '1000' });
  nobody = new ContentHttp(app.port);
  [rita, alice, mia] = ['rita', 'alice', 'mia'].map((name) => nobody.as(name)) as [
    ContentHttp,
    ContentHttp,
    ContentHttp,
  ];
  await alice.add('/', { '@type': 'Folder', title: 'News', description: 'What is new' });
  await alice.add('/news', { title: 'First', description: 'One' });
  await alice.add('/news', { title: 'Second' });
  await alice.add('/news', { '@type': 'Folder', title: 'Archive' });
  await alice.add('/news/archive', { title: 'Old \0 & <new>' });
  await alice.add('/', { title: 'About' });
});
afterAll(() => app?.close());

const url = (path: string): string => nobody.url(path);

function expectView({ status, headers }: ContentAnswer): void {
  expect(status).toBe(200);
  expect(headers['content-type']).toBe('application/json; charset=utf-8');
  // Depends on who asks.
  expect(headers['cache-control']).toBe('private, no-cache');
  expect(headers.vary).toBe('Authorization');
}

const VIEWS = ['@actions', '@breadcrumbs', '@navigation', '@navroot', '@types', '@types/Document', '@site'];

describe.each(VIEWS)('%s', (view) => {
  it.each(['', '/news', '/news/archive/old-new'])('is a view of %j, asked for in every spelling', async (path) => {
    const plain = await rita.get(`${path}/${view}`);
    expectView(plain);
    for (const spelling of [`/++api++${path}/${view}`, `/++api++/${path}/${view}`, `//${path}//${view}/`]) {
      const answer = await rita.get(spelling);
      expect([answer.status, answer.json]).toEqual([200, plain.json]);
      expect(answer.text).not.toContain('++api++');
    }
    const head = await rita.send('HEAD', `${path}/${view}`);
    expect([head.status, head.text, head.headers['content-length']]).toEqual([
      200,
      '',
      String(Buffer.byteLength(plain.text)),
    ]);
  });

  it('is 404 where there is no object, and names the nearest one', async () => {
    const { status, json } = await rita.get(`/news/nowhere/deeper/${view}`);
    expect(status).toBe(404);
    expect(json).toEqual({
      type: 'NotFound',
      message: `Resource not found: ${url('/news/nowhere/deeper')}`,
      context: url('/news'),
    });
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('knows no %s', async (method) => {
    const { status, headers, json } = await mia.send(method, `/news/${view}`, { body: '{bad' });
    expect([status, headers.allow, json.type]).toEqual([405, 'GET, HEAD', 'MethodNotAllowed']);
  });

  const isOpen = !view.startsWith('@types');
  it.each([
    ['nobody', isOpen ? 200 : 401],
    ['rita', 200],
    ['alice', 200],
    ['mia', 200],
  ])(`answers %s with %s`, async (name, status) => {
    const answer = await (name === 'nobody' ? nobody : nobody.as(name)).get(`/news/${view}`);
    expect(answer.status).toBe(status);
    if (status === 401) {
      expect(answer.json.type).toBe('Unauthorized');
      expect(answer.headers['www-authenticate']).toBeDefined();
    }
  });
});

describe('@types', () => {
  const listed = (path: string, addable: boolean): object[] => [
    { '@id': url(`${path}/@types/Document`), id: 'Document', title: 'Page', addable, immediately_addable: addable },
    { '@id': url(`${path}/@types/Folder`), id: 'Folder', title: 'Folder', addable, immediately_addable: addable },
  ];

  it.each([
    ['rita', '/news', false],
    ['alice', '/news', true],
    ['mia', '/news', true],
    ['alice', '/about', false],
    ['alice', '', true],
  ])('tells %s what can be added to %j', async (name, path, addable) => {
    expect((await nobody.as(name).get(`${path}/@types`)).json).toEqual(listed(path, addable));
  });

  it.each(['Document', 'Folder', 'Plone%20Site'])('has a form for %s whose parts fit together', async (type) => {
    const { json } = await alice.get(`/@types/${type}`);
    expect(json).toMatchObject({ type: 'object', required: ['title'], layouts: [] });
    const shown = json.fieldsets.flatMap((fieldset: { fields: string[] }) => fieldset.fields);
    expect(shown.sort()).toEqual(Object.keys(json.properties).sort());
    expect(json.fieldsets[0]).toEqual({
      id: 'default',
      title: 'Default',
      fields: ['title', 'description'],
      behavior: 'plone',
    });
    for (const property of Object.values<Record<string, unknown>>(json.properties)) {
      expect(property).toMatchObject({
        type: expect.any(String),
        title: expect.stringMatching(/./),
        description: expect.any(String),
        factory: expect.any(String),
        behavior: expect.any(String),
      });
    }
  });

  it.each([
    ['Document', 'Page', ['blocks', 'blocks_layout', 'description', 'exclude_from_nav', 'id', 'title']],
    ['Folder', 'Folder', ['description', 'exclude_from_nav', 'id', 'title']],
    ['Plone%20Site', 'Site', ['blocks', 'blocks_layout', 'description', 'title']],
  ])('the form of %s is called %s and has the fields that such an object takes', async (type, title, fields) => {
    const { json } = await alice.get(`/news/@types/${type}`);
    expect(json.title).toBe(title);
    expect(Object.keys(json.properties).sort()).toEqual(fields);
  });

  it('an object takes and gives back everything that its form shows', async () => {
    const { json: form } = await alice.get('/@types/Document');
    const values: Record<string, unknown> = {
      string: 'some text',
      boolean: true,
      dict: { items: ['a'], a: { '@type': 'text' } },
    };
    const sent = Object.fromEntries(
      Object.entries<{ type: string }>(form.properties).map(([name, { type }]) => [name, values[type]]),
    );
    const path = await alice.add('/', { title: 'Form' });
    expect((await alice.patch(path, { ...sent, id: 'form-saved' })).status).toBe(204);
    expect((await alice.get('/form-saved')).json).toMatchObject({ ...sent, id: 'form-saved' });
    expect((await alice.delete('/form-saved')).status).toBe(204);
  });

  it.each(['Event', 'document', 'constructor', '__proto__', 'Document/title', 'Document%2F', '%00'])(
    'knows no type %s',
    async (type) => {
      const { status, json } = await alice.get(`/@types/${type}`);
      expect([status, json.type]).toEqual([404, 'NotFound']);
    },
  );

  it.each(['%ff', '%zz', '%'])('refuses the type %s with 400', async (type) => {
    const { status, json } = await alice.get(`/@types/${type}`);
    expect([status, json.type]).toEqual([400, 'BadRequest']);
  });
});

describe('blocks', () => {
  const EMPTY = { blocks: {}, blocks_layout: { items: [] } };

  it.each(['/', '/about'])('%s has them before anybody saved any, for an editor to begin with', async (path) => {
    expect((await nobody.get(path)).json).toMatchObject(EMPTY);
  });

  it('a folder has none', async () => {
    const { json } = await nobody.get('/news');
    expect(Object.keys(json)).not.toContain('blocks');
    expect(Object.keys(json)).not.toContain('blocks_layout');
  });

  it('are kept as they were saved, and empty again once they are cleared', async () => {
    const blocks = { blocks: { a: { '@type': 'slate', value: [{ text: 'x' }] } }, blocks_layout: { items: ['a'] } };
    const path = await alice.add('/', { title: 'Blocks', ...blocks });
    expect((await alice.get(path)).json).toMatchObject(blocks);
    expect((await alice.patch(path, { blocks: null, blocks_layout: null })).status).toBe(204);
    const { json } = await alice.get(path);
    expect({ blocks: json.blocks, blocks_layout: json.blocks_layout }).toEqual(EMPTY);
    await alice.delete(path);
  });
});

describe('@breadcrumbs', () => {
  it('leads from below the root to the object', async () => {
    expect((await nobody.get('/news/archive/old-new/@breadcrumbs')).json).toEqual({
      '@id': url('/news/archive/old-new/@breadcrumbs'),
      root: url(''),
      items: [
        { '@id': url('/news'), title: 'News' },
        { '@id': url('/news/archive'), title: 'Archive' },
        { '@id': url('/news/archive/old-new'), title: 'Old \0 & <new>' },
      ],
    });
  });

  it('is empty at the root', async () => {
    expect((await nobody.get('/@breadcrumbs')).json).toEqual({
      '@id': url('/@breadcrumbs'),
      root: url(''),
      items: [],
    });
  });
});

describe('@navigation', () => {
  const entry = (path: string, title: string, description: string, items: object[] = []): object => ({
    '@id': url(path),
    title,
    description,
    review_state: 'published',
    items,
  });
  const home = (): object => ({ ...entry('', 'Home', ''), review_state: null });
  const levels = (): object[][] => [
    [home(), entry('/news', 'News', 'What is new'), entry('/about', 'About', '')],
    [
      home(),
      entry('/news', 'News', 'What is new', [
        entry('/news/first', 'First', 'One'),
        entry('/news/second', 'Second', ''),
        entry('/news/archive', 'Archive', ''),
      ]),
      entry('/about', 'About', ''),
    ],
    [
      home(),
      entry('/news', 'News', 'What is new', [
        entry('/news/first', 'First', 'One'),
        entry('/news/second', 'Second', ''),
        entry('/news/archive', 'Archive', '', [entry('/news/archive/old-new', 'Old \0 & <new>', '')]),
      ]),
      entry('/about', 'About', ''),
    ],
  ];

  it.each([
    ['', 1],
    ['?expand.navigation.depth=1', 1],
    ['?expand.navigation.depth=2', 2],
    ['?depth=2', 2],
    ['?depth=3', 3],
    ['?depth=0', 1],
    ['?depth=10', 3],
    ['?depth=999999999', 3],
    ['?depth=', 1],
    ['?depth=3&expand.navigation.depth=2', 2],
  ])('%s shows %s levels of the whole site', async (query, depth) => {
    for (const path of ['', '/news/first']) {
      expect((await nobody.get(`${path}/@navigation${query}`)).json).toEqual({
        '@id': url(`${path}/@navigation`),
        items: levels()[depth - 1],
      });
    }
  });

  it.each(['-1', '1.5', 'x', '1e3', '9999999999', '%00', '1;2'])('refuses the depth %s with 400', async (depth) => {
    const { status, json } = await nobody.get(`/@navigation?depth=${depth}`);
    expect([status, json.type]).toEqual([400, 'BadRequest']);
  });

  it('leaves out what is excluded, with everything in it, and follows the order of the folder', async () => {
    const folder = await alice.add('/', { '@type': 'Folder', title: 'Hidden', exclude_from_nav: true });
    await alice.add(folder, { title: 'Below' });
    // None of these is the member itself.
    const shown = await alice.add('/', {
      title: 'Shown',
      nested: { exclude_from_nav: true },
      text: '"exclude_from_nav":true',
    });
    await alice.patch('/about', { exclude_from_nav: false });
    await alice.patch('/', { ordering: { obj_id: shown.slice(1), delta: 'top' } });
    const titles = async (): Promise<string[]> =>
      (await nobody.get('/@navigation?depth=3')).json.items.map(({ title }: { title: string }) => title);
    expect(await titles()).toEqual(['Home', 'Shown', 'News', 'About']);
    await alice.patch(folder, { exclude_from_nav: 'true' });
    expect(await titles()).toEqual(['Home', 'Shown', 'News', 'About']);
    await alice.patch(folder, { exclude_from_nav: null });
    expect(await titles()).toEqual(['Home', 'Shown', 'News', 'About', 'Hidden']);
    await alice.delete(folder);
    await alice.delete(shown);
    await alice.patch('/about', { exclude_from_nav: null });
  });

  it('stops at a thousand entries', async () => {
    await app.sql(`
      INSERT INTO content_object (uid, parent_uid, id, type, title, description, fields, position, version, created, modified,
        created_by, last_by, last_at)
      SELECT lpad(n::text, 32, 'a'), (SELECT uid FROM content_object WHERE id = 'archive'), 'many-' || n, 'Document', n::text, '',
             '{}', 1000 + n, nextval('content_version_seq'), now(), now(), 'alice', 'alice', now()
        FROM generate_series(1, 1500) n`);
    try {
      const { json } = await nobody.get('/@navigation?depth=3');
      const count = (items: { items: never[] }[]): number =>
        items.reduce((sum, { items: below }) => sum + 1 + count(below), 0);
      expect(count(json.items)).toBe(1001);
      // Those of the upper levels are all there.
      expect(json.items.map(({ title }: { title: string }) => title)).toEqual(['Home', 'News', 'About']);
    } finally {
      await app.sql(`DELETE FROM content_object WHERE id LIKE 'many-%'`);
    }
  });
});

describe('@navroot and @site', () => {
  it('the navigation begins at the site root, wherever one asks', async () => {
    const { json: root } = await nobody.get('/');
    expect((await nobody.get('/news/first/@navroot')).json).toEqual({
      '@id': url('/news/first/@navroot'),
      navroot: {
        '@id': url(''),
        '@type': 'Plone Site',
        UID: root.UID,
        id: root.id,
        title: root.title,
        description: root.description,
        review_state: 'published',
        is_folderish: true,
        created: root.created,
        modified: root.modified,
      },
    });
  });

  it('the site has the title of its root', async () => {
    const { json: root } = await nobody.get('/');
    expect((await alice.patch('/', { title: 'Our site' })).status).toBe(204);
    expect((await nobody.get('/@site')).json).toEqual({
      '@id': url('/@site'),
      'plone.site_title': 'Our site',
      'plone.site_logo': null,
      'plone.robots_txt': '',
      'plone.default_language': 'en',
      'plone.available_languages': ['en'],
      'plone.portal_timezone': 'UTC',
    });
    await alice.patch('/', { title: root.title });
  });
});

describe('@actions', () => {
  type Category = 'object' | 'object_buttons' | 'user';
  const idsOf = (json: Record<Category, { id: string }[]>, category: Category): string[] =>
    json[category].map(({ id }) => id);

  it.each([
    ['nobody', '/news', ['view'], [], ['login']],
    ['rita', '/news', ['view'], [], ['logout']],
    ['alice', '/news', ['view', 'edit', 'folderContents'], ['cut', 'copy', 'paste', 'delete', 'rename'], ['logout']],
    ['mia', '/news', ['view', 'edit', 'folderContents'], ['cut', 'copy', 'paste', 'delete', 'rename'], ['logout']],
    ['alice', '/about', ['view', 'edit'], ['cut', 'copy', 'delete', 'rename'], ['logout']],
    ['alice', '', ['view', 'edit', 'folderContents'], ['paste'], ['logout']],
    ['nobody', '', ['view'], [], ['login']],
  ])('offers %s on %j what may be done', async (name, path, object, buttons, user) => {
    const { json } = await (name === 'nobody' ? nobody : nobody.as(name)).get(`${path}/@actions`);
    expect(Object.keys(json).sort()).toEqual([
      '@id',
      'document_actions',
      'object',
      'object_buttons',
      'portal_tabs',
      'site_actions',
      'user',
    ]);
    expect(json['@id']).toBe(url(`${path}/@actions`));
    expect(idsOf(json, 'object')).toEqual(object);
    expect(idsOf(json, 'object_buttons')).toEqual(buttons);
    expect(idsOf(json, 'user')).toEqual(user);
    for (const action of [...json.object, ...json.object_buttons, ...json.user, ...json.portal_tabs]) {
      expect(action).toEqual({ id: expect.any(String), title: expect.stringMatching(/./), icon: '' });
    }
  });
});

describe('@users/{id}', () => {
  const card = (name: string, role: string): object => ({
    '@id': url(`/@users/${encodeURIComponent(name)}`),
    id: name,
    fullname: name,
    roles: ['Member', role],
  });
  const profile = (name: string, role: string): object => ({
    ...card(name, role),
    username: name,
    email: null,
    description: null,
    home_page: null,
    location: null,
    portrait: null,
    groups: { '@id': url(`/@users/${encodeURIComponent(name)}`), items: [], items_total: 0 },
  });

  it.each([
    ['rita', 'rita', profile, 'Reader'],
    ['alice', 'alice', profile, 'Editor'],
    ['mia', 'mia', profile, 'Manager'],
    ['mia', 'alice', profile, 'Editor'],
    ['rita', 'alice', card, 'Editor'],
    ['alice', 'mia', card, 'Manager'],
    ['alice', 'bob', card, 'Editor'],
    ['alice', 'jürgen/x y', card, 'Editor'],
  ])('shows %s who %s is', async (asker, name, shape, role) => {
    const answer = await nobody.as(asker).get(`/@users/${encodeURIComponent(name)}`);
    expectView(answer);
    expect(answer.json).toEqual(shape(name, role));
  });

  it('tells nobody anything, whether there is such a user or not', async () => {
    for (const name of ['alice', 'zoe']) expect((await nobody.get(`/@users/${name}`)).status).toBe(401);
  });

  it.each(['zoe', 'Alice', 'constructor', '__proto__', 'alice%00', 'alice/x', ''])(
    'knows nobody called %j',
    async (name) => {
      const { status, json } = await mia.get(`/@users/${name}`);
      expect([status, json.type]).toEqual([404, 'NotFound']);
    },
  );

  it.each(['%ff', '%e0%80%80', '%'])('refuses %s with 400', async (name) => {
    expect((await mia.get(`/@users/${name}`)).status).toBe(400);
  });

  it('is a view of the site root only', async () => {
    expect((await mia.get('/news/@users/alice')).status).toBe(404);
  });
});

describe('@components', () => {
  const NAMES = ['actions', 'breadcrumbs', 'navigation', 'navroot', 'types'];
  const links = (path: string): Record<string, object> =>
    Object.fromEntries(NAMES.map((name) => [name, { '@id': url(`${path}/@${name}`) }]));

  it('are links that lead somewhere', async () => {
    for (const path of ['', '/news', '/news/first']) {
      const { json } = await alice.get(path === '' ? '/' : path);
      expect(json['@components']).toEqual(links(path));
    }
    for (const { '@id': link } of Object.values(links('/news/first')) as { '@id': string }[]) {
      expect((await alice.get(new URL(link).pathname)).status).toBe(200);
    }
  });

  it.each([
    ['?expand=breadcrumbs', ['breadcrumbs']],
    ['?expand=breadcrumbs,navigation', ['breadcrumbs', 'navigation']],
    ['?expand=breadcrumbs&expand=actions', ['breadcrumbs', 'actions']],
    ['?expand:list=breadcrumbs&expand:list=types', ['breadcrumbs', 'types']],
    ['?expand%3Alist=navroot', ['navroot']],
    [`?expand=${NAMES.join(',')}`, NAMES],
    ['?expand=lock,translations,constructor,__proto__', []],
    ['?expand=', []],
    ['?expand', []],
  ])('GET of the object with %s has in it what the views say', async (query, expanded) => {
    const { json } = await alice.get(`/news/archive/old-new${query}`);
    const wanted = links('/news/archive/old-new');
    for (const name of expanded) wanted[name] = (await alice.get(`/news/archive/old-new/@${name}`)).json;
    expect(json['@components']).toEqual(wanted);
  });

  it('the depth of the navigation holds there too', async () => {
    const query = 'expand=navigation&expand.navigation.depth=3';
    const { json } = await nobody.get(`/++api++/?${query}`);
    expect(json['@components'].navigation).toEqual((await nobody.get('/@navigation?depth=3')).json);
    expect((await nobody.get('/?expand=navigation&expand.navigation.depth=x')).status).toBe(400);
  });

  it('show each caller what this one may do', async () => {
    const query = '/news?expand=actions,types';
    const [open, editors] = [await nobody.get(query), await alice.get(query)];
    expect(open.json['@components'].actions.object).toHaveLength(1);
    expect(editors.json['@components'].actions.object.map(({ id }: { id: string }) => id)).toContain('edit');
    expect(open.json['@components'].types.map(({ addable }: { addable: boolean }) => addable)).toEqual([false, false]);
    expect(open.headers.etag).not.toBe(editors.headers.etag);
  });

  it('are links only in lists, and in the answers to changes', async () => {
    const { json } = await alice.get('/news?fullobjects=1&expand=breadcrumbs');
    expect(json['@components'].breadcrumbs.items).toHaveLength(1);
    expect(json.items.map((item: { '@components': object }) => item['@components'])).toEqual(
      ['first', 'second', 'archive'].map((id) => links(`/news/${id}`)),
    );
    const made = await alice.post('/news?expand=breadcrumbs', { '@type': 'Document', id: 'third' });
    expect(made.json['@components']).toEqual(links('/news/third'));
    const changed = await alice.patch(
      '/news/third?expand=breadcrumbs',
      { title: '3' },
      { prefer: 'return=representation' },
    );
    expect(changed.json['@components']).toEqual(links('/news/third'));
    await alice.delete('/news/third');
  });
});

describe('everything that is no view', () => {
  it.each([
    '/@search',
    '/@vocabularies',
    '/@querystring',
    '/@users',
    '/news/@workflow',
    '/news/@history/1',
    '/news/@sharing',
    '/news/@unlock',
    '/news/@refresh-lock',
    '/news/@actions/object',
    '/news/@breadcrumbs/x',
    '/@',
    '/@@view',
    '/@constructor',
    '/%40types/x/y',
  ])('%s is 404 as JSON, for whatever method', async (path) => {
    for (const method of ['GET', 'POST', 'PATCH', 'DELETE']) {
      const { status, headers, json } = await mia.send(method, path, method === 'GET' ? {} : { body: {} });
      expect([status, headers['content-type']]).toEqual([404, 'application/json; charset=utf-8']);
      expect(json).toEqual({ type: 'NotFound', message: `Resource not found: ${url(path)}`, context: url('') });
    }
  });

  it.each(['text/html', 'text/html,application/xhtml+xml', '*/*', 'image/png'])(
    'answers are JSON for those who accept %s',
    async (accept) => {
      for (const path of ['/@site', '/@nothing', '/nowhere/@actions']) {
        const { headers, text } = await nobody.get(path, { accept });
        expect(headers['content-type']).toBe('application/json; charset=utf-8');
        expect(text).not.toContain('<html');
      }
    },
  );
});
