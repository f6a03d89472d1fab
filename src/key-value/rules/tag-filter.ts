import { invalidArgument } from '../../problem/catalogue.js';

/** A tag that an item must have, with exactly this value; null is the tag's value null, not its absence. */
export interface TagCondition {
  readonly name: string;
  readonly value: string | null;
}

/** Azure contract 4.3: tag filters of one request, blank ones not counted. */
const MAX_TAG_FILTERS = 5;

const NULL_TEXT = '\0';

/**
 * Reads the values of every `tags` parameter (Azure contract 4.3). All conditions must hold together.
 *
 * @throws Problem `invalid-argument` for `tags`, with an empty detail as the real service sends it
 */
export function parseTagFilters(values: readonly string[]): TagCondition[] {
  const conditions: TagCondition[] = [];
  for (const value of values) {
    if (value.trim() === '') continue;
    if (conditions.length === MAX_TAG_FILTERS) throw invalidArgument('tags');
    conditions.push(parseTagFilter(value));
  }
  return conditions;
}

function parseTagFilter(filter: string): TagCondition {
  if (!filter.isWellFormed()) throw invalidArgument('tags');
  let name: string | undefined;
  let nameEnd = -1;
  let current = '';
  for (let i = 0; i < filter.length; i++) {
    let character = filter.charAt(i);
    if (character === '\\') {
      // As in string filters: any character may be escaped, and a lone backslash at the end is dropped.
      character = filter.charAt(++i);
    } else if (character === '=' && name === undefined) {
      name = current;
      nameEnd = i;
      current = '';
      continue;
    } else if (character === '=' || character === '*' || character === ',') {
      throw invalidArgument('tags');
    } else if (character === NULL_TEXT && i === nameEnd + 1 && i === filter.length - 1 && name !== undefined) {
      return condition(name, null);
    }
    if (character === NULL_TEXT) throw invalidArgument('tags');
    current += character;
  }
  return condition(name, current);
}

function condition(name: string | undefined, value: string | null): TagCondition {
  if (name === undefined || name === '') throw invalidArgument('tags');
  return { name, value };
}
