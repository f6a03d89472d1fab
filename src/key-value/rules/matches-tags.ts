import { type TagCondition } from './tag-filter.js';

/**
 * Whether a key-value's tags satisfy every condition (Azure contract 4.3: ordinal, exact, all must hold).
 *
 * @param tags JSON text of an object of name to text or null
 */
export function matchesTags(tags: string, conditions: readonly TagCondition[]): boolean {
  if (conditions.length === 0) return true;
  const present = new Map(Object.entries(JSON.parse(tags) as Record<string, string | null>));
  return conditions.every(({ name, value }) => present.get(name) === value);
}
