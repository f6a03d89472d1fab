import { hasControlCharacter } from '../../key-value/rules/control-character.js';
import { invalidArgument } from '../../problem/catalogue.js';

/** Azure contract 10.1: characters of a snapshot's name. */
const MAX_NAME_LENGTH = 256;

/**
 * Refuses a name that no snapshot can have.
 *
 * @param parameter how the request spells it: `name` in a path, `snapshot` in a query
 * @throws Problem `invalid-argument` that names the parameter
 */
export function checkSnapshotName(parameter: 'name' | 'snapshot', name: string): string {
  const isTooLong = name.length > MAX_NAME_LENGTH;
  if (name === '' || isTooLong || hasControlCharacter(name) || !name.isWellFormed()) throw invalidArgument(parameter);
  return name;
}
