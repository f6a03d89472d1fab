import fc from 'fast-check';
import { leastTimeMs } from '../../test/support/least-time.js';
import { Problem } from '../problem/problem.js';
import { decodePathSegment, encodeTarget, parseQuery } from './query-string.js';

/** The text as Node would hand it over: one character per byte. */
const asReceived = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

const refusal = (act: () => unknown): Problem => {
  try {
    act();
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('nothing was refused');
};

/** Text that can be sent as UTF-8. */
const wellFormed = fc.string({ unit: 'binary' });

describe('parseQuery', () => {
  it.each<[string, [string, string][]]>([
    ['', []],
    ['&', []],
    ['&&a=1&&', [['a', '1']]],
    ['a', [['a', '']]],
    ['a=', [['a', '']]],
    ['=a', [['', 'a']]],
    ['a=1&b=2&a=3', [['a', '1'], ['b', '2'], ['a', '3']]], // prettier-ignore
    ['tags=env=prod', [['tags', 'env=prod']]],
    ['tags=env%3Dprod', [['tags', 'env=prod']]],
    ['%24select=key', [['$select', 'key']]],
    ['$Select=key', [['$Select', 'key']]],
    ['a=b+c', [['a', 'b c']]],
    ['a=b%2Bc', [['a', 'b+c']]],
    ['a+b=c', [['a b', 'c']]],
    ['label=%00', [['label', '\0']]],
    ['label=%00,prod', [['label', '\0,prod']]],
    ['a=%2525', [['a', '%25']]],
    ['a=100%', [['a', '100%']]],
    ['a=%4', [['a', '%4']]],
    ['a=%zz%41', [['a', '%zzA']]],
    ['a=%%41', [['a', '%A']]],
    ['a=%c3%A9', [['a', 'é']]],
    ['a=%F0%9F%94%91', [['a', '🔑']]],
    ['a=%EF%BB%BFx', [['a', '\uFEFFx']]],
    [asReceived('a=schlüssel&ключ=🔑'), [['a', 'schlüssel'], ['ключ', '🔑']]], // prettier-ignore
    ['a=\u00c3%A9', [['a', 'é']]],
    ['a[b]=c&a;d=e', [['a[b]', 'c'], ['a;d', 'e']]], // prettier-ignore
    ['__proto__=x&constructor=y', [['__proto__', 'x'], ['constructor', 'y']]], // prettier-ignore
  ])('reads %j in order', (raw, pairs) => {
    expect(parseQuery(raw).pairs.map(({ name, value }) => [name, value])).toEqual(pairs);
  });

  it.each([
    ['Key=%ff', 'key'],
    ['a=1&LABEL=%C3', 'label'],
    ['a=%C3(', 'a'],
    ['a=%ED%A0%80', 'a'], // a surrogate is no character
    ['a=%C0%80', 'a'], // overlong U+0000
    ['a=\u00e9', 'a'],
    ['a=\u20ac', 'a'],
    ['%ff=a', 'query'],
  ])('refuses %j, which is no UTF-8, as %j', (raw, parameter) => {
    expect(refusal(() => parseQuery(raw))).toMatchObject({ kind: 'invalid-argument', status: 400, parameter });
  });

  it('gives back whatever was encoded', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(wellFormed, wellFormed)), (pairs) => {
        const raw = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
        expect(parseQuery(raw).pairs).toEqual(pairs.map(([name, value]) => ({ name, value })));
      }),
    );
  });

  it('answers any bytes with a query or a problem', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          parseQuery(Buffer.from(bytes).toString('latin1'));
        } catch (error) {
          expect(error).toBeInstanceOf(Problem);
        }
      }),
    );
  });

  it.each(['&', '%', '%41', '=', '+', 'a&'])('takes linear time for a long run of %j', (unit) => {
    const query = unit.repeat(500_000);
    expect(leastTimeMs(() => parseQuery(query), 3)).toBeLessThan(3000);
  });
});

describe('QueryString', () => {
  const query = parseQuery('Key=a&KEY=b&label=&Label=c&tags=&tags=x=y&K\u00c4=1'.replace('\u00c4', '%C3%84'));

  it.each([
    ['key', 'a'],
    ['KEY', 'a'],
    ['label', 'c'],
    ['absent', undefined],
    ['k\u00c4', '1'],
    ['k\u00e4', undefined],
    ['\u212aey', undefined], // the Kelvin sign is no K
  ])('first(%j) ignores ASCII case and empty values', (name, value) => {
    expect(query.first(name)).toBe(value);
  });

  it.each([
    ['key', ['a', 'b']],
    ['TAGS', ['', 'x=y']],
    ['absent', []],
  ])('all(%j) keeps every value', (name, values) => {
    expect(query.all(name)).toEqual(values);
  });

  it('counts a parameter that is only ever empty as absent', () => {
    expect(parseQuery('label=&Label').first('label')).toBeUndefined();
  });
});

describe('decodePathSegment', () => {
  it.each([
    ['', ''],
    ['app', 'app'],
    ['a+b', 'a+b'],
    ['a%2Bb', 'a+b'],
    ['a/b', 'a/b'],
    ['a%2Fb%2fc', 'a/b/c'],
    ['%252F', '%2F'],
    ['%00', '\0'],
    ['..%2F..', '../..'],
    ['%E2%82%AC', '€'],
    [asReceived('ключ'), 'ключ'],
    ['\u00e2%82\u00ac', '€'],
    ['%EF%BB%BFx', '\uFEFFx'],
    ['.appconfig.featureflag%2FBeta', '.appconfig.featureflag/Beta'],
  ])('decodes %j once', (raw, text) => {
    expect(decodePathSegment(raw)).toBe(text);
  });

  it.each([
    '%',
    '%4',
    '%zz',
    'a%',
    'a%4g',
    '%%',
    '%ff',
    '%C3',
    '%ED%A0%80',
    '%C0%AF',
    '\u00e9',
    '\u20ac',
    '%F4%90%80%80',
  ])('refuses %j', (raw) => {
    expect(refusal(() => decodePathSegment(raw))).toMatchObject({ kind: 'malformed-path', hasBody: false });
  });

  it('agrees with decodeURIComponent on ASCII targets', () => {
    const piece = fc.constantFrom(
      '%',
      '%4',
      '41',
      'a',
      '%C3',
      '%A9',
      '%2F',
      '+',
      '/',
      '%F0%9F%94%91',
      '%E2',
      '%82',
      '%AC',
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const raw = pieces.join('');
        let expected: string | undefined;
        try {
          expected = decodeURIComponent(raw);
        } catch {
          expect(refusal(() => decodePathSegment(raw)).kind).toBe('malformed-path');
          return;
        }
        expect(decodePathSegment(raw)).toBe(expected);
      }),
    );
  });
});

describe('encodeTarget', () => {
  it.each([
    ['/kv?key=a*&label=%00', '/kv?key=a*&label=%00'],
    [asReceived('/kv?key=é'), '/kv?key=%C3%A9'],
    [asReceived('é/é'), '%C3%A9/%C3%A9'],
    ['\u0080\u00ff', '%80%FF'],
    ['', ''],
  ])('makes %j ASCII', (raw, target) => {
    expect(encodeTarget(raw)).toBe(target);
  });

  it('does not change what the target means', () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        const raw = asReceived(text.replaceAll('%', ''));
        expect(decodePathSegment(encodeTarget(raw))).toBe(decodePathSegment(raw));
      }),
    );
  });
});
