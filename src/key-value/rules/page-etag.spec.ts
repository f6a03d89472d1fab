import { pageEtag } from './page-etag.js';

describe('pageEtag', () => {
  it.each<[string[], string | null, string]>([
    [[], null, '00wWELzclWef22f82qcUDI7FbJweVOoKWZDA_JoUeD0'],
    [['a', 'b'], null, 'xg-JdRuH4RdTAxAZTtI85q1Fs72ogcesrzQekmCxCUg'],
    [['a', 'b'], 'k\nl', 'i6MFaE8x_o7EacTRLxkj0Z_so8m0HN4ZlL-oqD2xRLI'],
  ])('of items %j and next token %j is the reference value', (items, nextToken, expected) => {
    expect(pageEtag(items, nextToken)).toBe(expected);
  });

  it('changes with the items, their order and the next token', () => {
    const tags = [
      pageEtag(['a', 'b'], null),
      pageEtag(['b', 'a'], null),
      pageEtag(['a'], null),
      pageEtag(['a', 'b'], 'c\n'),
      pageEtag([], null),
      pageEtag(['a', 'b'], 'schlüssel\n'),
    ];
    expect(new Set(tags).size).toBe(tags.length);
  });
});
