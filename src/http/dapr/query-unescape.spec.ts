import fc from 'fast-check';
import { BadEscapeError, queryUnescape } from './query-unescape';

describe('queryUnescape', () => {
  it.each([
    ['plain', 'plain'],
    ['a+b', 'a b'],
    ['a%20b', 'a b'],
    ['a%2Bb', 'a+b'],
    ['a%2fb%2F', 'a/b/'],
    ['%C3%A9', 'é'],
    ['\u00c3\u00a9', 'é'],
    ['%2520', '%20'],
    ['%00', '\u0000'],
    ['%ff', '\ufffd'],
    ['', ''],
  ])('reads %j as %j', (raw, text) => expect(queryUnescape(raw)).toBe(text));

  it.each([
    ['a%', '%'],
    ['a%2', '%2'],
    ['a%zz', '%zz'],
    ['a%2prod', '%2p'],
    ['%%20', '%%2'],
    ['%+1', '%+1'],
  ])('refuses %j, naming what is no escape', (raw, escape) => {
    expect(() => queryUnescape(raw)).toThrow(new BadEscapeError(escape));
  });

  it('undoes what encodes a query', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(queryUnescape(encodeURIComponent(text))).toBe(text);
        expect(queryUnescape(encodeURIComponent(text).replaceAll('%20', '+'))).toBe(text);
      }),
    );
  });
});
