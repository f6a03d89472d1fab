import { Injectable } from '@nestjs/common';

/**
 * The highest revision of the store that this process has seen, which every Azure answer carries in its `Sync-Token`. It never runs
 * back. Reads go to the primary, so no caller depends on it; it tells clients how far the store was.
 */
@Injectable()
export class StoreRevision {
  private highest = 0;

  get current(): number {
    return this.highest;
  }

  /** @param revision decimal text as the database gives it */
  observe(revision: string): void {
    const seen = Number(revision);
    if (seen > this.highest) this.highest = seen;
  }
}
