import { Injectable } from '@nestjs/common';
import { type Author } from '../key-value/key-value.js';
import { type ChangeResult, KeyValueRepository } from '../key-value/key-value.repository.js';
import { type KeyValueName } from '../key-value/key-value.service.js';
import { type Condition } from '../precondition/condition.js';
import { LOCK, UNLOCK } from './config-lock.sql.js';

/**
 * Edge to the read-only flag. It is a column of the key-value and not a table of its own, so that no write can slip past it; hence the
 * statements run through the key-values' own TypeORM repository.
 */
@Injectable()
export class ConfigLockRepository {
  constructor(private readonly keyValues: KeyValueRepository) {}

  setLocked(name: KeyValueName, locked: boolean, condition: Condition, author: Author): Promise<ChangeResult> {
    return this.keyValues.change(locked ? LOCK : UNLOCK, name.key, name.label, condition, author, []);
  }
}
