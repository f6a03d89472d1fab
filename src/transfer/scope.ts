import { inputError } from '../command/command-error.js';
import { Problem } from '../problem/problem.js';
import { parseStringFilter, type StringFilter } from '../key-value/rules/string-filter.js';
import { type Scope } from './plan.js';

/**
 * Filters of key and label as the API reads them, except that `\0`, which nobody can type as a character, stands for "no label".
 *
 * @throws CommandError for a filter that the API would refuse
 */
export function scopeFrom(
  filters: { readonly key?: string | undefined; readonly label?: string | undefined } = {},
): Scope {
  return { key: filterFrom('key', filters.key), label: filterFrom('label', filters.label) };
}

function filterFrom(name: 'key' | 'label', text: string | undefined): StringFilter {
  try {
    return parseStringFilter(name, text?.replace(/(^|,)\\0(?=,|$)/g, '$1\0'));
  } catch (error) {
    if (error instanceof Problem) throw inputError(`the filter of ${error.message || name}`);
    throw error;
  }
}
