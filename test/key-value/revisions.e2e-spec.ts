import { createHash } from 'node:crypto';
import { type AzureRequestOptions } from '../support/azure-http';
import { expectEmpty } from '../support/expect-answer';
import { readItems, readPages } from '../support/pages';
import { startApp, type TestApp } from '../support/start-app';
import { dateHistory, lock, putAll, removeAll } from './stored-key-values';

const FIELDS = ['etag', 'key', 'label', 'content_type', 'value', 'tags', 'locked', 'last_modified'];

interface Item {
  etag: string;
  key: string;
  label: string | null;
  value: string;
}

describe('/revisions', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());

  const values = async (target: string, options: AzureRequestOptions = {}): Promise<string[]> =>
    (await readItems<Item>(app.azure, target, options)).map(({ value }) => value);

  describe('of a few key-values', () => {
    beforeAll(async () => {
      await removeAll(app);
      const put = (target: string, value: string, tags = {}): Promise<unknown> =>
        app.azure.put(target, { value, tags });
      await put('/kv/b', 'b1');
      await put('/kv/a?label=l', 'al1', { t: '1' });
      await put('/kv/a', 'a1', { t: '1' });
      await put('/kv/a?label=l', 'al2', { t: '2' });
      await put('/kv/a', 'a2');
      await put('/kv/A', 'A1');
      await put('/kv/a', 'a3', { t: '1' });
      await put('/kv/a', 'a3', { t: '1' });
      await app.azure.delete('/kv/b');
      await put('/kv/b', 'b2');
      await put('/kv/gone', 'gone1');
      await app.azure.delete('/kv/gone');
    });

    it('lists each state once, by key and label, newest first, without tombstones and puts that changed nothing', async () => {
      expect(await values('/revisions')).toEqual(['A1', 'a3', 'a2', 'a1', 'al2', 'al1', 'b2', 'b1', 'gone1']);
    });

    it('shows each state as it was, the current one included', async () => {
      const { items } = (await app.azure.get('/revisions?key=a&label=l')).json;
      expect(Object.keys(items[0])).toEqual(FIELDS);
      expect(items[0]).toEqual((await app.azure.get('/kv/a?label=l')).json);
      expect(items[1]).toMatchObject({ key: 'a', label: 'l', value: 'al1', tags: { t: '1' }, locked: false });
      expect(items[1].etag).not.toBe(items[0].etag);
    });

    it('has the headers of a list, and says that it knows ranges', async () => {
      const get = await app.azure.get('/revisions');
      expect(get.headers['content-type']).toBe('application/vnd.microsoft.appconfig.kvset+json; charset=utf-8');
      expect(get.headers['accept-ranges']).toBe('items');
      expect(get.headers.etag).toBe(`"${get.json.etag}"`);
      expect(get.headers['content-range']).toBeUndefined();
      const head = await app.azure.head('/revisions');
      expect(head.text).toBe('');
      for (const name of ['content-type', 'content-length', 'accept-ranges', 'etag']) {
        expect(head.headers[name]).toBe(get.headers[name]);
      }
    });

    it.each<[string, string[]]>([
      ['key=a', ['a3', 'a2', 'a1', 'al2', 'al1']],
      ['key=a&label=%00', ['a3', 'a2', 'a1']],
      ['key=a&label=l', ['al2', 'al1']],
      ['label=', ['A1', 'a3', 'a2', 'a1', 'al2', 'al1', 'b2', 'b1', 'gone1']],
      ['label=l*', ['al2', 'al1']],
      ['label=%00,l&key=a*', ['a3', 'a2', 'a1', 'al2', 'al1']],
      ['key=A,b', ['A1', 'b2', 'b1']],
      ['key=g*', ['gone1']],
      ['key=none', []],
      ['tags=t=1', ['a3', 'a1', 'al1']],
      ['tags=t=1&label=l', ['al1']],
    ])('%s', async (query, expected) => {
      expect(await values(`/revisions?${query}`)).toEqual(expected);
    });

    it('shows a lock in the states that had it', async () => {
      await app.sql(`UPDATE key_value_revision SET locked = true WHERE value = 'A1'`);
      expect((await app.azure.get('/revisions?key=A&$select=locked')).json.items).toEqual([{ locked: true }]);
      await lock(app, 'A');
      expect((await app.azure.get('/revisions?key=A')).json.items).toHaveLength(1);
    });

    it('computes its entity tag as lists do', async () => {
      const { etag, items } = (await app.azure.get('/revisions')).json;
      const text = `kvset\n${(items as Item[]).map((item) => `${item.etag}\n`).join('')}`;
      expect(etag).toBe(createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('base64url'));
      expect((await app.azure.get('/revisions?$select=key')).json.etag).toBe(etag);
      expect((await app.azure.get('/revisions?key=none')).json.etag).toBe(
        '00wWELzclWef22f82qcUDI7FbJweVOoKWZDA_JoUeD0',
      );
    });
  });

  describe('of long histories', () => {
    const HISTORIES: [key: string, label: string, count: number][] = [
      ['a', '', 30],
      ['b', '', 250],
      ['b', 'l', 10],
      ['b', 'm', 60],
      ['c', '', 50],
    ];
    /** In the order of the collection. */
    const expected = HISTORIES.flatMap(([key, label, count]) =>
      Array.from({ length: count }, (_, i) => `${key}${label}${count - i}`),
    );

    beforeAll(async () => {
      await removeAll(app);
      // One history grows while others do, as they would.
      for (let i = 1; i <= 250; i++) {
        await Promise.all(
          HISTORIES.filter(([, , count]) => i <= count).map(([key, label]) =>
            app.azure.put(`/kv/${key}?label=${label}`, { value: `${key}${label}${i}` }),
          ),
        );
      }
    });

    it('pages through them without loss and repetition', async () => {
      const pages = await readPages(app.azure, '/revisions');
      expect(pages.map((page) => page.json.items.length)).toEqual([100, 100, 100, 100, 0]);
      expect(pages.flatMap((page) => page.json.items.map((item: Item) => item.value))).toEqual(expected);
      const etags = new Set(pages.flatMap((page) => page.json.items.map((item: Item) => item.etag)));
      expect(etags.size).toBe(400);
      expect(new Set(pages.map((page) => page.json.etag)).size).toBe(5);
    });

    it('pages through one of them', async () => {
      const pages = await readPages(app.azure, '/revisions?key=b&label=%00&$select=value');
      expect(pages.map((page) => page.json.items.length)).toEqual([100, 100, 50]);
      const found = pages.flatMap((page) => page.json.items.map((item: Item) => item.value));
      expect(found).toEqual(expected.slice(30, 280));
    });

    it('keeps the filter on every page', async () => {
      expect(await values('/revisions?key=b,c&label=%00')).toEqual([
        ...expected.slice(30, 280),
        ...expected.slice(350),
      ]);
      expect(await values('/revisions?label=m')).toEqual(expected.slice(290, 350));
    });

    it('names a next page by the position of its last item', async () => {
      const { headers, json } = await app.azure.get('/revisions?key=b');
      const [row] = await app.sql<{ revision: string }>(`SELECT revision FROM key_value_revision WHERE etag = $1`, [
        json.items[99].etag,
      ]);
      const token = encodeURIComponent(Buffer.from(`b\n\n${row!.revision}`).toString('base64'));
      expect(json['@nextLink']).toBe(`/revisions?key=b&api-version=2023-11-01&after=${token}`);
      expect(headers.link).toBe(`<${json['@nextLink']}>; rel="next"`);
      expect(Object.keys(json)).toEqual(['etag', 'items', '@nextLink']);
      const text = `kvset\n${(json.items as Item[]).map(({ etag }) => `${etag}\n`).join('')}b\n\n${row!.revision}`;
      expect(json.etag).toBe(createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('base64url'));
    });

    it('walks unchanged pages by the Link headers of their 304s', async () => {
      let target: string | undefined = '/revisions?key=b&label=%00';
      for (const page of await readPages(app.azure, target)) {
        const answer = await app.azure.get(target!, { headers: { 'if-none-match': page.headers.etag! } });
        expectEmpty(answer, 304);
        expect(answer.headers.link).toBe(page.headers.link);
        target = page.json['@nextLink'];
      }
      expect(target).toBeUndefined();
    });

    it.each([
      ['nothing readable', '%21'],
      ['a position of key-values', Buffer.from('b\n').toString('base64')],
      ['a revision that is no number', Buffer.from('b\n\nx').toString('base64')],
      ['a revision beyond 64 bits', Buffer.from('b\n\n9223372036854775808').toString('base64')],
      ['a negative revision', Buffer.from('b\n\n-1').toString('base64')],
    ])('begins anew for a token of %s', async (_, token) => {
      const [first, again] = [await app.azure.get('/revisions'), await app.azure.get(`/revisions?after=${token}`)];
      expect(again.json.items).toEqual(first.json.items);
    });

    it.each([
      ['b\n\n0', 'bl10'],
      ['b\n\n9223372036854775807', 'b250'],
      ['a\nzzz\n5', 'b250'],
      ['', 'a30'],
    ])('goes on strictly behind %j', async (position, value) => {
      const token = encodeURIComponent(Buffer.from(position).toString('base64'));
      expect((await app.azure.get(`/revisions?after=${token}`)).json.items[0].value).toBe(value);
    });

    it('is not confused by states that appear and disappear between pages', async () => {
      const first = await app.azure.get('/revisions?key=b');
      expect(first.json.items[99].value).toBe('b151');
      await app.azure.put('/kv/b', { value: 'newer' });
      await app.azure.put('/kv/b?label=l', { value: 'newer l' });
      // The state that the token names, and one behind it, as retention would take them.
      await app.sql(`DELETE FROM key_value_revision WHERE value IN ('b151', 'b150')`);
      const rest = (await readItems<Item>(app.azure, first.json['@nextLink'])).map(({ value }) => value);
      const b149 = expected.indexOf('b149');
      const bl10 = expected.indexOf('bl10');
      expect(rest).toEqual([...expected.slice(b149, bl10), 'newer l', ...expected.slice(bl10, 350)]);
    });
  });

  describe('Range', () => {
    const TOTAL = 130;
    beforeAll(async () => {
      await removeAll(app);
      const keys = Array.from({ length: TOTAL }, (_, i) => `r${String(i).padStart(3, '0')}`);
      await putAll(app, [...keys.map((key) => ({ key, value: key })), { key: 'other' }]);
    });

    const range = (value: string, target = '/revisions?key=r*') => app.azure.get(target, { headers: { range: value } });

    it.each<[string, number, number]>([
      ['items=0-2', 0, 2],
      ['Items=0-2', 0, 2],
      ['items=0-0', 0, 0],
      ['items=5-9', 5, 9],
      ['items=125-', 125, 129],
      ['items=125-500', 125, 129],
      ['items=129-129', 129, 129],
      ['items=0-99', 0, 99],
      ['items=0-100', 0, 99],
      ['items=0-129', 0, 99],
      ['items=0-', 0, 99],
      ['items=20-', 20, 119],
      ['items=29-', 29, 128],
    ])('%s is 206 with the items %i to %i', async (value, first, last) => {
      const answer = await range(value);
      expect(answer.status).toBe(206);
      expect(answer.headers['content-range']).toBe(`items ${first}-${last}/${TOTAL}`);
      expect(answer.headers['accept-ranges']).toBe('items');
      expect(answer.headers['content-type']).toBe('application/vnd.microsoft.appconfig.kvset+json; charset=utf-8');
      expect(answer.headers['sync-token']).toBeDefined();
      const found = (answer.json.items as Item[]).map((item) => item.key);
      expect(found).toHaveLength(last - first + 1);
      expect(found[0]).toBe(`r${String(first).padStart(3, '0')}`);
      expect(found.at(-1)).toBe(`r${String(last).padStart(3, '0')}`);
    });

    it('writes the items as every list does', async () => {
      const whole = await app.azure.get('/revisions?key=r000');
      expect((await range('items=0-0', '/revisions?key=r000')).json.items).toEqual(whole.json.items);
      const selected = await range('items=1-1', '/revisions?key=r*&$select=key');
      expect(selected.json.items).toEqual([{ key: 'r001' }]);
    });

    it('answers HEAD without the items', async () => {
      const answer = await app.azure.head('/revisions?key=r*', { headers: { range: 'items=0-2' } });
      expect(answer.status).toBe(206);
      expect(answer.text).toBe('');
      expect(answer.headers['content-range']).toBe(`items 0-2/${TOTAL}`);
    });

    it.each([
      ['items=130-', TOTAL],
      ['items=130-140', TOTAL],
      ['items=2147483648-', TOTAL],
    ])('%s is 416', async (value, total) => {
      const answer = await range(value);
      expectEmpty(answer, 416);
      expect(answer.headers['content-range']).toBe(`items */${total}`);
    });

    it('is 416 where there are no items at all', async () => {
      const answer = await range('items=0-', '/revisions?key=none');
      expectEmpty(answer, 416);
      expect(answer.headers['content-range']).toBe('items */0');
    });

    it.each([
      'bytes=0-2',
      'item=0-2',
      'items=-5',
      'items=2-1',
      'items=0-2,5-6',
      'items=',
      'items=a-b',
      'items 0-2',
      '',
    ])('%j is ignored', async (value) => {
      const answer = await range(value);
      expect(answer.status).toBe(200);
      expect(answer.headers['content-range']).toBeUndefined();
      expect(answer.json.items).toHaveLength(100);
    });

    it.each(['/kv?key=r*', '/keys?name=r*', '/labels', '/kv/r000'])('is ignored by %s', async (target) => {
      const answer = await range('items=0-2', target);
      expect(answer.status).toBe(200);
      expect(answer.headers['content-range']).toBeUndefined();
      expect(answer.headers['accept-ranges']).toBeUndefined();
    });

    it('counts only what is visible at the instant asked for', async () => {
      await dateHistory(app, 'r007', '', ['2020-01-01T00:00:00Z']);
      const headers = { range: 'items=0-', 'accept-datetime': 'Wed, 01 Jan 2020 00:00:00 GMT' };
      const answer = await app.azure.get('/revisions?key=r*', { headers });
      expect(answer.status).toBe(206);
      expect(answer.headers['content-range']).toBe('items 0-0/1');
      expect(answer.headers['memento-datetime']).toBe('Wed, 01 Jan 2020 00:00:00 GMT');
      expect(answer.json.items[0].key).toBe('r007');
    });
  });
});
