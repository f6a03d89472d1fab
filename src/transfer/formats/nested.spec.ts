import * as fc from 'fast-check';
import { flatten, nest, type Tree } from './nested.js';

const flat = (tree: Tree, separator = ':'): [string, string | null][] =>
  Array.from(flatten(tree, separator), ({ key, value }) => [key, value] as [string, string | null]);

describe('nested key-values', () => {
  it('joins members by the separator and arrays by index', () => {
    const tree = { app: { name: 'x', on: true, none: null, list: ['a', { b: 'c' }] }, empty: {}, nothing: [] };
    expect(flat(tree, '.')).toEqual([
      ['app.name', 'x'],
      ['app.on', 'true'],
      ['app.none', null],
      ['app.list.0', 'a'],
      ['app.list.1.b', 'c'],
    ]);
  });

  it('makes arrays only of members 0, 1, 2, … without a gap', () => {
    const leaves = ['a:1', 'a:0', 'b:0', 'b:2', 'c:00', 'd:1'].map((key) => ({ key, value: key }));
    expect(nest(leaves, ':')).toEqual({
      a: ['a:0', 'a:1'],
      b: { '0': 'b:0', '2': 'b:2' },
      c: { '00': 'c:00' },
      d: { '1': 'd:1' },
    });
  });

  it.each([[['a', 'a:b']], [['a:b', 'a']], [['a:b:c', 'a']], [['a', 'a:']]])(
    'names the keys of %j, which no nesting can hold',
    (keys) => {
      const leaves = keys.map((key) => ({ key, value: '' }));
      expect(() => nest(leaves, ':')).toThrow(
        `the key "a" is a value and the beginning of "${keys.find((k) => k !== 'a')}"`,
      );
    },
  );

  it('refuses a part that would change the object itself', () => {
    expect(() => nest([{ key: 'a:__proto__:b', value: '' }], ':')).toThrow('a part is __proto__');
  });

  it('gives back every set of keys that can be nested', () => {
    const part = fc.oneof(fc.constantFrom('0', '1', '2', '', 'a', 'constructor'), fc.string({ maxLength: 3 }));
    const leaf = fc.record({
      key: fc
        .array(part, { minLength: 1, maxLength: 4 })
        .map((parts) => parts.map((p) => p.replaceAll(':', '')).join(':')),
      value: fc.option(fc.string()),
    });
    fc.assert(
      fc.property(fc.uniqueArray(leaf, { selector: ({ key }) => key }), (leaves) => {
        const isConflict = leaves.some(({ key }) => leaves.some((other) => other.key.startsWith(`${key}:`)));
        // The empty key alone is not told from its parent; no key-value has it.
        fc.pre(!isConflict && leaves.every(({ key }) => key !== '' && !key.includes('__proto__')));
        const expected = leaves.map(({ key, value }) => [key, value]).sort();
        const tree = JSON.parse(JSON.stringify(nest(leaves, ':'))) as Tree;
        expect(flat(tree).sort()).toEqual(expected);
      }),
    );
  });
});
