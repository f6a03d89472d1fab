import { Injectable } from '@nestjs/common';
import { StoreRevision } from '../database/store-revision.js';
import { type Author, type KeyValue } from '../key-value/key-value.js';
import { type KeyValueName, KeyValueService } from '../key-value/key-value.service.js';
import { Metrics } from '../metrics/metrics.js';
import { type Condition, lockOutcome } from '../precondition/condition.js';
import { notFound, preconditionFailed } from '../problem/catalogue.js';
import { ConfigLockRepository } from './config-lock.repository.js';

/** The read-only flag of key-values: what a locked one refuses is the key-values' own rule. */
@Injectable()
export class ConfigLockService {
  constructor(
    private readonly locks: ConfigLockRepository,
    private readonly keyValues: KeyValueService,
    private readonly storeRevision: StoreRevision,
    private readonly metrics: Metrics,
  ) {}

  /** @returns the key-value with its flag as asked, changed or not */
  async setLocked(name: KeyValueName, locked: boolean, condition: Condition, author: Author): Promise<KeyValue> {
    this.keyValues.checkName(name);
    const { revision, row } = await this.locks.setLocked(name, locked, condition, author);
    if (revision !== null) {
      this.storeRevision.observe(revision);
      this.metrics.keyValueWrites.inc({ operation: locked ? 'lock' : 'unlock' });
    } else {
      const outcome = lockOutcome(condition, row?.etag ?? null);
      if (outcome === 'precondition-failed') throw preconditionFailed();
      if (outcome === 'not-found') throw notFound();
    }
    return row!;
  }
}
