import * as fc from 'fast-check';
import { type KeyValue } from '../key-value/key-value.js';
import { canonicalTags } from '../key-value/rules/key-value-input.js';
import { type ExportFormat, renderExport } from './export-file.js';
import { formatOf, type ImportFormat, parseImportFile } from './import-file.js';
import { checkRows, type ImportRow } from './import-row.js';

const LIMITS = { maxItemBytes: 10_240, maxNameBytes: 2000 };
const NAMES = { prefix: '', label: '', separator: ':' };

const parse = (text: string, format: ImportFormat = 'json', isChosen = false) =>
  parseImportFile('file', Buffer.from(text), format, isChosen, NAMES);
const rows = (text: string, format: ImportFormat = 'json'): ImportRow[] =>
  checkRows('file', parse(text, format).rows, LIMITS);
const faultOf = (text: string, format: ImportFormat = 'json'): string => {
  try {
    rows(text, format);
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
};

describe('a key-value set', () => {
  it("reads the Azure CLI's kvset profile and the service's own list", () => {
    const item = { key: 'a', label: 'dev', value: 'v', content_type: 't', tags: { x: 'y', z: null } };
    const own = { ...item, etag: 'e', locked: true, last_modified: '2024-01-01T00:00:00+00:00', description: 'd' };
    const input = { value: 'v', contentType: 't', tags: '{"x":"y","z":null}', description: null };
    expect(rows(JSON.stringify({ items: [item] }))[0]).toMatchObject({ where: 'row 1', key: 'a', label: 'dev', input });
    expect(rows(JSON.stringify({ etag: 'page', items: [own] }))[0]!.input).toEqual({ ...input, description: 'd' });
  });

  it('takes no label, null, an empty one and U+0000 for the same', () => {
    for (const label of ['', ',"label":null', ',"label":""', ',"label":"\\u0000"'])
      expect(rows(`{"items":[{"key":"a"${label}}]}`)[0]!.label).toBe('');
  });

  it('keeps the digits of numbers', () => {
    expect(rows('{"items":[{"key":"a","value":1.10}]}')[0]!.input.value).toBe('1.10');
  });

  it('says mode and scope', () => {
    expect(parse('{"mode":"mirror","scope":{"key":"app/*"},"items":[]}')).toMatchObject({
      mode: 'mirror',
      scope: { key: 'app/*' },
      isKvset: true,
    });
  });

  it.each([
    ['{"items":[{"key":"a"},{"value":"v"}]}', 'file: row 2, key: missing'],
    ['{"items":[{"key":""}]}', 'file: row 1 (key ""), key: empty'],
    [
      '{"items":[{"key":"a\\u0001"}]}',
      'file: row 1 (key "a\\u0001"), key: not a well-formed text without control characters',
    ],
    ['{"items":[{"key":"a","label":["b"]}]}', 'file: row 1 (key "a"), label: not a text'],
    ['{"items":[{"key":"a","value":{}}]}', 'file: row 1 (key "a"), value: not a well-formed text or null'],
    ['{"items":[{"key":"a","tags":["x"]}]}', 'file: row 1 (key "a"), tags: not an object of at most 1000 texts'],
    ['{"items":[{"key":"a","lable":"x"}]}', 'file: row 1 (key "a"): "lable" is no member of a key-value'],
    ['{"items":[{"key":"a"},{"key":"a","label":null}]}', 'file: row 2 (key "a"), key: the same key and label as row 1'],
    ['{"items":["a"]}', 'file: row 1: not an object'],
    [
      '{"items":[],"@nextLink":"/kv?after=x"}',
      'file: the list goes on behind this page (@nextLink): export the whole list',
    ],
    ['{"items":[],"mode":"replace"}', 'file: mode is "\\"replace\\""; expected add-only, upsert, mirror'],
    ['{"items":[],"scope":"x"}', 'file: scope holds something else than the filters "key" and "label"'],
    ['{"items":\n[,]}', 'file: not JSON at line 2'],
    ['[]', 'file: the file holds no object'],
  ])('refuses %s', (text, fault) => {
    expect(faultOf(text)).toBe(fault);
  });

  it('names the sizes of what is too large', () => {
    expect(faultOf(JSON.stringify({ items: [{ key: 'k', value: 'x'.repeat(10_240) }] }))).toBe(
      'file: row 1 (key "k"), value: the key-value has 10241 bytes, more than the 10240 of MAX_ITEM_BYTES',
    );
    expect(faultOf(JSON.stringify({ items: [{ key: 'k'.repeat(2001) }] }))).toMatch(
      /key and label have 2001 bytes, more than the 2000 of MAX_NAME_BYTES$/,
    );
  });
});

describe('a nested file', () => {
  it('says nothing but values', () => {
    const [row] = rows('{"a":{"b":1.0}}');
    expect(row).toMatchObject({ where: 'member "a:b"', key: 'a:b', label: '', input: { value: '1.0' } });
    expect([...row!.keeps]).toEqual(['contentType', 'tags', 'description']);
  });

  it('takes an object with "items" for nested where the format was chosen', () => {
    expect(parse('{"items":[{"key":"a"}]}', 'json', true).rows[0]).toMatchObject({ key: 'items:0:key' });
    expect(parse('{"items":["a"],"other":1}').isKvset).toBe(false);
  });

  it('refuses a value at the root and an empty name', () => {
    expect(faultOf('"x"')).toBe('file: the file holds no object');
    expect(faultOf('{"":1}')).toBe('file: member "" (key ""), key: empty');
  });
});

it.each([
  ['a.json', 'json'],
  ['a.YML', 'yaml'],
  ['dir.x/a.properties', 'properties'],
  ['a.txt', undefined],
  ['json', undefined],
])('tells the format of %s', (file, format) => {
  expect(formatOf(file)).toBe(format);
});

describe('an export', () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter((text) => !/[\p{Cc}:]|__proto__/u.test(text));
  const item = fc.record({
    key: fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(':')),
    label: fc.constantFrom('', 'dev', 'prod,*\\'),
    value: fc.option(fc.string({ unit: 'binary' })),
    contentType: fc.option(name),
    tags: fc.dictionary(name, fc.option(name), { noNullPrototype: true }).map(canonicalTags),
    description: fc.option(fc.string()),
  });
  const stored = (parts: object): KeyValue =>
    ({ locked: false, etag: 'e', revision: '1', modifiedAt: 0, ...parts }) as KeyValue;
  const read = (text: string, format: ExportFormat): ImportRow[] =>
    checkRows('file', parse(text, format === 'kvset-yaml' ? 'yaml' : format).rows, LIMITS);

  it.each(['kvset', 'kvset-yaml'] as const)('in the format %s is read back whole', (format) => {
    fc.assert(
      fc.property(fc.uniqueArray(item, { selector: ({ key, label }) => `${key}\0${label}` }), (items) => {
        const back = read(renderExport(items.map(stored), format, NAMES), format);
        expect(back.map(({ key, label, input }) => ({ key, label, ...input }))).toEqual(items);
        // What is null is exported too: a member that a row leaves out would stay as it is in the store.
        expect(back.flatMap(({ keeps }) => [...keeps])).toEqual([]);
      }),
    );
  });

  it.each(['json', 'yaml', 'properties'] as const)('in the format %s is read back with its values', (format) => {
    fc.assert(
      fc.property(fc.uniqueArray(item, { selector: ({ key }) => key }), (items) => {
        fc.pre(!items.some(({ key }) => items.some((other) => other.key.startsWith(`${key}:`))));
        const back = read(renderExport(items.map(stored), format, NAMES), format);
        const none = format === 'properties' ? '' : null;
        const pairs = (list: { key: string; value: string | null }[]) =>
          list.map(({ key, value }) => [key, value ?? none]).sort();
        expect(pairs(back.map(({ key, input }) => ({ key, value: input.value })))).toEqual(pairs(items));
      }),
    );
  });

  it('names a key that has several labels where the format has none', () => {
    const items = ['', 'dev'].map((label) => stored({ key: 'a', label, value: 'v', tags: '{}' }));
    expect(() => renderExport(items, 'properties', NAMES)).toThrow('the key "a" exists with the labels none and "dev"');
  });
});
