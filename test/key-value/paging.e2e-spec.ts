import { createHash } from 'node:crypto';
import { expectEmpty } from '../support/expect-answer';
import { readItems, readPages } from '../support/pages';
import { startApp, type TestApp } from '../support/start-app';
import { putAll, removeAll, targetOf } from './stored-key-values';

const VERSION = '2023-11-01';
const encode = (text: string): string => encodeURIComponent(Buffer.from(text).toString('base64'));

/** `k000`, `k001`, … in order. */
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `k${String(i).padStart(3, '0')}`);

interface Item {
  key: string;
  etag: string;
}

describe('pages of /kv', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());

  const fill = async (keys: string[]): Promise<void> => {
    await removeAll(app);
    await putAll(
      app,
      keys.map((key) => ({ key })),
    );
  };
  const sizesOf = async (target: string): Promise<number[]> =>
    (await readPages(app.azure, target)).map((page) => page.json.items.length);

  describe('sizes', () => {
    beforeAll(() => fill(numbered(201)));

    it.each<[number, number[]]>([
      [201, [100, 100, 1]],
      [200, [100, 100, 0]],
      [199, [100, 99]],
      [101, [100, 1]],
      [100, [100, 0]],
      [99, [99]],
    ])('of %i items are %j', async (count, sizes) => {
      const surplus = numbered(201).slice(count);
      await app.sql('DELETE FROM key_value WHERE key = ANY ($1::text[])', [surplus]);
      const pages = await readPages(app.azure, '/kv');
      expect(pages.map((page) => page.json.items.length)).toEqual(sizes);
      expect(pages.flatMap((page) => page.json.items.map((item: Item) => item.key))).toEqual(numbered(count));
      const last = pages.at(-1)!;
      expect(last.json).not.toHaveProperty('@nextLink');
      expect(last.headers.link).toBeUndefined();
    });
  });

  describe('links', () => {
    beforeAll(() => fill(numbered(100)));

    const LAST = encode('k099\n');

    it('are the same text in header and body', async () => {
      const { headers, json } = await app.azure.get('/kv');
      expect(json['@nextLink']).toBe(`/kv?api-version=${VERSION}&after=${LAST}`);
      expect(headers.link).toBe(`<${json['@nextLink']}>; rel="next"`);
    });

    it('come last in the body', async () => {
      expect(Object.keys((await app.azure.get('/kv')).json)).toEqual(['etag', 'items', '@nextLink']);
      expect(Object.keys((await app.azure.withVersion('1.0').get('/kv')).json)).toEqual(['items', '@nextLink']);
    });

    it.each([
      ['/kv?key=k*', `/kv?key=k*&api-version=${VERSION}&after=${LAST}`],
      ['/kv/?label=%00', `/kv?label=%00&api-version=${VERSION}&after=${LAST}`],
      ['/kv?api-version=1.0&key=k%2A&label=%00', `/kv?api-version=1.0&key=k*&label=%00&after=${LAST}`],
      ['/kv?api-version=1.0&$select=key,etag', `/kv?api-version=1.0&%24select=key%2Cetag&after=${LAST}`],
      ['/kv?after=aw%3D%3D&api-version=1.0', `/kv?api-version=1.0&after=${LAST}`],
      ['/kv?After=junk&api-version=1.0&AFTER=', `/kv?api-version=1.0&after=${LAST}`],
      ['/kv?Api-Version=1.0&Label=*', `/kv?Api-Version=1.0&Label=*&after=${LAST}`],
      ['/kv?api-version=1.0&x=a;b+c%2Bd&y', `/kv?api-version=1.0&x=a%3Bb%20c%2Bd&y=&after=${LAST}`],
      ['/kv?api-version=1.0&x=%C3%A4"<>', `/kv?api-version=1.0&x=%C3%A4%22%3C%3E&after=${LAST}`],
      ['/kv?api-version=1.0&x=1&x=2&tags=a=b', `/kv?api-version=1.0&x=1&x=2&tags=a%3Db&after=${LAST}`],
    ])('%s goes on at %s', async (target, link) => {
      const { headers, json } = await app.azure.get(target);
      expect(json['@nextLink']).toBe(link);
      expect(headers.link).toBe(`<${link}>; rel="next"`);
      expect((await app.azure.head(target)).headers.link).toBe(headers.link);
    });

    it('name the version that was assumed', async () => {
      const lenient = await startApp({ DEFAULT_API_VERSION: '1.0' }, app);
      try {
        const { json } = await lenient.azure.get('/kv?key=*', { apiVersion: null });
        expect(json['@nextLink']).toBe(`/kv?api-version=1.0&key=*&after=${LAST}`);
      } finally {
        await lenient.close();
      }
    });

    it('keep the filter from page to page', async () => {
      await putAll(app, [...numbered(100).map((key) => ({ key, label: 'l' })), { key: 'z', label: 'l' }]);
      expect(await sizesOf('/kv?label=l')).toEqual([100, 1]);
      expect(await sizesOf('/kv?label=%00')).toEqual([100, 0]);
      expect(await sizesOf('/kv?label=%00,l&key=k*&$select=key')).toEqual([100, 100, 0]);
      await app.sql(`DELETE FROM key_value WHERE label <> ''`);
    });
  });

  describe('tokens', () => {
    it('are base64 of key, line feed and label, percent-encoded', async () => {
      await removeAll(app);
      const last = { key: 'z?>~\u{10FFFF}', label: 'ÿ>>' };
      await putAll(app, [...numbered(99).map((key) => ({ key })), last]);
      const { json } = await app.azure.get('/kv');
      const link: string = json['@nextLink'];
      const token = link.slice(link.indexOf('&after=') + '&after='.length);
      expect(token).toBe(encode(`${last.key}\n${last.label}`));
      expect(token).toMatch(/%2B|%2F|%3D/);
      expect((await app.azure.get(link)).json.items).toEqual([]);
    });

    describe('decoded', () => {
      beforeAll(() => fill(['a', 'b', 'b/c', 'c']));

      const keysAfter = async (token: string): Promise<string[]> =>
        (await app.azure.get(`/kv?after=${token}`)).json.items.map((item: Item) => item.key);

      it.each<[string, string[]]>([
        ['a\n', ['b', 'b/c', 'c']],
        ['a\nlabel', ['b', 'b/c', 'c']],
        ['aa\n', ['b', 'b/c', 'c']],
        ['b\n', ['b/c', 'c']],
        ['b/\n', ['b/c', 'c']],
        ['c\n', []],
        ['ä\n', []],
        ['A\n', ['a', 'b', 'b/c', 'c']],
      ])('%j goes on strictly behind that position', async (position, keys) => {
        expect(await keysAfter(encode(position))).toEqual(keys);
      });

      it.each<[string, string[]]>([
        ['A\n', ['b', 'b/c']],
        ['b\n', ['b/c']],
        ['b/a\nlabel', ['b/c']],
        ['b/c\n', []],
        ['c\n', []],
      ])('%j lets nothing in that does not begin with the prefix', async (position, keys) => {
        const { json } = await app.azure.get(`/kv?key=b*&after=${encode(position)}`);
        expect(json.items.map((item: Item) => item.key)).toEqual(keys);
        const revisions = await app.azure.get(`/revisions?key=b*&after=${encode(`${position}\n0`)}`);
        expect(revisions.json.items.map((item: Item) => item.key)).toEqual(keys);
      });

      it.each([
        ['nothing', ''],
        ['no base64', '!!!'],
        ['one character', 'a'],
        ['text without a line feed', encode('b')],
        ['two line feeds', encode('b\nc\nd')],
        ['no key', encode('\nl')],
        ['U+0000', encode('b\0\n')],
        ['no UTF-8', encodeURIComponent(Buffer.from([0xff, 0x0a]).toString('base64'))],
        ['a very long one', encode(`${'b'.repeat(9000)}\n`)],
        ['a quote', '%22%27--'],
      ])('is page one for %s', async (_, token) => {
        expect(await keysAfter(token)).toEqual(['a', 'b', 'b/c', 'c']);
      });
    });

    it('lose and repeat nothing while key-values come and go', async () => {
      await fill(numbered(250));
      const first = await app.azure.get('/kv');
      // The item that the token names, its neighbours, and some on the next page.
      for (const key of ['k098', 'k099', 'k100', 'k150']) await app.azure.delete(`/kv/${key}`);
      await putAll(app, [{ key: 'k0000' }, { key: 'k1000' }, { key: 'k099', label: 'l' }]);
      const rest = await readItems<Item>(app.azure, first.json['@nextLink']);
      const expected = numbered(250).slice(101).filter((key) => key !== 'k150').concat('k099', 'k1000'); // prettier-ignore
      expect(rest.map(({ key }) => key)).toEqual(expected.sort());
    });
  });

  describe('entity tag', () => {
    /** Contract section 4.6, written out once more. */
    const tagOf = (items: Item[], next: string | null): string => {
      let text = 'kvset\n';
      for (const { etag } of items) text += `${etag}\n`;
      if (items.length === 0) text += '\n';
      if (next !== null) text += next;
      return createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('base64url');
    };

    it('is computed over the tags of the items and the next token', async () => {
      await fill(numbered(150));
      const [first, second] = await readPages(app.azure, '/kv');
      expect(first!.json.etag).toBe(tagOf(first!.json.items, 'k099\n'));
      expect(second!.json.etag).toBe(tagOf(second!.json.items, null));
      const { json, headers } = await app.azure.get('/kv?key=none');
      expect(json.etag).toBe('00wWELzclWef22f82qcUDI7FbJweVOoKWZDA_JoUeD0');
      expect(headers.etag).toBe('"00wWELzclWef22f82qcUDI7FbJweVOoKWZDA_JoUeD0"');
    });

    it.each([
      ['no items', [], '00wWELzclWef22f82qcUDI7FbJweVOoKWZDA_JoUeD0'],
      ['items a and b', ['a', 'b'], 'xg-JdRuH4RdTAxAZTtI85q1Fs72ogcesrzQekmCxCUg'],
    ])("agrees with the contract's vector of %s", async (_, etags, expected) => {
      await fill(etags);
      await app.sql('UPDATE key_value SET etag = key');
      expect((await app.azure.get('/kv')).json.etag).toBe(expected);
    });

    it('depends neither on $select nor on how the filter is spelled', async () => {
      await fill(numbered(3));
      const { etag } = (await app.azure.get('/kv')).json;
      for (const query of ['$select=key', '$select=unknown', 'key=k*', 'key=k000,k001,k002', 'label=%00']) {
        expect((await app.azure.get(`/kv?${query}`)).json.etag).toBe(etag);
      }
      expect((await app.azure.withVersion('2026-04-01').get('/kv')).json.etag).toBe(etag);
      expect((await app.azure.head('/kv')).headers.etag).toBe(`"${etag}"`);
    });

    it('changes when an item is added, changed or removed, and only then', async () => {
      await fill(numbered(3));
      const seen = new Set<string>();
      const look = async (): Promise<number> => seen.add((await app.azure.get('/kv')).json.etag).size;
      expect(await look()).toBe(1);
      await app.azure.put('/kv/k003', {});
      expect(await look()).toBe(2);
      await app.azure.put('/kv/k001', { value: 'w' });
      expect(await look()).toBe(3);
      await app.azure.put('/kv/k001', { value: 'w' });
      expect(await look()).toBe(3);
      await app.azure.delete('/kv/k000');
      expect(await look()).toBe(4);
      await app.azure.delete('/kv/k000');
      expect(await look()).toBe(4);
    });
  });

  describe('conditions', () => {
    beforeAll(() => fill(numbered(250)));

    it('walk over three unchanged pages by the Link headers of their 304s', async () => {
      const pages = await readPages(app.azure, '/kv?key=k*');
      expect(pages).toHaveLength(3);
      let target: string | undefined = '/kv?key=k*';
      for (const page of pages) {
        const answer = await app.azure.get(target!, { headers: { 'if-none-match': page.headers.etag! } });
        expectEmpty(answer, 304);
        expect(answer.headers.etag).toBe(page.headers.etag);
        expect(answer.headers.link).toBe(page.headers.link);
        expect(answer.headers['sync-token']).toBeDefined();
        target = /^<([^>]+)>; rel="next"$/.exec(String(answer.headers.link))?.[1];
      }
      expect(target).toBeUndefined();
    });

    it('find the one page that changed', async () => {
      const pages = await readPages(app.azure, '/kv');
      await app.azure.put('/kv/k150', { value: 'changed' });
      const targets = ['/kv', ...pages.slice(0, 2).map((page) => page.json['@nextLink'] as string)];
      const statuses = [];
      for (const [index, target] of targets.entries()) {
        const headers = { 'if-none-match': pages[index]!.headers.etag! };
        statuses.push((await app.azure.get(target, { headers })).status);
      }
      expect(statuses).toEqual([304, 200, 304]);
    });

    it('are judged against a tag that 1.0 does not send', async () => {
      const old = app.azure.withVersion('1.0');
      const { etag } = (await app.azure.get('/kv?$select=etag')).json;
      const unchanged = await old.get('/kv', { headers: { 'if-none-match': `"${etag}"` } });
      expectEmpty(unchanged, 304);
      expect(unchanged.headers.etag).toBeUndefined();
      expect(unchanged.headers.link).toBe(`</kv?api-version=1.0&after=${encode('k099\n')}>; rel="next"`);
      expectEmpty(await old.get('/kv', { headers: { 'if-match': '"other"' } }), 412);
      const matching = await old.get('/kv', { headers: { 'if-match': `"${etag}"` } });
      expect(matching.status).toBe(200);
      expect(matching.headers.etag).toBeUndefined();
    });
  });

  it('lets every key-value be read at the address its item names', async () => {
    await removeAll(app);
    await putAll(app, [
      { key: 'a/b?c', label: 'l+m' },
      { key: '🔑', label: null },
    ]);
    for (const item of await readItems<Item & { label: string | null }>(app.azure, '/kv')) {
      expect((await app.azure.get(targetOf(item))).json).toEqual(item);
    }
  });
});
