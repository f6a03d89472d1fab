/** Refusals of one caller that are recorded one by one within a window, and of all callers together, per process. */
export const PER_CALLER = 10;
export const PER_WINDOW = 100;
/** Callers that a window tells apart; those beyond it are counted together. Bounds the memory that a flood of addresses can take. */
const MAX_CALLERS = 1000;
/** Callers that a summary names, the busiest first. */
const MAX_NAMED = 10;

interface Caller {
  readonly address: string;
  readonly actor: string;
  seen: number;
  dropped: number;
}

/** What a window left out. */
export interface DroppedRefusals {
  readonly dropped: number;
  readonly callers: readonly { readonly address: string; readonly actor: string; readonly dropped: number }[];
}

/**
 * Decides which refusals are recorded, so that whoever provokes them cannot fill the log. Counts in windows; whoever owns it closes a
 * window when its time is over.
 */
export class RefusalLimit {
  private readonly callers = new Map<string, Caller>();
  private admitted = 0;
  private dropped = 0;

  admit(address: string, actor: string): boolean {
    const caller = this.callerOf(address, actor);
    if (this.admitted < PER_WINDOW && caller.seen < PER_CALLER) {
      caller.seen++;
      this.admitted++;
      return true;
    }
    this.drop(address, actor);
    return false;
  }

  /** Counts one that was admitted and could not be kept after all. */
  drop(address: string, actor: string): void {
    this.callerOf(address, actor).dropped++;
    this.dropped++;
  }

  /** Begins a new window. Null when the one that ends left nothing out. */
  close(): DroppedRefusals | null {
    const { dropped } = this;
    const callers = [...this.callers.values()]
      .filter((caller) => caller.dropped > 0)
      .sort((a, b) => b.dropped - a.dropped)
      .slice(0, MAX_NAMED)
      .map((caller) => ({ address: caller.address, actor: caller.actor, dropped: caller.dropped }));
    this.callers.clear();
    this.admitted = this.dropped = 0;
    return dropped === 0 ? null : { dropped, callers };
  }

  private callerOf(address: string, actor: string): Caller {
    const isFull = this.callers.size >= MAX_CALLERS;
    const key = `${address}\n${actor}`;
    const known = this.callers.get(key);
    if (known) return known;
    if (isFull) return this.others();
    const caller = { address, actor, seen: 0, dropped: 0 };
    this.callers.set(key, caller);
    return caller;
  }

  private others(): Caller {
    const known = this.callers.get('');
    if (known) return known;
    const others = { address: '', actor: '', seen: 0, dropped: 0 };
    this.callers.set('', others);
    return others;
  }
}
