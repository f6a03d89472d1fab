import { Injectable } from '@nestjs/common';
import { StoreRevision } from '../database/store-revision.js';
import { type Author, type KeyValue } from '../key-value/key-value.js';
import { type Page, toPage } from '../key-value/key-value.service.js';
import { type Condition, patchOutcome } from '../precondition/condition.js';
import { alreadyExists, invalidState, notFound, preconditionFailed } from '../problem/catalogue.js';
import { type Snapshot, type SnapshotInput, type SnapshotListFilter } from './snapshot.js';
import { SnapshotRepository } from './snapshot.repository.js';

/** The rules of snapshots, apart from how any surface spells them. */
@Injectable()
export class SnapshotService {
  constructor(
    private readonly snapshots: SnapshotRepository,
    private readonly storeRevision: StoreRevision,
  ) {}

  /** Keeps the key-values that the filters select now. What is too large is made too, as a snapshot that failed. */
  async create(name: string, input: SnapshotInput, author: Author): Promise<Snapshot> {
    const made = await this.snapshots.createNamed(name, input, author);
    if (!made) throw alreadyExists();
    return made;
  }

  async find(name: string): Promise<Snapshot | null> {
    return this.snapshots.findNamed(name);
  }

  /** @param after name behind which the page begins */
  async list(filter: SnapshotListFilter, after: string | null): Promise<Page<Snapshot>> {
    return toPage(await this.snapshots.listPage(filter, after));
  }

  /** A snapshot that is missing, failed or expired has no items. @param offset number of items before the page */
  async listItems(name: string, offset: number): Promise<Page<KeyValue>> {
    const items = await this.snapshots.listItems(name, offset);
    for (const { revision } of items) this.storeRevision.observe(revision);
    return toPage(items);
  }

  /**
   * Archives, or recovers what is archived; what is in the wanted state already stays as it is. The order of refusals is the
   * contract's: 404, 412, 409.
   */
  async changeStatus(
    name: string,
    status: 'ready' | 'archived',
    condition: Condition,
    author: Author,
  ): Promise<Snapshot> {
    const { isChanged, snapshot } = await this.snapshots.changeStatus(name, status, condition, author);
    if (isChanged) return snapshot!;
    const outcome = patchOutcome(condition, snapshot?.etag ?? null);
    if (outcome === 'not-found') throw notFound();
    if (outcome === 'precondition-failed') throw preconditionFailed();
    if (snapshot!.status === 'failed') throw invalidState();
    return snapshot!;
  }
}
