import { HashingQueue } from './hashing-queue.js';

/** Work that ends when the test says so, and the order in which it began. */
class Works {
  readonly begun: string[] = [];
  readonly ended: string[] = [];
  readonly refused: string[] = [];
  private readonly ends: (() => void)[] = [];
  readonly queue = new HashingQueue();

  add(name: string, address: string, isSuspect = false): void {
    const work = (): Promise<void> => {
      this.begun.push(name);
      return new Promise((resolve) => this.ends.push(resolve));
    };
    this.queue.run(work, address, isSuspect).then(
      () => this.ended.push(name),
      () => this.refused.push(name),
    );
  }

  /** Ends so many works, one after the other, each time the one that began first of those still running. */
  async end(count = 1): Promise<void> {
    for (let ended = 0; ended < count; ended++) {
      this.ends.shift()!();
      await settle();
    }
  }
}

/** Lets every promise that can go on go on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

describe('HashingQueue', () => {
  it('runs three at once, the others in order', async () => {
    const works = new Works();
    for (const index of range(6)) works.add(`w${index}`, `a${index}`);
    await settle();
    expect(works.begun).toEqual(['w0', 'w1', 'w2']);
    await works.end();
    expect(works.begun).toEqual(['w0', 'w1', 'w2', 'w3']);
    await works.end(5);
    expect(works.ended).toHaveLength(6);
  });

  it('refuses with 503 what finds its lane full, and has room again afterwards', async () => {
    const works = new Works();
    for (const index of range(3 + 32)) works.add(`w${index}`, `a${index}`);
    const refusal = works.queue.run(async () => undefined, 'late', false);
    await expect(refusal).rejects.toMatchObject({ kind: 'unavailable', status: 503 });
    await settle();
    await works.end();
    works.add('again', 'late');
    await settle();
    expect(works.refused).toEqual([]);
  });

  it('keeps the first lane free of suspects', async () => {
    const works = new Works();
    for (const index of range(3 + 16)) works.add(`bad${index}`, 'bad', true);
    works.add('bad-late', 'bad', true);
    works.add('good', 'good');
    await settle();
    expect(works.refused).toEqual(['bad-late']);
    await works.end();
    expect(works.begun.at(-1)).toBe('good');
  });

  it('treats one address with many passwords at once as a suspect', async () => {
    const works = new Works();
    for (const index of range(200)) works.add(`bad${index}`, 'bad');
    works.add('good', 'good');
    await settle();
    // Three run, five wait in the first lane, 16 in the second.
    expect(works.refused).toHaveLength(176);
    await works.end(9);
    expect(works.begun).toContain('good');
  });

  it('lets suspects pass in the end though others keep coming', async () => {
    const works = new Works();
    for (const index of range(3)) works.add(`w${index}`, `a${index}`);
    works.add('suspect', 'bad', true);
    for (const index of range(20)) works.add(`later${index}`, `b${index}`);
    await settle();
    await works.end(4);
    expect(works.begun).toContain('suspect');
  });

  it('goes on after work that failed', async () => {
    const queue = new HashingQueue();
    const failing = range(5).map((index) => queue.run(() => Promise.reject(new Error('x')), `a${index}`, false));
    expect(await Promise.allSettled(failing)).toHaveLength(5);
    expect(await queue.run(async () => 'fine', 'a', false)).toBe('fine');
  });
});
