import { expectEmpty } from '../support/expect-answer';
import { readItems, readPages } from '../support/pages';
import { startApp, type TestApp } from '../support/start-app';
import { putAll, removeAll } from './stored-key-values';

const encode = (text: string): string => encodeURIComponent(Buffer.from(text).toString('base64'));
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${String(i).padStart(3, '0')}`);

interface Name {
  name: string | null;
}

describe('/keys and /labels', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());

  const names = async (target: string): Promise<(string | null)[]> =>
    (await readItems<Name>(app.azure, target)).map(({ name }) => name);

  describe('of a store without key-values', () => {
    beforeAll(() => removeAll(app));

    it.each(['/keys', '/labels'])('%s is empty', async (path) => {
      const { status, text, headers } = await app.azure.get(path);
      expect(status).toBe(200);
      expect(text).toBe('{"items":[]}');
      expect(headers.link).toBeUndefined();
    });
  });

  describe('of a store', () => {
    beforeAll(async () => {
      await removeAll(app);
      await putAll(app, [
        { key: 'b' },
        { key: 'b', label: 'x' },
        { key: 'a', label: 'x' },
        { key: 'a', label: 'X' },
        { key: 'B', label: 'a*,\\b' },
        { key: 'a*,\\b', label: '🔑' },
        { key: '🔑', label: '\uE000' },
        { key: '\uE000', label: 'x' },
        { key: 'deleted', label: 'deleted' },
        { key: 'deleted', label: 'x' },
      ]);
      await app.azure.delete('/kv/deleted?label=deleted');
      await app.azure.delete('/kv/deleted?label=x');
    });

    it.each([
      ['/keys', 'application/vnd.microsoft.appconfig.keyset+json; charset=utf-8'],
      ['/labels', 'application/vnd.microsoft.appconfig.labelset+json; charset=utf-8'],
    ])('%s has its own media type and no entity tag', async (path, type) => {
      const get = await app.azure.get(path);
      expect(get.headers['content-type']).toBe(type);
      expect(get.headers.etag).toBeUndefined();
      expect(get.headers['last-modified']).toBeUndefined();
      expect(get.headers['sync-token']).toBeDefined();
      const head = await app.azure.head(path);
      expect(head.status).toBe(200);
      expect(head.text).toBe('');
      expect(head.headers['content-length']).toBe(get.headers['content-length']);
    });

    it('lists each key once, in ordinal order, without deleted ones', async () => {
      expect((await app.azure.get('/keys')).text).toBe(
        '{"items":[{"name":"B"},{"name":"a"},{"name":"a*,\\\\b"},{"name":"b"},{"name":"\uE000"},{"name":"🔑"}]}',
      );
    });

    it('lists each label once, no label first, without deleted ones', async () => {
      expect((await app.azure.get('/labels')).text).toBe(
        '{"items":[{"name":null},{"name":"X"},{"name":"a*,\\\\b"},{"name":"x"},{"name":"\uE000"},{"name":"🔑"}]}',
      );
    });

    it.each<[string, (string | null)[]]>([
      ['/keys?name=', ['B', 'a', 'a*,\\b', 'b', '\uE000', '🔑']],
      ['/keys?name=*', ['B', 'a', 'a*,\\b', 'b', '\uE000', '🔑']],
      ['/keys?name=a', ['a']],
      ['/keys?NAME=a*', ['a', 'a*,\\b']],
      ['/keys?name=a,b,c', ['a', 'b']],
      ['/keys?name=a%5C*%5C,%5C%5Cb', ['a*,\\b']],
      ['/keys?name=%00', []],
      ['/keys?name=%00,b', ['b']],
      ['/keys?name=deleted', []],
      ['/keys?key=a', ['B', 'a', 'a*,\\b', 'b', '\uE000', '🔑']],
      ['/labels?name=*', [null, 'X', 'a*,\\b', 'x', '\uE000', '🔑']],
      ['/labels?name=%00', [null]],
      ['/labels?name=x', ['x']],
      ['/labels?name=%00,x,X', [null, 'X', 'x']],
      ['/labels?name=a*', ['a*,\\b']],
      ['/labels?name=%F0%9F%94%91*', ['🔑']],
      ['/labels?name=deleted', []],
    ])('%s gives %j', async (target, expected) => {
      expect(await names(target)).toEqual(expected);
    });

    it.each([
      ['$select=name', '{"name":"a"}'],
      ['$Select=%20Name', '{"name":"a"}'],
      ['fields=name', '{"name":"a"}'],
      ['$select=*', '{"name":"a"}'],
      ['$select=', '{"name":"a"}'],
      ['$select=key', '{}'],
      ['fields=key', '{}'],
    ])('%s gives items of %s', async (query, item) => {
      expect((await app.azure.get(`/keys?name=a&${query}`)).text).toBe(`{"items":[${item}]}`);
    });

    it('1.0 answers the same', async () => {
      for (const path of ['/keys', '/labels']) {
        expect((await app.azure.withVersion('1.0').get(path)).text).toBe((await app.azure.get(path)).text);
      }
    });

    it.each(['/keys', '/labels'])('%s/ is the list, and anything behind it a 404', async (path) => {
      expect((await app.azure.get(`${path}/`)).text).toBe((await app.azure.get(path)).text);
      expectEmpty(await app.azure.get(`${path}/a`), 404);
    });
  });

  describe('pages', () => {
    beforeAll(async () => {
      await removeAll(app);
      // Some keys have several labels and some labels several keys, so that rows and names differ in number.
      await putAll(
        app,
        numbered(205).flatMap((key, index) => [
          { key, label: key.replace('n', 'l') },
          ...(index % 4 === 0 ? [{ key }, { key, label: `m${index % 3}` }] : []),
        ]),
      );
    });

    it('are full although several key-values share a name', async () => {
      const pages = await readPages(app.azure, '/keys');
      expect(pages.map((page) => page.json.items.length)).toEqual([100, 100, 5]);
      expect(pages.flatMap((page) => page.json.items.map(({ name }: Name) => name))).toEqual(numbered(205));
    });

    it('repeat no label and begin with none', async () => {
      const pages = await readPages(app.azure, '/labels');
      expect(pages.map((page) => page.json.items.length)).toEqual([100, 100, 9]);
      const found = pages.flatMap((page) => page.json.items.map(({ name }: Name) => name));
      const labels = numbered(205).map((name) => name.replace('n', 'l'));
      expect(found).toEqual([null, ...labels, 'm0', 'm1', 'm2']);
    });

    it('end with an empty one behind a full one', async () => {
      const pages = await readPages(app.azure, '/keys?name=n0*');
      expect(pages.map((page) => page.json.items.length)).toEqual([100, 0]);
    });

    it('announce the next one in header and body alike', async () => {
      for (const [path, last] of [
        ['/keys', 'tn099'],
        ['/labels', 'tl098'],
      ] as const) {
        const { headers, json } = await app.azure.get(`${path}?name=*`);
        expect(json['@nextLink']).toBe(`${path}?name=*&api-version=2023-11-01&after=${encode(last)}`);
        expect(headers.link).toBe(`<${json['@nextLink']}>; rel="next"`);
        expect(Object.keys(json)).toEqual(['items', '@nextLink']);
      }
    });

    it.each(['!', 'eA', encode('x'), encode('t'), encode('t\0'), encode('')])(
      'begin anew with the token %s, which is none',
      async (token) => {
        expect((await app.azure.get(`/labels?after=${token}`)).text).toBe((await app.azure.get('/labels')).text);
      },
    );

    it('go on behind "no label"', async () => {
      expect((await app.azure.get(`/labels?after=${encode('n')}`)).json.items[0]).toEqual({ name: 'l000' });
    });

    it('lose and repeat nothing when names go between them', async () => {
      const first = await app.azure.get('/keys');
      for (const key of ['n099', 'n100']) {
        await app.sql('UPDATE key_value SET deleted = true WHERE key = $1', [key]);
      }
      const rest = await readItems<Name>(app.azure, first.json['@nextLink']);
      expect(rest.map(({ name }) => name)).toEqual(numbered(205).slice(101));
    });
  });
});
