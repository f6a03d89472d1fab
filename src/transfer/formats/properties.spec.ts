import * as fc from 'fast-check';
import { decodeProperties, parseProperties, propertyLine } from './properties.js';

const read = (text: string): [string, string][] =>
  Array.from(parseProperties(text), ({ key, value }) => [key, value] as [string, string]);

describe('a .properties file', () => {
  it.each([
    ['a=b', 'a', 'b'],
    ['a:b', 'a', 'b'],
    ['a b', 'a', 'b'],
    ['  a \t = \t b ', 'a', 'b '],
    ['a', 'a', ''],
    ['a=', 'a', ''],
    ['a\\ b\\=c\\:d=e=f:g', 'a b=c:d', 'e=f:g'],
    ['path=c:\\\\temp\\\\x', 'path', 'c:\\temp\\x'],
    ['a=\\t\\n\\r\\f\\q', 'a', '\t\n\r\fq'],
    ['a=\\u00e9\\u20AC', 'a', 'é€'],
    ['a=1,\\\n    2,\\\r\n    3', 'a', '1,2,3'],
    ['a=ends with a backslash\\\\\nb=1', 'a', 'ends with a backslash\\'],
    ['# comment\n! other\n   # third\n\na=b', 'a', 'b'],
    ['a=no # comment', 'a', 'no # comment'],
    ['a=last line goes on\\', 'a', 'last line goes on'],
  ])('reads %j', (text, key, value) => {
    expect(read(text)[0]).toEqual([key, value]);
  });

  it('does not take a comment as going on', () => {
    expect(read('# comment\\\na=b')).toEqual([['a', 'b']]);
  });

  it('tells the line on which an entry begins', () => {
    expect(Array.from(parseProperties('# x\na=1\\\n2\nb=3'), ({ line }) => line)).toEqual([2, 4]);
  });

  it('refuses an escape without its digits, by line', () => {
    expect(() => read('a=b\nc=\\u12')).toThrow('line 2: \\u needs four hexadecimal digits');
  });

  it('reads UTF-8, and ISO 8859-1 where it is no UTF-8', () => {
    expect(decodeProperties(Buffer.from('a=é'))).toBe('a=é');
    expect(decodeProperties(Buffer.from('a=é', 'latin1'))).toBe('a=é');
  });

  it('gives back what it wrote, in ASCII', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text)), (pairs) => {
        const written = pairs.map(([key, value]) => propertyLine(key, value)).join('');
        expect(/^[\n -~]*$/.test(written)).toBe(true);
        // A line without a key is "=value", which reads back as the empty key.
        expect(read(written)).toEqual(pairs);
      }),
    );
  });
});
