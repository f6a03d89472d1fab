import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { StoreRevision } from '../database/store-revision.js';
import { Metrics } from '../metrics/metrics.js';
import { type Condition, writeHolds } from '../precondition/condition.js';
import { keyLocked, payloadTooLarge, preconditionFailed, staleFence } from '../problem/catalogue.js';
import { type Problem } from '../problem/problem.js';
import { type Author, type Fence, type KeyValue } from './key-value.js';
import { type KeyValueFilter, PAGE_SIZE } from './key-value-list.sql.js';
import { KeyValueRepository } from './key-value.repository.js';
import { KeyValueRevisionRepository } from './key-value-revision.repository.js';
import { type KeyValueCursor, type RevisionCursor } from './rules/continuation-token.js';
import { type ItemRange } from './rules/item-range.js';
import { checkName, checkNameBytes, itemBytes, type KeyValueInput } from './rules/key-value-input.js';
import { type StringFilter } from './rules/string-filter.js';
import { matchesTags } from './rules/matches-tags.js';
import { type TagCondition } from './rules/tag-filter.js';

/** What identifies one key-value. */
export interface KeyValueName {
  readonly key: string;
  /** '' for no label. */
  readonly label: string;
}

/** A page of a collection; the collection goes on behind a full one, even if nothing follows (contract section 4.5). */
export interface Page<T> {
  readonly items: readonly T[];
  readonly isFull: boolean;
}

/** The rules of key-values, apart from how any surface spells them. */
@Injectable()
export class KeyValueService implements OnModuleInit {
  constructor(
    private readonly keyValues: KeyValueRepository,
    private readonly revisions: KeyValueRevisionRepository,
    private readonly storeRevision: StoreRevision,
    @Inject(Settings) private readonly settings: Settings,
    private readonly metrics: Metrics,
  ) {}

  async onModuleInit(): Promise<void> {
    this.storeRevision.observe(await this.keyValues.lastRevision());
  }

  /**
   * @param before milliseconds since 1970; the state that only changes before it made. Null = now
   * @returns null when there is none, or its tags are not as asked
   */
  async find(name: KeyValueName, tags: readonly TagCondition[], before: number | null): Promise<KeyValue | null> {
    this.checkName(name);
    const { key, label } = name;
    const found =
      before === null
        ? await this.keyValues.findCurrent(key, label)
        : await this.keyValues.findBefore(key, label, before);
    if (!found) return null;
    this.storeRevision.observe(found.revision);
    return matchesTags(found.tags, tags) ? found : null;
  }

  async list(filter: KeyValueFilter, after: KeyValueCursor | null): Promise<Page<KeyValue>> {
    return toPage(this.observed(await this.keyValues.listPage(filter, after)));
  }

  /** Distinct keys or labels in order; '' stands for no label. */
  async listNames(
    column: 'key' | 'label',
    filter: StringFilter,
    after: string | null,
    before: number | null,
  ): Promise<Page<string>> {
    return toPage(await this.keyValues.listNames(column, filter, after, before));
  }

  async listRevisions(filter: KeyValueFilter, after: RevisionCursor | null): Promise<Page<KeyValue>> {
    return toPage(this.observed(await this.revisions.listPage(filter, after)));
  }

  /** The items of a range, at most a page, and the number of all. */
  async listRevisionRange(filter: KeyValueFilter, range: ItemRange): Promise<{ items: KeyValue[]; total: number }> {
    const { items, total } = await this.revisions.listRange(filter, range);
    return { items: this.observed(items), total };
  }

  /**
   * Creates or replaces a key-value; what the input leaves out becomes empty. A put that alters nothing gives back what is stored.
   * The order of refusals is the contract's: 412 before 409; a fence that is not current comes before either.
   *
   * @param fence null for a write that is bound to no lock
   */
  async put(
    name: KeyValueName,
    input: KeyValueInput & { readonly hasDescription: boolean },
    condition: Condition,
    author: Author,
    fence: Fence | null = null,
  ): Promise<KeyValue> {
    this.checkName(name);
    const { key, label } = name;
    if (itemBytes(key, label, input) > this.settings.maxItemBytes) throw payloadTooLarge();
    const { revision, row, fence: found } = await this.keyValues.put(key, label, input, condition, author, fence);
    if (revision === null) {
      if (found?.holds === false) throw this.staleFence(found.current);
      if (!writeHolds(condition, row?.etag ?? null)) throw preconditionFailed();
      if (row!.locked) throw keyLocked(key);
    } else this.metrics.keyValueWrites.inc({ operation: 'put' });
    this.storeRevision.observe(row!.revision);
    return row!;
  }

  /** @returns the key-value as it was before; null when there was none */
  async remove(
    name: KeyValueName,
    condition: Condition,
    author: Author,
    fence: Fence | null = null,
  ): Promise<KeyValue | null> {
    this.checkName(name);
    const { key, label } = name;
    const { revision, row, fence: found } = await this.keyValues.removeCurrent(key, label, condition, author, fence);
    if (revision !== null) {
      this.storeRevision.observe(revision);
      this.metrics.keyValueWrites.inc({ operation: 'delete' });
    } else {
      if (found?.holds === false) throw this.staleFence(found.current);
      if (!writeHolds(condition, row?.etag ?? null)) throw preconditionFailed();
      if (row?.locked) throw keyLocked(key);
    }
    return row;
  }

  private staleFence(current: string | null): Problem {
    this.metrics.staleFences.inc();
    return staleFence(current);
  }

  /** What a page shows, its answer's `Sync-Token` must not be behind. */
  private observed(items: KeyValue[]): KeyValue[] {
    for (const { revision } of items) this.storeRevision.observe(revision);
    return items;
  }

  /** Refuses a name that no key-value can have: 400 before anything is looked up. */
  checkName({ key, label }: KeyValueName): void {
    checkName('key', key);
    checkName('label', label);
    checkNameBytes(key, label, this.settings.maxNameBytes);
  }
}

export const toPage = <T>(items: readonly T[]): Page<T> => ({ items, isFull: items.length === PAGE_SIZE });
