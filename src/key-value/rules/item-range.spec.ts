import { type ItemRange, parseItemRange } from './item-range.js';

describe('parseItemRange', () => {
  it.each<[string, ItemRange]>([
    ['items=0-2', { first: 0, last: 2 }],
    ['items=5-5', { first: 5, last: 5 }],
    ['items=5-', { first: 5, last: null }],
    ['ITEMS=0-2', { first: 0, last: 2 }],
    [' items=0-2 ', { first: 0, last: 2 }],
    ['items=007-010', { first: 7, last: 10 }],
    ['items=0-2147483648', { first: 0, last: 2_147_483_648 }],
  ])('reads %j', (header, range) => {
    expect(parseItemRange(header)).toEqual(range);
  });

  it.each([
    undefined,
    '',
    'items',
    'items=',
    'items=-',
    'items=3',
    'items=-3',
    'items=2-1',
    'items=0-2,4-5',
    'items=0-2,',
    'items=0-2-3',
    'items=0--2',
    'items= 0-2',
    'items =0-2',
    'items=0 -2',
    'items=a-b',
    'items=1.5-2',
    'items=1e1-20',
    'items=+1-2',
    'items=0-2147483649',
    'items=2147483649-',
    'items=0-99999999999999999999',
    'items=٠-٢',
    'bytes=0-2',
    'xitems=0-2',
    `items=0-${'9'.repeat(100_000)}`,
  ])('ignores %j', (header) => {
    expect(parseItemRange(header)).toBeNull();
  });
});
