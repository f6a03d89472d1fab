import fc from 'fast-check';
import { leastTimeMs } from '../../test/support/least-time.js';
import { JsonTextError, type JsonTextFault, parseJsonText } from './json-text.js';

const parse = (text: string): unknown => parseJsonText(Buffer.from(text, 'utf8'));

const fault = (bytes: Buffer | string): JsonTextFault => {
  try {
    parseJsonText(Buffer.from(bytes as string));
  } catch (error) {
    if (error instanceof JsonTextError) return error.reason;
    throw error;
  }
  throw new Error('nothing was refused');
};

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('parseJsonText', () => {
  it.each<[string, unknown]>([
    ['{}', {}],
    [' null ', null],
    ['"a\\u0000b"', 'a\0b'],
    ['\uFEFF{"a":1}', { a: 1 }],
    ['{"a":"é🔑"}', { a: 'é🔑' }],
    ['"\\ud800"', '\ud800'],
    ['{"a":1,"a":2}', { a: 2 }],
    ['"http://example.org/*x*/"', 'http://example.org/*x*/'],
  ])('reads %s', (text, value) => {
    expect(parse(text)).toEqual(value);
  });

  it('reads the sample of the documentation with its comments and trailing comma', () => {
    const sample = `{
      "value": "example value",         // optional
      "content_type": "user defined",   // optional
      "tags": {                         // optional
        "tag1": "value1",
        "tag2": "value2", /* last */
      }
    }`;
    expect(parse(sample)).toEqual({
      value: 'example value',
      content_type: 'user defined',
      tags: { tag1: 'value1', tag2: 'value2' },
    });
  });

  it.each<[string, unknown]>([
    ['[1,]', [1]],
    ['[1 , /* */ // x\n ]', [1]],
    ['{"a":[1,],}', { a: [1] }],
    ['[[],]', [[]]],
    ['["a",]', ['a']],
    ['["\\\\",]', ['\\']],
    ['["//",","/**/]', ['//', ',']],
    ['[1//\r,2]', [1, 2]],
    ['{}//', {}],
    ['/**/{}', {}],
    ['/*/ */1', 1],
    ['[",]",]', [',]']],
    ['["\\",]",]', ['",]']],
  ])('tolerates %j on the second try', (text, value) => {
    expect(parse(text)).toEqual(value);
  });

  it.each([
    '',
    ' ',
    '{',
    '}',
    '[,]',
    '{,}',
    '[1,,]',
    '[1,,2]',
    '{"a":,}',
    '{},',
    '1 2',
    '1/**/2',
    '1,]',
    '/',
    '/*',
    '/* *',
    '/*/',
    '[1] /x',
    "{'a':1}",
    '{a:1}',
    '[01]',
    'NaN',
    '"a',
    '"\t"',
    '[1,/*]',
    ',',
    '[1}',
  ])('refuses %j', (text) => {
    expect(fault(text)).toBe('syntax');
  });

  it.each([
    [[0xff]],
    [[0x22, 0xc3, 0x22]],
    [[0x22, 0xed, 0xa0, 0x80, 0x22]],
    [[0x22, 0xc0, 0x80, 0x22]],
    [[0xff, 0xfe, 0x7b, 0]],
  ])('refuses the bytes %j, which are no UTF-8', (bytes) => {
    expect(fault(Buffer.from(bytes))).toBe('encoding');
  });

  it.each<[string, string]>([
    ['arrays', nested(101)],
    ['objects', '{"a":'.repeat(101) + '1' + '}'.repeat(101)],
    ['a mixture', '[{"a":'.repeat(51) + '1' + '}]'.repeat(51)],
    ['brackets after a string with a quote', `["\\"",${nested(100)}]`],
    ['nothing that ends', '['.repeat(100_000)],
    ['a text with comments', `/* " */${nested(101)}`],
    ['a text with a trailing comma', `[${nested(100)},]`],
  ])('refuses depth 101 of %s', (_, text) => {
    expect(fault(text)).toBe('depth');
  });

  it.each<[string, string]>([
    ['depth 100', nested(100)],
    ['many brackets side by side', `[${'[],'.repeat(500)}[]]`],
    ['brackets in a string', JSON.stringify('['.repeat(500))],
    ['brackets in a string with quotes', JSON.stringify(`"${'{'.repeat(500)}\\`)],
    ['brackets in a comment', `/*${'['.repeat(500)}*/[1]`],
    ['brackets in a comment with a quote', `//"${'['.repeat(500)}\n[1]`],
  ])('accepts %s', (_, text) => {
    expect(() => parse(text)).not.toThrow();
  });

  it.each([
    '{"__proto__":1}',
    '{"a":[{"__proto__":{}}]}',
    '{"\\u005f_proto__":1}',
    '{"\\u005F\\u005Fproto__":1}',
    '{"__\\u0070roto__":1}',
    '{"__proto__":1,}',
  ])('refuses the member of %s', (text) => {
    expect(fault(text)).toBe('prototype');
  });

  it.each(['"__proto__"', '{"a":"__proto__"}', '{"constructor":1,"prototype":2}'])('accepts %s', (text) => {
    expect(() => parse(text)).not.toThrow();
  });

  it('reads every value that JSON can write', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!text.includes('"__proto__":'));
        expect(parse(text)).toEqual(JSON.parse(text));
        expect(parse(`/*"*/${text}//,`)).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each(['[', '[1,', ',', '/*', '//\n', '"', '"\\', '/**/', '{"a":{', '\\u0000', '"__proto__"'])(
    'takes linear time for a long run of %j',
    (unit) => {
      const text = unit.repeat(200_000);
      const read = (): void => {
        try {
          parse(text);
        } catch (error) {
          expect(error).toBeInstanceOf(JsonTextError);
        }
      };
      expect(leastTimeMs(read, 3)).toBeLessThan(3000);
    },
  );
});

describe('parseJsonText with numbers as text', () => {
  it.each<[string, unknown]>([
    ['12345678901234567890', '12345678901234567890'],
    ['[1.0,-0,1e400,2E+3,4e-5]', ['1.0', '-0', '1e400', '2E+3', '4e-5']],
    ['{"1":"2","a\\"3":4}', { '1': '2', 'a"3': '4' }],
    ['{"a":1,/*5*/"b":true,}', { a: '1', b: true }],
  ])('keeps the digits of %s', (text, value) => {
    expect(parseJsonText(Buffer.from(text), 'text')).toEqual(value);
  });
});
