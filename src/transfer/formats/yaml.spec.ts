import * as fc from 'fast-check';
import { type Tree } from './nested.js';
import { parseYaml, renderYaml } from './yaml.js';

describe('YAML', () => {
  it('keeps the digits of numbers and the words of versions and dates', () => {
    const text = 'a: 1.10\nb: 007\nc: 0x1F\nd: 2024-01-01\ne: 12345678901234567890\nf: yes\ng: 1e3';
    expect(parseYaml(text)).toEqual({
      a: '1.10',
      b: '007',
      c: '0x1F',
      d: '2024-01-01',
      e: '12345678901234567890',
      f: 'yes',
      g: '1e3',
    });
  });

  it('reads blocks, lists, nulls, booleans and numbers as names', () => {
    expect(parseYaml('a:\n  - x\n  - {1: ~}\nb: true\nc: |\n  two\n  lines\nd:\n')).toEqual({
      a: ['x', { '1': null }],
      b: true,
      c: 'two\nlines\n',
      d: null,
    });
  });

  it('follows aliases, but not into a bomb', () => {
    expect(parseYaml('a: &x {b: c}\nd: *x')).toEqual({ a: { b: 'c' }, d: { b: 'c' } });
    const bomb = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]'];
    for (let i = 1; i < 12; i++)
      bomb.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(',')}]`,
      );
    expect(() => parseYaml(bomb.join('\n'))).toThrow('its aliases make too much');
  });

  it.each([
    ['a: [1', /line 1/],
    ['a: 1\na: 2', /unique.*line 2/i],
    ['a: 1\n---\nb: 2', /more than one YAML document/],
    ['? [x]\n: y', /not a plain text/],
    ['a: *nobody', /alias|anchor/i],
    ['__proto__: 1', /__proto__/],
  ])('refuses %j', (text, reason) => {
    expect(() => parseYaml(text)).toThrow(reason);
  });

  it('gives back what it wrote', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('1', 'true', 'null', '~', '', ' a', '- b', '#'),
    );
    const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 3 },
        text,
        fc.constant(null),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(
          text.filter((name) => name !== '__proto__'),
          tie('tree'),
          { maxKeys: 3, noNullPrototype: true },
        ),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        expect(parseYaml(renderYaml(value))).toEqual(value);
      }),
    );
  });
});
