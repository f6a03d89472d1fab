/** A source of numbers that a seed repeats: whatever a plan draws from it comes again with the same seed. */
export class Random {
  private state: number;

  /** @param name parts of a run draw from streams of their own, so that one does not shift the other's numbers */
  constructor(
    private readonly seed: number,
    name = '',
  ) {
    let hash = 2166136261 ^ seed;
    for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619);
    this.state = hash >>> 0;
  }

  fork(name: string | number): Random {
    return new Random(this.seed, `${this.state}/${name}`);
  }

  /** From 0 up to, but without, 1 (the generator known as mulberry32). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  /** A whole number from 0 up to, but without, the limit. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  between(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}
