import { type Statement } from '../database/database.js';
import { changeStatement } from '../key-value/key-value.sql.js';

/**
 * Setting and clearing the read-only flag are changes of the key-value like any other: new entity tag, new time, one revision, decided
 * under the row lock. One that is already as asked is left alone (contract section 7).
 */
const flagStatement = (name: string, locked: boolean): Statement =>
  changeStatement({
    name,
    set: `locked = ${locked}`,
    when: `NOT seen.deleted AND seen.locked <> ${locked}`,
  });

export const LOCK = flagStatement('config_lock_set', true);
export const UNLOCK = flagStatement('config_lock_clear', false);
