import fc from 'fast-check';
import { leastTimeMs } from '../../../test/support/least-time.js';
import { Problem } from '../../problem/problem.js';
import { parseTagFilters, type TagCondition } from './tag-filter.js';

const escape = (text: string): string => {
  let escaped = '';
  for (const character of text) escaped += '*,\\='.includes(character) ? `\\${character}` : character;
  return escaped;
};

describe('parseTagFilters', () => {
  it.each<[string[], TagCondition[]]>([
    [[], []],
    [['', ' ', '\t'], []],
    [['env=prod'], [{ name: 'env', value: 'prod' }]],
    [['env=prod', 'a=b'], [{ name: 'env', value: 'prod' }, { name: 'a', value: 'b' }]], // prettier-ignore
    [['', 'env=prod', ' '], [{ name: 'env', value: 'prod' }]],
    [['t1='], [{ name: 't1', value: '' }]],
    [['t1=\0'], [{ name: 't1', value: null }]],
    [['t 1= v '], [{ name: 't 1', value: ' v ' }]],
    [['a\\=b=c\\=d'], [{ name: 'a=b', value: 'c=d' }]],
    [['a\\*=\\*'], [{ name: 'a*', value: '*' }]],
    [['a\\,b=c\\,d'], [{ name: 'a,b', value: 'c,d' }]],
    [['a\\\\=\\\\'], [{ name: 'a\\', value: '\\' }]],
    [['\\a=\\b'], [{ name: 'a', value: 'b' }]],
    [['a=b\\'], [{ name: 'a', value: 'b' }]],
    [['a=\\'], [{ name: 'a', value: '' }]],
    [['🔑=é'], [{ name: '🔑', value: 'é' }]],
    [['a=1', 'b=2', 'c=3', 'd=4', 'e=5', ''], ['a=1', 'b=2', 'c=3', 'd=4', 'e=5'].map((text) => ({ name: text.charAt(0), value: text.charAt(2) }))], // prettier-ignore
  ])('reads %j', (values, conditions) => {
    expect(parseTagFilters(values)).toEqual(conditions);
  });

  it.each([
    [['env']],
    [['a\\=b']],
    [['=prod']],
    [['=']],
    [['\\=prod']],
    [['\0=prod']],
    [['a\0=b']],
    [['a=b=c']],
    [['a==']],
    [['a=\0=']],
    [['a*=b']],
    [['a=*']],
    [['a=b,c']],
    [['a,b=c']],
    [['a=b\0']],
    [['a=\0b']],
    [['a=\0\0']],
    [['a=\\\0']],
    [['\ud800=a']],
    [['a=\udc00']],
    [['good=1', 'bad']],
    [['a=1', 'b=2', 'c=3', 'd=4', 'e=5', 'f=6']],
  ])('refuses %j', (values) => {
    const act = (): unknown => parseTagFilters(values);
    expect(act).toThrow(Problem);
    expect(act).toThrow(
      expect.objectContaining({ kind: 'invalid-argument', status: 400, parameter: 'tags', detail: '' }) as Error,
    );
  });

  it('finds any escaped name and value', () => {
    const text = fc.string({ unit: 'binary' }).map((value) => value.replaceAll('\0', ''));
    fc.assert(
      fc.property(text, text, (name, value) => {
        fc.pre(name !== '');
        expect(parseTagFilters([`${escape(name)}=${escape(value)}`])).toEqual([{ name, value }]);
      }),
    );
  });

  it.each(['\\', '=', 'a', '\\='])('takes linear time for a long run of %j', (unit) => {
    const text = unit.repeat(300_000);
    expect(leastTimeMs(() => expect(() => parseTagFilters([text])).toThrow(Problem), 3)).toBeLessThan(3000);
  });
});
