import { expectEmpty, expectInvalidArgument } from '../support/expect-answer';
import { startApp, type TestApp } from '../support/start-app';
import { putAll, removeAll } from './stored-key-values';

const LIST_TYPE = 'application/vnd.microsoft.appconfig.kvset+json; charset=utf-8';
const FIELDS = ['etag', 'key', 'label', 'content_type', 'value', 'tags', 'locked', 'last_modified'];

interface Item {
  key: string;
  label: string | null;
}

describe('GET /kv', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());

  const list = async (query: string): Promise<Item[]> => {
    const answer = await app.azure.get(`/kv?${query}`);
    expect(answer.status).toBe(200);
    return answer.json.items;
  };
  const keys = async (query: string): Promise<string[]> => (await list(query)).map(({ key }) => key);
  const labels = async (query: string): Promise<(string | null)[]> => (await list(query)).map(({ label }) => label);

  describe('without key-values', () => {
    beforeAll(() => removeAll(app));

    it('answers an empty page', async () => {
      const { status, headers, text } = await app.azure.get('/kv');
      expect(status).toBe(200);
      expect(headers['content-type']).toBe(LIST_TYPE);
      expect(headers.link).toBeUndefined();
      expect(text).toBe('{"etag":"00wWELzclWef22f82qcUDI7FbJweVOoKWZDA_JoUeD0","items":[]}');
      expect((await app.azure.withVersion('1.0').get('/kv')).text).toBe('{"items":[]}');
    });
  });

  describe('filters', () => {
    const KEYS = ['abc', 'abcd', 'abd', 'ABC', 'ab', 'a*c', 'a,c', 'a\\c', 'a_c', '*', ',', '\\', 'x y', 'ä🔑', 'ä'];
    const LABELS = [null, 'prod', 'production', 'test', 'PROD', 'a*,\\b', 'a%c', '*', 'null', ' '];

    beforeAll(async () => {
      await removeAll(app);
      await putAll(app, [...KEYS.map((key) => ({ key })), ...LABELS.slice(1).map((label) => ({ key: 'of', label }))]);
      await putAll(app, [{ key: 'of', label: null }]);
    });

    const sorted = (texts: string[]): string[] => texts.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

    describe('of keys', () => {
      const all = [...KEYS, ...LABELS.map(() => 'of')];

      it.each<[string, string[]]>([
        ['', all],
        ['key', all],
        ['key=', all],
        ['key=*', all],
        ['KEY=abc', ['abc']],
        ['key=abc', ['abc']],
        ['key=abc&key=abd', ['abc']],
        ['key=ABC', ['ABC']],
        ['key=Abc', []],
        ['key=abc*', ['abc', 'abcd']],
        ['key=a*', KEYS.filter((key) => key.startsWith('a'))],
        ['key=ab%2A', ['ab', 'abc', 'abcd', 'abd']],
        ['key=%C3%A4*', ['ä', 'ä🔑']],
        ['key=%C3%A4%F0%9F%94%91*', ['ä🔑']],
        ['key=zz*', []],
        ['key=abc,abd', ['abc', 'abd']],
        ['key=abc%2Cabd', ['abc', 'abd']],
        ['key=abc,abc', ['abc']],
        ['key=abc,no', ['abc']],
        ['key=abc,abcd,abd,ABC,ab', ['abc', 'abcd', 'abd', 'ABC', 'ab']],
        ['key=abc,%20abd', ['abc']],
        ['key=abc,', ['abc']],
        ['key=,', []],
        ['key=%00', []],
        ['key=%00,abc', ['abc']],
        ['key=a%5C*c', ['a*c']],
        ['key=a%5C,c', ['a,c']],
        ['key=a%5C%5Cc', ['a\\c']],
        ['key=%5C*', ['*']],
        ['key=%5C,', [',']],
        ['key=%5C%5C', ['\\']],
        ['key=%5C**', ['*']],
        ['key=%5C%5C*', ['\\']],
        ['key=%5Ca%5Cb%5Cc', ['abc']],
        ['key=abc%5C', ['abc']],
        ['key=%5C', []],
        ['key=a%5C,c,a%5C*c', ['a,c', 'a*c']],
        ['key=a%25*', []],
        ['key=a_c', ['a_c']],
        ['key=a_*', ['a_c']],
        ['key=x+y', ['x y']],
        ['key=x%20*', ['x y']],
      ])('%s', async (query, expected) => {
        expect(await keys(query)).toEqual(sorted([...expected]));
      });
    });

    describe('of labels', () => {
      it.each<[string, (string | null)[]]>([
        ['', LABELS],
        ['label=', LABELS],
        ['label=*', LABELS],
        ['label=%00', [null]],
        ['LABEL=%00', [null]],
        ['label=prod', ['prod']],
        ['label=Prod', []],
        ['label=prod*', ['prod', 'production']],
        ['label=prod,test', ['prod', 'test']],
        ['label=%00,prod', [null, 'prod']],
        ['label=prod,%00', [null, 'prod']],
        ['label=%00,%00', [null]],
        ['label=prod,', ['prod']],
        ['label=,', []],
        ['label=%5C', []],
        ['label=null', ['null']],
        ['label=%20', [' ']],
        ['label=+*', [' ']],
        ['label=a%5C*%5C,%5C%5Cb', ['a*,\\b']],
        ['label=%5C*', ['*']],
        ['label=a%25c', ['a%c']],
        ['label=a%25*', ['a%c']],
        ['label=%25*', []],
        ['label=%5C*,%00', [null, '*']],
      ])('%s', async (query, expected) => {
        const nullFirst = expected.includes(null) ? [null] : [];
        const named = expected.filter((label) => label !== null);
        expect(await labels(`key=of&${query}`)).toEqual([...nullFirst, ...sorted(named)]);
      });
    });

    it('must hold together', async () => {
      expect(await list('key=of&label=prod&$select=key,label')).toEqual([{ key: 'of', label: 'prod' }]);
      expect(await list('key=abc&label=prod')).toEqual([]);
      expect(await list('key=a*&label=%00')).toHaveLength(KEYS.filter((key) => key.startsWith('a')).length);
    });
  });

  describe('filter errors', () => {
    it.each([
      ['abc*d', 'Invalid character', 3],
      ['a**', 'Invalid character', 1],
      ['a,b*', 'Invalid character', 3],
      ['a*,b', 'Invalid character', 1],
      ['a,*', 'Invalid character', 2],
      ['a\\*b*c', 'Invalid character', 4],
      ['🔑*a', 'Invalid character', 2],
      ['a\0', 'Invalid character', 1],
      ['a,b\0', 'Invalid character', 3],
      ['a,b,c,d,e,f', 'Too many values. Maximum supported is 5', 0],
      [',,,,,', 'Too many values. Maximum supported is 5', 0],
      ['\0,a,b,c,d,e', 'Too many values. Maximum supported is 5', 0],
      ['*abc', 'Suffix and Full Text search is not supported', 0],
      ['*abc*', 'Suffix and Full Text search is not supported', 0],
    ])('%j: %s at %i', async (filter, reason, position) => {
      const text = encodeURIComponent(filter);
      for (const parameter of ['key', 'label']) {
        const detail = `${parameter}(${position}): ${reason}`;
        for (const path of ['/kv', '/revisions']) {
          expectInvalidArgument(await app.azure.get(`${path}?${parameter}=${text}`), parameter, detail);
        }
        expect((await app.azure.head(`/kv?${parameter}=${text}`)).status).toBe(400);
      }
      for (const [path, named] of [
        ['/keys', 'name'],
        ['/labels', 'label'],
      ]) {
        expectInvalidArgument(await app.azure.get(`${path}?name=${text}`), named!, `${named}(${position}): ${reason}`);
      }
    });

    it('allows five values, the null label counted', async () => {
      expect((await app.azure.get('/kv?label=%00,b,c,d,e&key=a,b,c,d,e')).status).toBe(200);
    });

    it('names the key first when both are wrong', async () => {
      expectInvalidArgument(await app.azure.get('/kv?label=a*b&key=ab*c'), 'key', 'key(2): Invalid character');
    });

    it('comes in every version', async () => {
      const answer = await app.azure.withVersion('1.0').get('/kv?key=a*b');
      expectInvalidArgument(answer, 'key', 'key(1): Invalid character');
    });
  });

  describe('order', () => {
    it('is by key, then label, ordinal, no label first', async () => {
      await removeAll(app);
      const items: Item[] = [
        ...['158', '159', '16', '160'].map((key) => ({ key, label: null })),
        ...['B', 'a', 'a.b', 'a/b', 'aB', 'ab', 'ä', '\uE000', '\uFFFD', '🔑'].map((key) => ({ key, label: null })),
        ...[null, ' ', '1', '10', '2', 'A', 'Z', 'a', 'z', 'é', '\uFFFD', '🔑'].map((label) => ({ key: 'l', label })),
      ];
      await putAll(app, [...items].reverse());
      const expected = items.sort((left, right) => {
        const byKey = Buffer.compare(Buffer.from(left.key), Buffer.from(right.key));
        return byKey || Buffer.compare(Buffer.from(left.label ?? ''), Buffer.from(right.label ?? ''));
      });
      expect(await list('$select=key,label')).toEqual(expected);
      expect(await keys('key=1*')).toEqual(['158', '159', '16', '160']);
      expect((await labels('key=l'))[0]).toBeNull();
    });

    it('goes on with a longer key behind every label of the shorter one', async () => {
      await removeAll(app);
      const items = ['', 'a', 'z'].map((label) => ({ key: 'a', label: label || null }));
      await putAll(app, [{ key: 'a ', label: null }, { key: 'aa', label: null }, ...items]);
      const expected = [...items, { key: 'a ', label: null }, { key: 'aa', label: null }];
      expect(await list('$select=key,label')).toEqual(expected);
    });
  });

  describe('$select', () => {
    beforeAll(async () => {
      await removeAll(app);
      await putAll(app, [{ key: 'a', label: 'l', value: 'v', tags: { t: '1' } }]);
    });

    it('is everything by default, in the order of one key-value', async () => {
      const answer = await app.azure.get('/kv');
      expect(answer.text).toContain((await app.azure.get('/kv/a?label=l')).text);
      expect(Object.keys(answer.json.items[0])).toEqual(FIELDS);
    });

    it.each([
      ['$select=key', '{"key":"a"}'],
      ['$select=tags,%20Key%20', '{"key":"a","tags":{"t":"1"}}'],
      ['%24SELECT=tags.t', '{"tags":{"t":"1"}}'],
      ['fields=label', '{"label":"l"}'],
      ['$select=key&fields=label', '{"key":"a"}'],
      ['$select=unknown', '{}'],
      ['$select=description,created', '{}'],
      ['$select=unknown,value', '{"value":"v"}'],
    ])('%s gives %s', async (query, item) => {
      const answer = await app.azure.get(`/kv?${query}`);
      expect(answer.text).toBe(`{"etag":"${answer.json.etag}","items":[${item}]}`);
      expect((await app.azure.get(`/revisions?${query}`)).text).toContain(`"items":[${item}]`);
    });

    it.each(['$select=*', '$select=', '$select=,', '$select=key,*', 'fields='])('%s gives all', async (query) => {
      expect(Object.keys((await app.azure.get(`/kv?${query}`)).json.items[0])).toEqual(FIELDS);
    });
  });

  describe('tags', () => {
    const TAGGED: Record<string, Record<string, string | null>> = {
      none: {},
      prod: { env: 'prod' },
      dev: { env: 'dev', team: 'a' },
      upper: { ENV: 'prod', env: 'PROD' },
      empty: { env: '' },
      null: { env: null },
      text: { env: 'null' },
      odd: { 'a=b': 'c,d', '*': '\\', ä: '🔑 x', constructor: 'c' },
      five: { a: '1', b: '2', c: '3', d: '4', e: '5', f: '6' },
    };

    beforeAll(async () => {
      await removeAll(app);
      await putAll(app, Object.entries(TAGGED).map(([key, tags]) => ({ key, tags }))); // prettier-ignore
    });

    const ROWS: [string, string[]][] = [
      ['tags=env=prod', ['prod']],
      ['tags=env%3Dprod', ['prod']],
      ['Tags=env=prod', ['prod']],
      ['tags=ENV=prod', ['upper']],
      ['tags=Env=prod', []],
      ['tags=env=Prod', []],
      ['tags=env=dev&tags=team=a', ['dev']],
      ['tags=env=dev&tags=team=b', []],
      ['tags=env=dev&tags=env=prod', []],
      ['tags=env=dev&tags=env=dev', ['dev']],
      ['tags=env=', ['empty']],
      ['tags=env=%00', ['null']],
      ['tags=env=null', ['text']],
      ['tags=', Object.keys(TAGGED)],
      ['tags', Object.keys(TAGGED)],
      ['tags=%20', Object.keys(TAGGED)],
      ['tags=&tags=env=prod&tags=+', ['prod']],
      ['tags=missing=', []],
      ['tags=missing=%00', []],
      ['tags=a%5C%3Db=c%5C,d', ['odd']],
      ['tags=%5C*=%5C%5C', ['odd']],
      ['tags=%C3%A4=%F0%9F%94%91+x', ['odd']],
      ['tags=%5Cenv=%5Cprod', ['prod']],
      ['tags=env=prod%5C', ['prod']],
      ['tags=constructor=c', ['odd']],
      ['tags=toString=', []],
      ['tags=a=1&tags=b=2&tags=c=3&tags=d=4&tags=e=5', ['five']],
      ['tags=a=1&tags=&tags=b=2&tags=c=3&tags=d=4&tags=+&tags=e=5', ['five']],
    ];

    it.each(ROWS)('%s', async (query, expected) => {
      const sorted = [...expected].sort();
      expect(await keys(query)).toEqual(sorted);
      const revisions = (await app.azure.get(`/revisions?${query}`)).json.items as Item[];
      expect(revisions.map(({ key }) => key)).toEqual(sorted);
      const newer = app.azure.withVersion('2024-09-01');
      for (const key of Object.keys(TAGGED)) {
        const answer = await newer.get(`/kv/${key}?${query}`);
        if (expected.includes(key)) expect(answer.status).toBe(200);
        else expectEmpty(answer, 404);
      }
    });

    it.each([
      'tags=env',
      'tags==prod',
      'tags=%00=prod',
      'tags=e%00nv=prod',
      'tags=env=a=b',
      'tags=env=a%00',
      'tags=env=%00%00',
      'tags=env=*',
      'tags=env=pro*',
      'tags=*',
      'tags=*=a',
      'tags=env=a,b',
      'tags=env=a,team=b',
      'tags=a%5C%3Db',
      'tags=%5C',
      'tags=a=1&tags=b=2&tags=c=3&tags=d=4&tags=e=5&tags=f=6',
      'tags=env=dev&tags=team',
    ])('%s is refused', async (query) => {
      expectInvalidArgument(await app.azure.get(`/kv?${query}`), 'tags');
      expectInvalidArgument(await app.azure.get(`/revisions?${query}`), 'tags');
      expectInvalidArgument(await app.azure.withVersion('2024-09-01').get(`/kv/none?${query}`), 'tags');
      expect((await app.azure.head(`/kv?${query}`)).status).toBe(400);
    });

    it('of a HEAD of one key-value must hold too', async () => {
      const newer = app.azure.withVersion('2024-09-01');
      expect((await newer.head('/kv/prod?tags=env=prod')).status).toBe(200);
      expect((await newer.head('/kv/prod?tags=env=dev')).status).toBe(404);
    });

    it('of a put or delete are ignored', async () => {
      const newer = app.azure.withVersion('2024-09-01');
      expect((await newer.put('/kv/new?tags=nonsense', {})).status).toBe(200);
      expect((await newer.delete('/kv/new?tags=a=b')).status).toBe(200);
    });

    it('take part with filters of key and label', async () => {
      expect(await keys('key=p*&tags=env=prod&label=%00')).toEqual(['prod']);
      expect(await keys('key=d*&tags=env=prod')).toEqual([]);
    });
  });

  describe('Accept', () => {
    it.each([
      ['/kv', 'kvset'],
      ['/revisions', 'kvset'],
      ['/keys', 'keyset'],
      ['/labels', 'labelset'],
    ])('%s is %s+json unless only JSON is accepted', async (path, name) => {
      const vendor = `application/vnd.microsoft.appconfig.${name}+json`;
      for (const accept of ['*/*', vendor, `application/json, ${vendor}`, 'text/plain']) {
        const answer = await app.azure.get(path, { headers: { accept } });
        expect(answer.headers['content-type']).toBe(`${vendor}; charset=utf-8`);
      }
      const json = await app.azure.get(path, { headers: { accept: 'application/json' } });
      expect(json.headers['content-type']).toBe('application/json; charset=utf-8');
      expect(json.text).toBe((await app.azure.get(path)).text);
    });
  });
});
