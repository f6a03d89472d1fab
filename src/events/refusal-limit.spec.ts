import { PER_CALLER, PER_WINDOW, RefusalLimit } from './refusal-limit';

const admitted = (limit: RefusalLimit, count: number, address: (index: number) => string): number =>
  Array.from({ length: count }, (_, index) => limit.admit(address(index), 'key')).filter(Boolean).length;

describe('RefusalLimit', () => {
  it('admits a few of each caller and counts the rest', () => {
    const limit = new RefusalLimit();
    expect(admitted(limit, 1000, () => '10.0.0.1')).toBe(PER_CALLER);
    expect(limit.admit('10.0.0.1', 'other key')).toBe(true);
    expect(limit.admit('10.0.0.2', 'key')).toBe(true);
    const dropped = 1000 - PER_CALLER;
    expect(limit.close()).toEqual({ dropped, callers: [{ address: '10.0.0.1', actor: 'key', dropped }] });
  });

  it('admits a bounded number of all callers together, however many addresses they have', () => {
    const limit = new RefusalLimit();
    expect(admitted(limit, 50_000, (index) => `10.0.${index >> 8}.${index & 255}`)).toBe(PER_WINDOW);
    const summary = limit.close()!;
    expect(summary.dropped).toBe(50_000 - PER_WINDOW);
    expect(summary.callers).toHaveLength(10);
    // Those beyond the number that is told apart are one entry without a name.
    expect(summary.callers[0]).toEqual({ address: '', actor: '', dropped: 49_000 });
  });

  it('begins anew with each window', () => {
    const limit = new RefusalLimit();
    admitted(limit, 100, () => 'a');
    limit.close();
    expect(limit.close()).toBeNull();
    expect(admitted(limit, 100, () => 'a')).toBe(PER_CALLER);
  });

  it('counts what was admitted and then lost', () => {
    const limit = new RefusalLimit();
    limit.admit('a', 'key');
    limit.drop('a', 'key');
    expect(limit.close()).toEqual({ dropped: 1, callers: [{ address: 'a', actor: 'key', dropped: 1 }] });
  });
});
