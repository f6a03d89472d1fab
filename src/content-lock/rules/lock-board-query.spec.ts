import { parseQuery } from '../../http/query-string.js';
import { Problem } from '../../problem/problem.js';
import { parseReason } from '../../http/native/page-query.js';
import { parseLockBoardQuery } from './lock-board-query.js';

function parameterAtFault(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof Problem && error.status === 400) return error.parameter;
    throw error;
  }
  return undefined;
}

describe('parseLockBoardQuery', () => {
  it('asks for everything unless told otherwise', () => {
    const everything = { filter: { pathPrefix: '', holder: null }, after: '', limit: 100 };
    expect(parseLockBoardQuery(parseQuery(''))).toEqual(everything);
    expect(parseLockBoardQuery(parseQuery('path-prefix=&holder=&after=&limit='))).toEqual(everything);
  });

  it('reads what it is given', () => {
    const uid = '0a'.repeat(16);
    expect(parseLockBoardQuery(parseQuery(`path-prefix=%2Fnews&holder=bob&after=${uid}&limit=1000&limit=x`))).toEqual({
      filter: { pathPrefix: '/news', holder: 'bob' },
      after: uid,
      limit: 1000,
    });
  });

  it('begins at the first page behind what no page ended with', () => {
    for (const after of ['zzz', 'a%00', '0'.repeat(31)]) {
      expect(parseLockBoardQuery(parseQuery(`after=${after}`)).after).toBe('');
    }
  });

  it.each(['limit=0', 'limit=1001', 'limit=-1', 'limit=1e3', 'limit=ten', 'holder=%00', 'path-prefix=%00'])(
    'refuses %s',
    (query) => {
      expect(parameterAtFault(() => parseLockBoardQuery(parseQuery(query)))).toBe(query.split('=')[0]);
    },
  );
});

describe('parseReason', () => {
  it('is needed, trimmed and bounded by characters', () => {
    expect(parseReason(parseQuery('reason=%20on+holiday%20'))).toBe('on holiday');
    expect(parseReason(parseQuery(`reason=${encodeURIComponent('😀'.repeat(1000))}`))).toHaveLength(2000);
    for (const query of ['', 'reason=', 'reason=%20%09', `reason=${'a'.repeat(1001)}`]) {
      expect(parameterAtFault(() => parseReason(parseQuery(query)))).toBe('reason');
    }
  });
});
