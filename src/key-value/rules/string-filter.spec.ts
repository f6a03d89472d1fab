import fc from 'fast-check';
import { leastTimeMs } from '../../../test/support/least-time.js';
import { Problem } from '../../problem/problem.js';
import { matchesStringFilter, parseStringFilter, prefixUpperBound, type StringFilter } from './string-filter.js';

const refusal = (act: () => unknown): Problem => {
  try {
    act();
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('nothing was refused');
};

const any: StringFilter = { kind: 'any' };
const exact = (value: string): StringFilter => ({ kind: 'exact', value });
const prefix = (value: string): StringFilter => ({ kind: 'prefix', value });
const oneOf = (values: string[], includesNull = false): StringFilter => ({ kind: 'oneOf', values, includesNull });

/** The byte order of UTF-8, which is the database's. */
const compareBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const wellFormed = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', 'x'));
const escape = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll(',', '\\,').replaceAll('*', '\\*');

describe('parseStringFilter', () => {
  it.each<[string | undefined, StringFilter]>([
    [undefined, any],
    ['', any],
    ['*', any],
    ['\0', { kind: 'null' }],
    ['abc', exact('abc')],
    ['%_', exact('%_')],
    ['a b', exact('a b')],
    ['\u0001', exact('\u0001')],
    ['🔑', exact('🔑')],
    ['abc*', prefix('abc')],
    ['%*', prefix('%')],
    ['🔑*', prefix('🔑')],
    ['\\*', exact('*')],
    ['\\*abc', exact('*abc')],
    ['a\\*b', exact('a*b')],
    ['abc\\*', exact('abc*')],
    ['abc\\**', prefix('abc*')],
    ['\\\\*', prefix('\\')],
    ['\\\\\\*', exact('\\*')],
    ['a\\,b', exact('a,b')],
    ['a\\\\b', exact('a\\b')],
    ['a\\bc', exact('abc')],
    ['\\🔑', exact('🔑')],
    ['a\\', exact('a')],
    ['a\\\\', exact('a\\')],
    ['test_label2_\\*\\, \\\\1d7b', exact('test_label2_*, \\1d7b')],
    ['a,b', oneOf(['a', 'b'])],
    ['a,b,c,d,e', oneOf(['a', 'b', 'c', 'd', 'e'])],
    ['a\\,b,c', oneOf(['a,b', 'c'])],
    ['a,b\\*', oneOf(['a', 'b*'])],
    ['a,b\\', oneOf(['a', 'b'])],
    ['a, b', oneOf(['a', ' b'])],
    ['\0,prod', oneOf(['prod'], true)],
    ['prod,\0', oneOf(['prod'], true)],
    ['a,\0,b', oneOf(['a', 'b'], true)],
    ['\0,\0', oneOf([], true)],
  ])('reads %j', (value, filter) => {
    expect(parseStringFilter('key', value)).toEqual(filter);
  });

  it.each([',', ',,,,', '\\', '\\,\\'])('lets nothing through %j that is no filter for everything', (value) => {
    const filter = parseStringFilter('label', value);
    expect(filter.kind).not.toBe('any');
    expect(matchesStringFilter(filter, '')).toBe(false);
    expect(matchesStringFilter(filter, null)).toBe(false);
    expect(matchesStringFilter(filter, 'a')).toBe(false);
  });

  it('drops empty alternatives, which match nothing', () => {
    expect(parseStringFilter('key', 'a,')).toEqual(oneOf(['a']));
    expect(parseStringFilter('key', ',a')).toEqual(oneOf(['a']));
  });

  it.each(['*abc', '*abc*', '**', '*a*,\0', '*,b'])('refuses %j: nothing is found by its end or middle', (value) => {
    expect(refusal(() => parseStringFilter('label', value))).toMatchObject({
      parameter: 'label',
      detail: 'label(0): Suffix and Full Text search is not supported',
    });
  });

  it.each([
    ['abc*d', 3],
    ['a**', 1],
    ['a*b*', 1],
    ['a,b*', 3],
    ['a,*', 2],
    ['a*,b', 1],
    ['a\\*b*c', 4],
    ['a\\,b*c', 4],
    ['🔑*a', 2],
  ])('refuses %j at position %i', (value, position) => {
    expect(refusal(() => parseStringFilter('key', value))).toMatchObject({
      kind: 'invalid-argument',
      status: 400,
      title: "Invalid request parameter 'key'",
      parameter: 'key',
      detail: `key(${position}): Invalid character`,
    });
  });

  it.each([
    ['a\0', 1],
    ['\0a', 0],
    ['\0*', 0],
    ['a,\0b', 2],
    ['a,b\0', 3],
    ['\0\0', 0],
    ['\\\0', 1],
    ['a,\\\0', 3],
    ['\ud800', 0],
    ['a\udc00', 1],
    ['a*\ud800', 1],
    ['\ud800*', 0],
    ['a,\ud83d', 2],
    ['🔑\ud800b', 2],
    ['\\\ud800', 1],
    ['\ud83d\\\udd11', 0],
    ['a\\\udd11', 2],
  ])('refuses U+0000 and lone surrogates in %j at position %i', (value, position) => {
    expect(refusal(() => parseStringFilter('name', value)).detail).toBe(`name(${position}): Invalid character`);
  });

  it.each(['a,b,c,d,e,f', ',,,,,', 'a,b,c,d,e,f*', 'a,b,c,d,e,\0x'])('refuses %j as too many values', (value) => {
    expect(refusal(() => parseStringFilter('label', value))).toMatchObject({
      parameter: 'label',
      detail: 'label(0): Too many values. Maximum supported is 5',
    });
  });

  it('reports an earlier bad character before the sixth value', () => {
    expect(refusal(() => parseStringFilter('key', 'a,b*,c,d,e,f')).detail).toBe('key(3): Invalid character');
  });

  it('matches exactly the escaped text, whatever it is', () => {
    fc.assert(
      fc.property(wellFormed, wellFormed, (text, other) => {
        fc.pre(text !== '');
        const filter = parseStringFilter('key', escape(text));
        expect(filter).toEqual(exact(text));
        expect(matchesStringFilter(filter, text)).toBe(true);
        expect(matchesStringFilter(filter, other)).toBe(other === text);
        expect(parseStringFilter('key', `${escape(text)}*`)).toEqual(prefix(text));
      }),
    );
  });

  it('matches a list exactly when one alternative does', () => {
    const alternatives = fc.array(
      wellFormed.filter((text) => text !== ''),
      { minLength: 2, maxLength: 5 },
    );
    fc.assert(
      fc.property(alternatives, wellFormed, (texts, other) => {
        const filter = parseStringFilter('key', texts.map(escape).join(','));
        for (const text of texts) expect(matchesStringFilter(filter, text)).toBe(true);
        expect(matchesStringFilter(filter, other)).toBe(texts.includes(other));
      }),
    );
  });

  it('reads or refuses any text', () => {
    const character = fc.constantFrom('a', '*', ',', '\\', '\0', '\ud800', '\udc00', '🔑');
    fc.assert(
      fc.property(fc.array(character), (characters) => {
        const value = characters.join('');
        try {
          const filter = parseStringFilter('key', value);
          if (filter.kind === 'exact' || filter.kind === 'prefix') expect(filter.value.isWellFormed()).toBe(true);
          if (filter.kind === 'oneOf')
            expect(filter.values.every((text) => text.isWellFormed() && text !== '')).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(Problem);
        }
      }),
    );
  });

  it.each(['\\', '\\*', 'a', '🔑'])('takes linear time for a long run of %j', (unit) => {
    const text = unit.repeat(300_000);
    expect(leastTimeMs(() => parseStringFilter('key', text), 3)).toBeLessThan(3000);
  });
});

describe('matchesStringFilter', () => {
  it.each<[StringFilter, string | null, boolean]>([
    [any, null, true],
    [any, 'a', true],
    [{ kind: 'null' }, null, true],
    [{ kind: 'null' }, 'a', false],
    [exact('a'), 'a', true],
    [exact('a'), 'A', false],
    [exact('a'), null, false],
    [prefix('a'), 'a', true],
    [prefix('a'), 'ab', true],
    [prefix('a'), 'Ab', false],
    [prefix('a'), null, false],
    [oneOf(['a', 'b']), 'b', true],
    [oneOf(['a', 'b']), null, false],
    [oneOf(['a'], true), null, true],
    [oneOf(['a'], true), 'b', false],
  ])('%j on %j is %j', (filter, value, isMatch) => {
    expect(matchesStringFilter(filter, value)).toBe(isMatch);
  });
});

describe('prefixUpperBound', () => {
  it.each([
    ['', null],
    ['a', 'b'],
    ['ab', 'ac'],
    ['a\u007f', 'a\u0080'],
    ['\u07ff', '\u0800'],
    ['\ud7ff', '\ue000'],
    ['\uffff', '\u{10000}'],
    ['🔑', '🔒'],
    ['\u{10ffff}', null],
    ['a\u{10ffff}', 'b'],
    ['\ud7ff\u{10ffff}\u{10ffff}', '\ue000'],
    ['\u{103ff}', '\u{10400}'],
  ])('of %j is %j', (text, bound) => {
    expect(prefixUpperBound(text)).toBe(bound);
  });

  it('separates the strings that have the prefix from those above', () => {
    fc.assert(
      fc.property(wellFormed, wellFormed, wellFormed, (text, rest, other) => {
        const bound = prefixUpperBound(text);
        const isInRange = (value: string): boolean =>
          compareBytes(value, text) >= 0 && (bound === null || compareBytes(value, bound) < 0);
        expect(isInRange(text + rest)).toBe(true);
        expect(isInRange(other)).toBe(other.startsWith(text));
      }),
    );
  });
});
