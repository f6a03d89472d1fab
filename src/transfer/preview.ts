import { type KeyValueInput, sameTags } from '../key-value/rules/key-value-input.js';
import { type ImportMode, type Plan } from './plan.js';
import { nameOf, quoted } from './quoted.js';

/** Members as the file and the API call them, and how each is read from either side of a change. */
const MEMBERS: readonly (readonly [name: string, member: 'value' | 'contentType' | 'tags' | 'description'])[] = [
  ['value', 'value'],
  ['content_type', 'contentType'],
  ['tags', 'tags'],
  ['description', 'description'],
];

/** One line for each key-value that an import adds (+), changes (~) or deletes (-), in the order of the store within each. */
export function* previewLines({ adds, changes, deletes }: Plan): Generator<string> {
  const names = [...adds, ...changes, ...deletes].map((item) => nameOf(item).length);
  const width = Math.min(
    60,
    names.reduce((longest, length) => Math.max(longest, length), 0),
  );
  const line = (sign: string, item: { key: string; label: string }, text: string): string =>
    `${sign} ${nameOf(item).padEnd(width)}  ${text}`.trimEnd();
  for (const item of adds) yield line('+', item, addition(item.input));
  for (const item of changes) yield line('~', item, difference(item.before, item.input));
  for (const item of deletes) yield line('-', item, shown('value', item.value));
}

const shown = (member: string, text: string | null): string =>
  text === null ? 'null' : member === 'tags' ? text : quoted(text);

function addition(input: KeyValueInput): string {
  const more = MEMBERS.slice(1)
    .filter(([, member]) => input[member] !== null && input[member] !== '{}')
    .map(([name, member]) => `${name} ${shown(member, input[member])}`);
  return [shown('value', input.value), ...more].join(', ');
}

function difference(before: KeyValueInput, after: KeyValueInput): string {
  return MEMBERS.filter(([, member]) =>
    member === 'tags' ? !sameTags(before.tags, after.tags) : before[member] !== after[member],
  )
    .map(([name, member]) => `${name} ${shown(member, before[member])} -> ${shown(member, after[member])}`)
    .join(', ');
}

/** `3 added, 1 changed, 0 deleted, 995 unchanged`. */
export function summary(plan: Plan, mode: ImportMode, isDryRun: boolean): string {
  const { adds, changes, deletes, same, left } = plan;
  const word = isDryRun ? ['to add', 'to change', 'to delete'] : ['added', 'changed', 'deleted'];
  const parts = [`${adds.length} ${word[0]}`, `${changes.length} ${word[1]}`, `${deletes.length} ${word[2]}`];
  parts.push(`${same} unchanged`);
  if (mode === 'add-only') parts.push(`${left} different and left as stored (add-only)`);
  return parts.join(', ');
}
