interface Entry<V> {
  readonly value: V;
  readonly expiresAt: number;
}

/**
 * A map for what strangers can fill: entries last a fixed time after they were set, and beyond `capacity` the one that was used
 * longest ago goes. Times are of the monotonic clock, for nothing here outlives the process.
 */
export class BoundedMap<V> {
  private readonly entries = new Map<string, Entry<V>>();

  /** @param now milliseconds; only differences count */
  constructor(
    private readonly capacity: number,
    private readonly lifetimeMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get size(): number {
    return this.entries.size;
  }

  get(key: string): V | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    // A Map keeps the order of insertion: put in again, the entry counts as used last.
    this.entries.delete(key);
    if (entry.expiresAt <= this.now()) return undefined;
    this.entries.set(key, entry);
    return entry.value;
  }

  set(key: string, value: V): void {
    this.entries.delete(key);
    this.entries.set(key, { value, expiresAt: this.now() + this.lifetimeMs });
    if (this.entries.size > this.capacity) this.entries.delete(this.entries.keys().next().value!);
  }

  /** Milliseconds that the entry still lasts; 0 when there is none. */
  remainingMs(key: string): number {
    const entry = this.entries.get(key);
    return entry === undefined ? 0 : Math.max(0, entry.expiresAt - this.now());
  }
}
