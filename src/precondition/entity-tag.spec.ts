import { leastTimeMs } from '../../test/support/least-time.js';
import { parseEntityTags } from './entity-tag.js';

const tag = (text: string) => ({ kind: 'tag', tag: text });
const any = { kind: 'any' };

describe('parseEntityTags', () => {
  it.each([
    ['"abc"', 'abc'],
    ['  "abc"\t', 'abc'],
    ['""', ''],
    ['"!#~[]\\"', '!#~[]\\'],
    ['"a,b"', 'a,b'],
    ['"\u00e9"', '\u00e9'],
  ])('reads %s', (header, expected) => {
    expect(parseEntityTags(header)).toEqual(tag(expected));
  });

  it('takes a weak tag for the strong one', () => {
    expect(parseEntityTags('W/"abc"')).toEqual(tag('abc'));
  });

  it.each(['*', ' * ', '"*"', 'W/"*"', '"*", "abc"'])('reads %s as the wildcard', (header) => {
    expect(parseEntityTags(header)).toEqual(any);
  });

  it('takes a tag with blanks in it, which nothing has', () => {
    expect(parseEntityTags('"wrong etag"')).toEqual(tag('wrong etag'));
    expect(parseEntityTags('W/"a\tb", "c"')).toEqual(tag('a\tb'));
  });

  it.each(['"a","b"', '"a" , W/"b",', ',, "a"', '"a",\t"b", "c"', '"a","*"'])(
    'counts the first tag only in %s',
    (header) => {
      expect(parseEntityTags(header)).toEqual(tag('a'));
    },
  );

  it.each([
    ['an unquoted tag', 'abc'],
    ['an unquoted tag behind a good one', '"a", b'],
    ['a tag without its end', '"abc'],
    ['a tag without its end behind a good one', '"a", "b'],
    ['a lone quote', '"'],
    ['a lower-case weakness mark', 'w/"a"'],
    ['a blank behind the weakness mark', 'W/ "a"'],
    ['a weakness mark alone', 'W/'],
    ['tags without a comma', '"a" "b"'],
    ['tags that touch', '"a""b"'],
    ['text behind a tag', '"a"b'],
    ['a control character inside a tag', '"a\u007f"'],
    ['a wildcard within a list', '*, "a"'],
    ['a list that ends in a wildcard', '"a", *'],
    ['commas alone', ', ,'],
    ['two wildcards', '**'],
  ])('ignores a header with %s', (_what, header) => {
    expect(parseEntityTags(header)).toBeNull();
  });

  it.each([undefined, '', '   '])('finds nothing in %p', (header) => {
    expect(parseEntityTags(header)).toBeNull();
  });

  it.each([
    ['quotes', '"'.repeat(10_000)],
    ['quotes with commas', '"",'.repeat(10_000)],
    ['commas', ','.repeat(10_000)],
    ['blanks', `"a"${' '.repeat(10_000)}b`],
    ['weakness marks', 'W/'.repeat(10_000)],
  ])('reads 10,000 %s in less than 10 ms', (_what, header) => {
    expect(leastTimeMs(() => parseEntityTags(header))).toBeLessThan(10);
  });
});
