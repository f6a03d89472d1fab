import { parseQuery } from '../../http/query-string.js';
import { parseForce, parseForceReason, parseLockPageQuery, parseReleaseClaim } from './lock-query.js';

const refusal = (parameter: string): Error =>
  expect.objectContaining({ kind: 'invalid-argument', status: 400, parameter });

describe('parseLockPageQuery', () => {
  it('asks for everything, a hundred at a time', () => {
    const all = { filter: { prefix: '', owner: null, state: null }, after: null, limit: 100 };
    expect(parseLockPageQuery(parseQuery(''))).toEqual(all);
    expect(parseLockPageQuery(parseQuery('prefix=&owner=&state=&after=&limit=&other=1'))).toEqual(all);
  });

  it('reads every parameter', () => {
    expect(parseLockPageQuery(parseQuery('prefix=a%2F%25_&owner=%00&state=free&after=x&limit=7'))).toEqual({
      filter: { prefix: 'a/%_', owner: '\0', state: 'free' },
      after: 'x',
      limit: 7,
    });
  });

  it.each([1, 1000])('takes a limit of %i', (limit) => {
    expect(parseLockPageQuery(parseQuery(`limit=${limit}`)).limit).toBe(limit);
  });

  it.each([
    ['limit', ['0', '1001', '-1', '1.5', 'x', '1e2', '%2B1', '00100']],
    ['state', ['HELD', 'locked', 'held,free']],
  ])('refuses a %s of %j', (name, values) => {
    for (const value of values) {
      expect(() => parseLockPageQuery(parseQuery(`${name}=${value}`))).toThrow(refusal(name));
    }
  });
});

describe('parseForce', () => {
  it.each([
    ['', false],
    ['force=', false],
    ['force=false', false],
    ['force=true', true],
    ['owner=me&force=true', true],
  ])('%j: %s', (query, isForced) => expect(parseForce(parseQuery(query))).toBe(isForced));

  it.each(['1', 'TRUE', 'yes', 'true%20'])('refuses %j', (value) => {
    expect(() => parseForce(parseQuery(`force=${value}`))).toThrow(refusal('force'));
  });
});

describe('parseForceReason', () => {
  it('takes 1 to 1,000 characters, less the blanks around them', () => {
    expect(parseForceReason(parseQuery('reason=+it+hangs+'), undefined)).toBe('it hangs');
    const longest = '🔒'.repeat(1000);
    expect(parseForceReason(parseQuery(`reason=${encodeURIComponent(longest)}`), undefined)).toBe(longest);
  });

  it.each(['', 'reason=', 'reason=+', `reason=${'x'.repeat(1001)}`])('refuses %j', (query) => {
    expect(() => parseForceReason(parseQuery(query), undefined)).toThrow(refusal('reason'));
  });

  it('refuses to name a holder as well', () => {
    expect(() => parseForceReason(parseQuery('reason=x&owner=me'), undefined)).toThrow(refusal('force'));
    expect(() => parseForceReason(parseQuery('reason=x'), '42')).toThrow(refusal('force'));
  });
});

describe('parseReleaseClaim', () => {
  it.each([
    ['owner=me', undefined, { owner: 'me', fence: null }],
    ['', '42', { owner: null, fence: '42' }],
    ['owner=a%00b', '42', { owner: 'a\0b', fence: '42' }],
  ])('%j with fence %j is %j', (query, fence, claim) => {
    expect(parseReleaseClaim(parseQuery(query), fence)).toEqual(claim);
  });

  it.each([
    ['', undefined, 'owner'],
    ['owner=', undefined, 'owner'],
    ['', '', 'Lock-Fence'],
    ['owner=me', 'x', 'Lock-Fence'],
    ['', '42, 43', 'Lock-Fence'],
  ])('%j with fence %j is refused for %s', (query, fence, parameter) => {
    expect(() => parseReleaseClaim(parseQuery(query), fence)).toThrow(refusal(parameter));
  });
});
