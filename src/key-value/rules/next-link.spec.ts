import fc from 'fast-check';
import { parseQuery } from '../../http/query-string.js';
import { nextLink } from './next-link.js';

const link = (query: string, token = 'YXBwCnByb2Q='): string => nextLink('/kv', parseQuery(query), token, '2023-11-01');

describe('nextLink', () => {
  it.each([
    ['api-version=1.0&key=abc*', '/kv?api-version=1.0&key=abc*&after=YXBwCnByb2Q%3D'],
    ['key=abc*&api-version=1.0', '/kv?key=abc*&api-version=1.0&after=YXBwCnByb2Q%3D'],
    ['After=x&key=a&api-version=1.0&after=y', '/kv?key=a&api-version=1.0&after=YXBwCnByb2Q%3D'],
    ['API-Version=1.0&%24select=key,value', '/kv?API-Version=1.0&%24select=key%2Cvalue&after=YXBwCnByb2Q%3D'],
    ['', '/kv?api-version=2023-11-01&after=YXBwCnByb2Q%3D'],
    ['key=a', '/kv?api-version=2023-11-01&key=a&after=YXBwCnByb2Q%3D'],
    ['api-version=&key=a', '/kv?api-version=2023-11-01&key=a&after=YXBwCnByb2Q%3D'],
    ['after=x', '/kv?api-version=2023-11-01&after=YXBwCnByb2Q%3D'],
    ['api-version=1.0&key=a;b&label=%00', '/kv?api-version=1.0&key=a%3Bb&label=%00&after=YXBwCnByb2Q%3D'],
    ['api-version=1.0&tags=a%3Db&tags=c%3Dd', '/kv?api-version=1.0&tags=a%3Db&tags=c%3Dd&after=YXBwCnByb2Q%3D'],
    ['api-version=1.0&key=a+b%2B%3E', '/kv?api-version=1.0&key=a%20b%2B%3E&after=YXBwCnByb2Q%3D'],
  ])('continues %j', (query, expected) => {
    expect(link(query)).toBe(expected);
  });

  it('encodes the token whole', () => {
    expect(link('api-version=1.0', 'a+b/c=')).toBe('/kv?api-version=1.0&after=a%2Bb%2Fc%3D');
  });

  it('keeps every other parameter, puts "after" last and never first, and is ASCII', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('after', 'AFTER', 'api-version', 'key', ''));
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text)), (pairs) => {
        const raw = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
        const [, query = ''] = link(raw).split('?');
        const result = parseQuery(query).pairs;
        expect(result.at(-1)).toEqual({ name: 'after', value: 'YXBwCnByb2Q=' });
        expect(result.filter(({ name }) => name.toLowerCase() === 'after')).toHaveLength(1);
        expect(result.length).toBeGreaterThan(1);
        expect(parseQuery(query).first('api-version')).toBeDefined();
        expect(
          [...query].every((character) => character > ' ' && character < '\u007f' && !'<>";'.includes(character)),
        ).toBe(true);
        const kept = parseQuery(raw).pairs.filter(
          ({ name, value }) => name.toLowerCase() !== 'after' && (name.toLowerCase() !== 'api-version' || value !== ''),
        );
        expect(result.slice(-1 - kept.length, -1)).toEqual(kept);
      }),
    );
  });
});
