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
 * @param parameter where the values stand in the request, for the problem
 * @throws Problem `invalid-argument` for the parameter, with an empty detail as the real service sends it
 */
export function parseTagFilters(values: readonly string[], parameter = 'tags'): TagCondition[] {
  const conditions: TagCondition[] = [];
  for (const value of values) {
    if (value.trim() === '') continue;
    if (conditions.length === MAX_TAG_FILTERS) throw invalidArgument(parameter);
    conditions.push(parseTagFilter(value, parameter));
  }
  return conditions;
}

function parseTagFilter(filter: string, parameter: string): TagCondition {
  if (!filter.isWellFormed()) throw invalidArgument(parameter);
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
      throw invalidArgument(parameter);
    } else if (character === NULL_TEXT && i === nameEnd + 1 && i === filter.length - 1 && name !== undefined) {
      return condition(name, null, parameter);
    }
    if (character === NULL_TEXT) throw invalidArgument(parameter);
    current += character;
  }
  return condition(name, current, parameter);
}

function condition(name: string | undefined, value: string | null, parameter: string): TagCondition {
  if (name === undefined || name === '') throw invalidArgument(parameter);
  return { name, value };
}
