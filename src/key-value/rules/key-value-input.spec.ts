import fc from 'fast-check';
import { Problem } from '../../problem/problem.js';
import {
  canonicalTags,
  checkName,
  checkNameBytes,
  itemBytes,
  type KeyValueInput,
  normaliseLabel,
  parseKeyValueBody,
  sameTags,
} from './key-value-input.js';

const parse = (text: string, acceptsDescription = false): KeyValueInput =>
  parseKeyValueBody(Buffer.from(text, 'utf8'), acceptsDescription);

const input = (members: Partial<KeyValueInput>): KeyValueInput => ({
  value: null,
  contentType: null,
  tags: '{}',
  description: null,
  ...members,
});

const invalid = (parameter: string): Error =>
  expect.objectContaining({ kind: 'invalid-argument', status: 400, parameter, detail: '' }) as Error;

describe('parseKeyValueBody', () => {
  it.each<[string, Partial<KeyValueInput>]>([
    ['{}', {}],
    ['{"value":null,"content_type":null,"tags":null}', {}],
    ['{"value":""}', { value: '' }],
    [
      '{"value":"v","content_type":"text/plain","tags":{"a":"b"}}',
      { value: 'v', contentType: 'text/plain', tags: '{"a":"b"}' },
    ],
    ['{"content_type":" Application/JSON;charset=utf-8 "}', { contentType: ' Application/JSON;charset=utf-8 ' }],
    ['{"value":"a\\u0000b\\n\\u0085"}', { value: 'a\0b\n\u0085' }],
    ['{"value":"\\ud83d\\udd11"}', { value: '🔑' }],
    ['{"value":"a","value":"b"}', { value: 'b' }],
    ['{"key":1,"label":[],"etag":{},"locked":"x","last_modified":5,"other":[1]}', {}],
    ['{"Value":"x"}', {}],
    ['{"value":"v",} // comment', { value: 'v' }],
    ['\uFEFF{"value":"v"}', { value: 'v' }],
  ])('reads %j', (text, members) => {
    expect(parse(text)).toEqual(input(members));
  });

  it.each<[string, Partial<KeyValueInput>]>([
    ['{"value":1}', { value: '1' }],
    ['{"value":1.0}', { value: '1.0' }],
    ['{"value":12345678901234567890}', { value: '12345678901234567890' }],
    ['{"value":1e400}', { value: '1e400' }],
    ['{"value":true}', { value: 'true' }],
    ['{"content_type":false}', { contentType: 'false' }],
    ['{"content_type":5}', { contentType: '5' }],
    ['{"tags":{"a":1.50,"b":true,"c":null}}', { tags: '{"a":"1.50","b":"true","c":null}' }],
    ['{"value":-0,/**/}', { value: '-0' }],
  ])('coerces %j to its JSON text', (text, members) => {
    expect(parse(text)).toEqual(input(members));
  });

  it.each([
    ['', 'body'],
    [' ', 'body'],
    ['{', 'body'],
    ['[]', 'body'],
    ['null', 'body'],
    ['"value"', 'body'],
    ['1', 'body'],
    ['value=1', 'body'],
    [`{"value":"v","x":${'['.repeat(101)}${']'.repeat(101)}}`, 'body'],
    ['{"__proto__":{"value":"v"}}', 'body'],
    ['{"tags":{"__proto__":"v"}}', 'body'],
    ['{"value":{}}', 'value'],
    ['{"value":[]}', 'value'],
    ['{"value":"\\ud800"}', 'value'],
    ['{"value":"\\udc00\\ud800"}', 'value'],
    ['{"content_type":{}}', 'content_type'],
    ['{"content_type":["a"]}', 'content_type'],
    ['{"content_type":"a\\nb"}', 'content_type'],
    ['{"content_type":"a\\u0000"}', 'content_type'],
    ['{"content_type":"\\u007f"}', 'content_type'],
    ['{"content_type":"\\u009f"}', 'content_type'],
    ['{"content_type":"\\ud800"}', 'content_type'],
    ['{"tags":[]}', 'tags'],
    ['{"tags":"a=b"}', 'tags'],
    ['{"tags":1}', 'tags'],
    ['{"tags":true}', 'tags'],
    ['{"tags":{"":"v"}}', 'tags[].key'],
    ['{"tags":{"a\\u0000":"v"}}', 'tags[a\0].key'],
    ['{"tags":{"a\\u001f":"v"}}', 'tags[a\u001f].key'],
    ['{"tags":{"\\ud800":"v"}}', 'tags[\ud800].key'],
    [`{"tags":{"${'n'.repeat(257)}":"v"}}`, `tags[${'n'.repeat(257)}].key`],
    [`{"tags":{"ok":"v","a":"${'v'.repeat(257)}"}}`, 'tags[a].value'],
    ['{"tags":{"a":"\\u0000"}}', 'tags[a].value'],
    ['{"tags":{"a":"\\t"}}', 'tags[a].value'],
    ['{"tags":{"a":"\\udfff"}}', 'tags[a].value'],
    ['{"tags":{"a":{}}}', 'tags[a].value'],
    ['{"tags":{"a":[]}}', 'tags[a].value'],
  ])('refuses %j as a fault of %j', (text, parameter) => {
    expect(() => parse(text)).toThrow(Problem);
    expect(() => parse(text)).toThrow(invalid(parameter));
  });

  it('refuses bytes that are no UTF-8', () => {
    expect(() => parseKeyValueBody(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), false)).toThrow(invalid('body'));
  });

  it('takes names and values of 256 characters', () => {
    const tags = canonicalTags({ ['n'.repeat(256)]: 'v'.repeat(256), empty: '' });
    expect(parse(`{"tags":${tags}}`).tags).toBe(tags);
  });

  it('takes a thousand tags and refuses one more', () => {
    const tags = (count: number): string =>
      JSON.stringify({ tags: Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, ''])) });
    expect(() => parse(tags(1000))).not.toThrow();
    expect(() => parse(tags(1001))).toThrow(invalid('tags'));
  });

  it('keeps the order of the tags', () => {
    expect(parse('{"tags":{"b":"1","a":null,"constructor":""}}').tags).toBe('{"b":"1","a":null,"constructor":""}');
  });

  describe('description', () => {
    it.each<[string, string | null]>([
      ['{}', null],
      ['{"description":null}', null],
      ['{"description":"two\\nlines"}', 'two\nlines'],
      ['{"description":7.0}', '7.0'],
      ['{"description":"a\\u0000b"}', 'a\0b'],
    ])('of %s is read from the version that knows it', (text, description) => {
      expect(parse(text, true).description).toBe(description);
    });

    it.each(['{"description":"x"}', '{"description":[]}', '{"description":"\\ud800"}', '{"description":3}'])(
      '%s is ignored before',
      (text) => {
        expect(parse(text, false)).toEqual(input({}));
      },
    );

    it.each(['{"description":[]}', '{"description":"\\ud800"}'])('%s is refused', (text) => {
      expect(() => parse(text, true)).toThrow(invalid('description'));
    });
  });

  it('reads what a client writes', () => {
    const text = fc.string({ unit: 'binary' });
    const name = fc.string({ minLength: 1, maxLength: 20 }).filter((value) => value !== '__proto__');
    const tags = fc.dictionary(name, fc.option(fc.string({ maxLength: 20 })), { noNullPrototype: true });
    fc.assert(
      fc.property(fc.option(text), fc.option(fc.string()), tags, (value, contentType, members) => {
        const body = JSON.stringify({ value, content_type: contentType, tags: members });
        expect(parse(body)).toEqual(input({ value, contentType, tags: JSON.stringify(members) }));
      }),
    );
  });
});

describe('itemBytes', () => {
  it.each<[string, string, Partial<KeyValueInput>, number]>([
    ['k', '', {}, 1],
    ['k', 'l', {}, 2],
    ['é', '🔑', {}, 6],
    ['k', '', { value: 'abc' }, 4],
    ['k', '', { value: 'a\0é' }, 5],
    ['k', '', { contentType: 'text' }, 5],
    ['k', '', { tags: '{"ab":"c","d":null}' }, 5],
    ['k', '', { tags: '{"\\"":"\\n"}' }, 3],
    ['k', '', { description: 'dd' }, 3],
    ['k', 'l', { value: 'v', contentType: 'c', tags: '{"t":"é"}', description: 'd' }, 8],
  ])('of %j, %j, %j is %i', (key, label, members, bytes) => {
    expect(itemBytes(key, label, input(members))).toBe(bytes);
  });
});

describe('checkName', () => {
  it.each<['key' | 'label', string]>([
    ['key', 'a'],
    ['key', ' '],
    ['key', '*,\\'],
    ['key', '🔑'],
    ['key', 'a/b'],
    ['key', 'é\u00a0'],
    ['label', ''],
    ['label', 'test_label2_*, \\1d7b'],
  ])('accepts %s %j', (parameter, text) => {
    expect(() => checkName(parameter, text)).not.toThrow();
  });

  it.each<['key' | 'label', string]>([
    ['key', ''],
    ['key', '\0'],
    ['key', 'a\n'],
    ['key', 'a\u007f'],
    ['key', '\u0080'],
    ['key', '\ud800'],
    ['label', 'a\0'],
    ['label', '\u001f'],
    ['label', 'a\udc00'],
  ])('refuses %s %j', (parameter, text) => {
    expect(() => checkName(parameter, text)).toThrow(invalid(parameter));
  });
});

describe('checkNameBytes', () => {
  it.each([
    ['a'.repeat(1000), 'b'.repeat(1000), true],
    ['a'.repeat(1000), 'b'.repeat(1001), false],
    ['é'.repeat(1000), '', true],
    ['é'.repeat(1000), 'b', false],
    ['€'.repeat(666), 'bb', true],
    ['€'.repeat(666), 'bbb', false],
    ['🔑'.repeat(500), '', true],
    ['🔑'.repeat(500), 'b', false],
  ])('counts bytes of UTF-8 (row %#)', (key, label, isAccepted) => {
    const act = (): void => checkNameBytes(key, label, 2000);
    if (isAccepted) expect(act).not.toThrow();
    else expect(act).toThrow(invalid('key'));
  });
});

describe('normaliseLabel', () => {
  it.each([
    [undefined, ''],
    ['', ''],
    ['\0', ''],
    ['prod', 'prod'],
    ['*', '*'],
    ['\0\0', '\0\0'],
    [' ', ' '],
  ])('of %j is %j', (raw, label) => {
    expect(normaliseLabel(raw)).toBe(label);
  });
});

describe('sameTags', () => {
  it.each([
    ['{}', '{}', true],
    ['{"a":"1","b":"2"}', '{"b":"2","a":"1"}', true],
    ['{"a": "1"}', '{"a":"1"}', true],
    ['{"a":"1"}', '{}', false],
    ['{"a":"1"}', '{"a":"2"}', false],
    ['{"a":null}', '{"a":""}', false],
    ['{"a":null}', '{"b":null}', false],
    ['{"a":"1"}', '{"a":"1","b":"2"}', false],
    ['{"toString":null}', '{"valueOf":null}', false],
  ])('of %s and %s is %j', (a, b, isSame) => {
    expect(sameTags(a, b)).toBe(isSame);
    expect(sameTags(b, a)).toBe(isSame);
  });

  it('does not depend on the order', () => {
    const name = fc.string().filter((value) => value !== '__proto__');
    const entries = fc.uniqueArray(fc.tuple(name, fc.option(fc.string())), { selector: ([text]) => text });
    fc.assert(
      fc.property(entries, (pairs) => {
        const backwards = canonicalTags(Object.fromEntries([...pairs].reverse()));
        expect(sameTags(canonicalTags(Object.fromEntries(pairs)), backwards)).toBe(true);
      }),
    );
  });
});
