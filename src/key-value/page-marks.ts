import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { BoundedMap } from '../memory/bounded-map.js';
import { type PageMark } from './rules/page-etag.js';
import { StoreEpoch } from './store-epoch.js';

/** Pages whose marks are kept, some hundred bytes each, and for how long in milliseconds. */
const MAX_PAGES = 5_000;
const LIFETIME_MS = 10 * 60_000;
/** Characters of a name that is kept as it is; of a longer one a digest is. */
const MAX_NAME_LENGTH = 100;

interface Remembered {
  readonly mark: PageMark;
  /** State of the store in which it was looked for: the mark holds for as long as that state lasts. */
  readonly epoch: number;
}

/** A look at what is remembered, and what it takes to remember the page if it was not. */
export interface Lookup {
  readonly mark: PageMark | undefined;
  readonly name: string;
  readonly epoch: number;
}

/**
 * What identifies pages that clients ask for again and again, to see whether anything has changed: while nothing in the store has,
 * the page need not be read to say so.
 */
@Injectable()
export class PageMarks {
  private readonly remembered = new BoundedMap<Remembered>(MAX_PAGES, LIFETIME_MS);

  constructor(private readonly epoch: StoreEpoch) {}

  /** @param request all that the page depends on, as values of JSON */
  async find(request: readonly unknown[]): Promise<Lookup> {
    const epoch = await this.epoch.current();
    const text = JSON.stringify(request);
    const name = text.length <= MAX_NAME_LENGTH ? text : hash('sha256', text, 'base64url');
    const found = this.remembered.get(name);
    return { mark: found?.epoch === epoch ? found.mark : undefined, name, epoch };
  }

  /**
   * Keeps the mark of the page as it was read after the lookup. Should the store have changed in between, its state is no longer that of
   * the lookup, and the mark is never used.
   */
  remember({ name, epoch }: Lookup, mark: PageMark): void {
    this.remembered.set(name, { mark, epoch });
  }
}
