import { BoundedMap } from './bounded-map.js';

describe('BoundedMap', () => {
  let now = 0;
  beforeEach(() => (now = 1000));
  const map = (): BoundedMap<number> => new BoundedMap(2, 60, () => now);

  it('forgets an entry when its time is over, however often it was used', () => {
    const entries = map();
    entries.set('a', 1);
    now += 59;
    expect(entries.get('a')).toBe(1);
    expect(entries.remainingMs('a')).toBe(1);
    now += 1;
    expect(entries.get('a')).toBeUndefined();
    expect(entries.size).toBe(0);
    expect(entries.remainingMs('a')).toBe(0);
  });

  it('gives an entry that is set again its full time', () => {
    const entries = map();
    entries.set('a', 1);
    now += 59;
    entries.set('a', 2);
    now += 59;
    expect(entries.get('a')).toBe(2);
  });

  it('drops what was used longest ago beyond its capacity', () => {
    const entries = map();
    entries.set('a', 1);
    entries.set('b', 2);
    entries.get('a');
    entries.set('c', 3);
    expect(['a', 'b', 'c'].map((key) => entries.get(key))).toEqual([1, undefined, 3]);
    expect(entries.size).toBe(2);
  });
});
