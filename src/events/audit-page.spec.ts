import { boundOf, comparePositions, decodePosition, encodePosition, mergePage, type Position } from './audit-page';

const at = (second: number): string => `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000Z`;
const position = (second: number, source: 'e' | 'r', number: number | string): Position => ({
  at: at(second),
  source,
  number: String(number),
});
const item = (second: number, source: 'e' | 'r', number: number): { position: Position } => ({
  position: position(second, source, number),
});

describe('the order of the audit log', () => {
  it('is newest first, then events before revisions, then by number', () => {
    const sorted = [
      position(2, 'r', 1),
      position(1, 'e', '9223372036854775807'),
      position(1, 'e', 9),
      position(1, 'r', 10),
      position(1, 'r', 9),
    ];
    expect(sorted.toReversed().sort(comparePositions)).toEqual(sorted);
    expect(comparePositions(sorted[0]!, { ...sorted[0]! })).toBe(0);
  });

  it('gives each source a bound that neither skips nor repeats what has the same time', () => {
    expect(boundOf('e', position(1, 'e', 5))).toEqual({ at: at(1), number: '5' });
    expect(boundOf('r', position(1, 'e', 5))).toEqual({ at: at(1), number: '9223372036854775807' });
    expect(boundOf('r', position(1, 'r', 5))).toEqual({ at: at(1), number: '5' });
    expect(boundOf('e', position(1, 'r', 5))).toEqual({ at: at(1), number: '0' });
  });
});

describe('mergePage', () => {
  it('ends when both sources have nothing further', () => {
    const found = [
      { items: [item(3, 'e', 1)], horizon: null },
      { items: [item(4, 'r', 2), item(2, 'r', 1)], horizon: null },
    ];
    const { items, next } = mergePage(found, 3);
    expect(items).toEqual([item(4, 'r', 2), item(3, 'e', 1), item(2, 'r', 1)]);
    expect(next).toBeNull();
  });

  it('goes on behind the last item of a full page', () => {
    const found = [{ items: [item(3, 'e', 3), item(2, 'e', 2), item(1, 'e', 1)], horizon: position(1, 'e', 1) }];
    expect(mergePage(found, 2)).toEqual({ items: [item(3, 'e', 3), item(2, 'e', 2)], next: position(2, 'e', 2) });
  });

  it('shows nothing behind the place where a source stopped looking, and goes on from there', () => {
    const found = [
      { items: [], horizon: position(5, 'e', 9) },
      { items: [item(6, 'r', 2), item(4, 'r', 1)], horizon: null },
    ];
    expect(mergePage(found, 10)).toEqual({ items: [item(6, 'r', 2)], next: position(5, 'e', 9) });
  });
});

describe('the cursor', () => {
  it('comes back as it was', () => {
    for (const each of [position(1, 'e', 5), position(59, 'r', '9223372036854775807')]) {
      expect(decodePosition(encodePosition(each))).toEqual(each);
    }
  });

  it.each([
    '',
    'x',
    '%',
    encodePosition(position(1, 'e', 5)) + '=',
    encodePosition(position(1, 'e', '9223372036854775808')),
    encodePosition(position(1, 'e', '-1')),
    encodePosition({ ...position(1, 'e', 1), at: '2026-02-30T00:00:00.000000Z' }),
    encodePosition({ ...position(1, 'e', 1), at: '0000-01-01T00:00:00.000000Z' }),
    encodePosition({ ...position(1, 'e', 1), at: '2026-01-01T24:00:00.000000Z' }),
    encodePosition({ ...position(1, 'e', 1), source: 'x' as 'e' }),
    'A'.repeat(5000),
  ])('is refused when it is not one of ours: %.40s', (token) => expect(decodePosition(token)).toBeNull());
});
