import { expectEmpty, expectInvalidArgument } from '../support/expect-answer';
import { readItems } from '../support/pages';
import { startApp, type TestApp } from '../support/start-app';
import { removeAll, targetOf } from './stored-key-values';

describe('keys and labels', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());
  beforeEach(() => removeAll(app));

  /** The key that a path names. */
  const keyOf = async (path: string): Promise<string> => {
    const answer = await app.azure.put(path, {});
    expect(answer.status).toBe(200);
    return answer.json.key;
  };

  describe('path', () => {
    it.each([
      ['/kv/a/b', 'a/b'],
      ['/kv/a%2Fb', 'a/b'],
      ['/kv/a%2fb', 'a/b'],
      ['/kv/a/b%2Fc/d', 'a/b/c/d'],
      ['/kv/a/', 'a/'],
      ['/kv//a', '/a'],
      ['/kv/%2Fa', '/a'],
      ['/kv/a//b', 'a//b'],
      ['/kv//', '/'],
      ['//kv/a', 'a'],
      ['/kv/a+b', 'a+b'],
      ['/kv/a%2Bb', 'a+b'],
      ['/kv/a%20b', 'a b'],
      ['/kv/a%3Fb', 'a?b'],
      ['/kv/a%23b', 'a#b'],
      ['/kv/a&b=c;d', 'a&b=c;d'],
      ['/kv/.', '.'],
      ['/kv/..', '..'],
      ['/kv/%2e%2E', '..'],
      ['/kv/../kv', '../kv'],
      ['/kv/a/../b/./c', 'a/../b/./c'],
      ['/kv/.appconfig.featureflag%2FBeta', '.appconfig.featureflag/Beta'],
      ['/kv/kv', 'kv'],
      ['/kv/*', '*'],
      ['/kv/a,b', 'a,b'],
      ['/kv/a%5Cb', 'a\\b'],
      ['/kv/%22%3C%3E', '"<>'],
      ['/kv/a%C3%A4', 'aä'],
      ['/kv/%F0%9F%94%91', '🔑'],
      ['/kv/%EF%BB%BFx', '\uFEFFx'],
      ['/kv/%E2%80%AE', '\u202E'],
      ['/kv/%20', ' '],
    ])('%s names the key %j', async (path, key) => {
      expect(await keyOf(path)).toBe(key);
      const answer = await app.azure.get(path);
      expect(answer.status).toBe(200);
      expect(answer.json.key).toBe(key);
      expect((await app.azure.get('/kv')).json.items.map((item: { key: string }) => item.key)).toEqual([key]);
    });

    it('spells one key with a slash and with %2F', async () => {
      const put = await app.azure.put('/kv/a%2Fb%2fc', { value: 'v' });
      for (const path of ['/kv/a/b/c', '/kv/a%2Fb/c', '/kv/a/b%2fc']) {
        expect((await app.azure.get(path)).text).toBe(put.text);
      }
      expect((await app.azure.delete('/kv/a/b/c')).status).toBe(200);
      expectEmpty(await app.azure.get('/kv/a%2Fb%2fc'), 404);
    });

    it('tells keys apart that Unicode calls equivalent', async () => {
      await app.azure.put('/kv/%C3%A4', { value: 'one character' });
      await app.azure.put('/kv/a%CC%88', { value: 'two characters' });
      expect((await app.azure.get('/kv/%C3%A4')).json.value).toBe('one character');
      expect((await app.azure.get('/kv')).json.items).toHaveLength(2);
    });

    it.each(['/kv/a%25b', '/kv/%25', '/kv/a%252Fb', '/kv/a/b%25'])('%s is an empty 400', async (path) => {
      expectEmpty(await app.azure.get(path), 400);
      expectEmpty(await app.azure.put(path, {}), 400);
      expectEmpty(await app.azure.delete(path), 400);
      expect((await app.azure.head(path)).status).toBe(400);
    });

    it.each(['/kv/a?label=%25', '/kv/a?label=%2525', '/kv/a?label=x%25y%2A'])(
      '%s has its %25 behind the question mark, where it is allowed',
      async (target) => {
        const put = await app.azure.put(target, {});
        expect(put.status).toBe(200);
        expect(put.json.label).toContain('%');
        expect((await app.azure.get(target)).text).toBe(put.text);
      },
    );

    it('is judged after credentials', async () => {
      expectEmpty(await app.azure.get('/kv/a%25b', { signed: false }), 401);
    });

    it.each(['/kv/%', '/kv/a%4', '/kv/%zz', '/kv/%ff', '/kv/%C3', '/kv/%ED%A0%80', '/kv/%C0%AF'])(
      '%s, which is no UTF-8, is an empty 400',
      async (path) => {
        expectEmpty(await app.azure.get(path), 400);
        expectEmpty(await app.azure.put(path, {}), 400);
      },
    );

    it('ends with /kv/ at the list', async () => {
      await app.azure.put('/kv/a', {});
      expect((await app.azure.get('/kv/')).json.items).toHaveLength(1);
      expectEmpty(await app.azure.put('/kv/', {}), 405);
    });
  });

  describe('query', () => {
    it.each([
      ['label=%ff', 'label'],
      ['Label=%C3', 'label'],
      ['key=%ED%A0%80', 'key'],
      ['$Select=%80', '$select'],
      ['%ff=x', 'query'],
      ['unknown=%fe', 'unknown'],
    ])('%s, which is no UTF-8, is refused as %s', async (query, name) => {
      expectInvalidArgument(await app.azure.get(`/kv?${query}`), name);
      expectInvalidArgument(await app.azure.put(`/kv/a?${query}`, {}), name);
    });

    it.each(['label=l', 'Label=l', 'LABEL=l', '%6cabel=l', 'label=&LABEL=l', 'label=l&label=other'])(
      '%s names the label l',
      async (query) => {
        expect((await app.azure.put(`/kv/a?${query}`, {})).json.label).toBe('l');
        expect((await app.azure.get(`/kv/a?${query}`)).json.label).toBe('l');
        expect((await app.azure.get(`/kv?${query}`)).json.items).toHaveLength(1);
        expect((await app.azure.delete(`/kv/a?${query}`)).status).toBe(200);
      },
    );

    it('reads + as a space', async () => {
      expect((await app.azure.put('/kv/a+b?label=c+d%2Be', {})).json).toMatchObject({ key: 'a+b', label: 'c d+e' });
    });

    it('ignores parameters that it does not know', async () => {
      expect((await app.azure.put('/kv/a?x=1&__proto__=2&tags[a]=b&=&&', {})).status).toBe(200);
    });
  });

  it.each(['/kv/ä', '/kv?key=ä'])('%s must be percent-encoded, or is an empty 400', async (target) => {
    // Node's parser refuses the request line before anything of ours sees it. Each character stands for one byte.
    const onTheWire = Buffer.from(target).toString('latin1');
    expectEmpty(await app.azure.get(onTheWire), 400);
  });

  describe('label', () => {
    it.each(['/kv/a', '/kv/a?label=', '/kv/a?label', '/kv/a?label=%00'])('%s has none', async (target) => {
      const put = await app.azure.put(target, { value: 'v' });
      expect(put.json.label).toBeNull();
      for (const same of ['/kv/a', '/kv/a?label=', '/kv/a?label=%00']) {
        expect((await app.azure.get(same)).text).toBe(put.text);
      }
      expect((await app.azure.delete(target)).json.label).toBeNull();
    });

    it.each(['*', ',', '\\', 'test_label2_*, \\1d7b', '%', '%00', ' ', 'ä🔑', '\'"--', 'null', '0', '+', '&=?#/'])(
      '%j is one of its own',
      async (label) => {
        await app.azure.put('/kv/a', { value: 'none' });
        const target = `/kv/a?label=${encodeURIComponent(label)}`;
        const put = await app.azure.put(target, { value: 'v' });
        expect(put.json.label).toBe(label);
        expect((await app.azure.get(target)).text).toBe(put.text);
        expect((await app.azure.get('/kv/a')).json.value).toBe('none');
        expect((await app.azure.get('/labels')).json.items).toEqual([{ name: null }, { name: label }]);
        expect((await app.azure.delete(target)).text).toBe(put.text);
      },
    );
  });

  describe('control characters', () => {
    const CONTROLS = ['%00', '%01', '%09', '%0A', '%0D', '%1F', '%7F', '%C2%80', '%C2%85', '%C2%9F'];

    it.each(CONTROLS)('%s is refused in a key', async (control) => {
      for (const path of [`/kv/${control}`, `/kv/a${control}b`]) {
        expectInvalidArgument(await app.azure.put(path, {}), 'key');
        expectInvalidArgument(await app.azure.get(path), 'key');
        expectInvalidArgument(await app.azure.delete(path), 'key');
      }
    });

    it.each([...CONTROLS.slice(1), '%00%00', 'a%00', '%00a'])('%s is refused in a label', async (control) => {
      for (const target of [`/kv/a?label=${control}`, `/kv/a?label=x${control}`]) {
        expectInvalidArgument(await app.azure.put(target, {}), 'label');
        expectInvalidArgument(await app.azure.get(target), 'label');
        expectInvalidArgument(await app.azure.delete(target), 'label');
      }
    });

    it.each(['%C2%A0', '%E2%80%8B', '%E2%80%A8', '%EF%BF%BE'])('%s is none of them', async (character) => {
      expect((await app.azure.put(`/kv/${character}?label=${character}`, {})).status).toBe(200);
    });
  });

  describe('text', () => {
    it.each([
      'a\0b',
      '\0',
      '\u0001',
      '\u00010',
      '\u00011\0',
      'a\n\r\tb\u0085',
      '\uFEFF',
      '\u2028\u2029',
      '🔑\u{10FFFF}\uFFFF',
      '\\u0000',
      '\\',
      '"</script>',
      '{"id":"Beta"}',
      ' blanks ',
    ])('%j comes back as the value it was', async (value) => {
      const put = await app.azure.put('/kv/a', { value });
      expect(put.json.value).toBe(value);
      expect((await app.azure.get('/kv/a')).json.value).toBe(value);
      expect((await app.azure.get('/kv')).json.items[0].value).toBe(value);
      expect((await app.azure.get('/revisions')).json.items[0].value).toBe(value);
      // Equal texts stay equal when they are stored.
      expect((await app.azure.put('/kv/a', { value })).json.etag).toBe(put.json.etag);
      expect((await app.azure.delete('/kv/a')).json.value).toBe(value);
    });

    it('tells stored forms of U+0000 and U+0001 apart', async () => {
      const etags = new Set<string>();
      for (const value of ['\0', '\u00010', '\u0001', '\u00011']) {
        etags.add((await app.azure.put('/kv/a', { value })).json.etag);
      }
      expect(etags.size).toBe(4);
    });

    it.each(['ä🔑', "'; DROP TABLE key_value; --", '$1', '\\', ' ', '{}', '"', '</'])(
      '%j may be anything that a key-value has',
      async (text) => {
        const item = { key: text, label: text, value: text, content_type: text, tags: { [text]: text } };
        const put = await app.azure.put(targetOf(item), item);
        expect(put.json).toMatchObject(item);
        expect((await app.azure.get(targetOf(item))).text).toBe(put.text);
        expect(await readItems(app.azure, '/kv')).toEqual([put.json]);
        expect(await readItems(app.azure, '/revisions')).toEqual([put.json]);
        expect(await readItems(app.azure, '/keys')).toEqual([{ name: text }]);
        expect(await readItems(app.azure, '/labels')).toEqual([{ name: text }]);
      },
    );
  });
});
