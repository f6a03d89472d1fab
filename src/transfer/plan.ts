import { CommandError } from '../command/command-error.js';
import { type KeyValue } from '../key-value/key-value.js';
import { itemBytes, type KeyValueInput, sameTags } from '../key-value/rules/key-value-input.js';
import { matchesStringFilter, type StringFilter } from '../key-value/rules/string-filter.js';
import { badRow, type ImportRow, type Limits, tooLarge } from './import-row.js';
import { nameOf } from './quoted.js';

/** `add-only` never touches what exists; `upsert` also changes it; `mirror` also deletes what the file does not have. */
export const IMPORT_MODES = ['add-only', 'upsert', 'mirror'] as const;
export type ImportMode = (typeof IMPORT_MODES)[number];

/** The part of the store that a mirror stands for; nothing outside it is deleted. */
export interface Scope {
  readonly key: StringFilter;
  readonly label: StringFilter;
}

export interface Write {
  readonly key: string;
  readonly label: string;
  readonly input: KeyValueInput;
  /** What it replaces; null for an addition. */
  readonly before: KeyValue | null;
}

/** What an import does, each list in the order of the store. */
export interface Plan {
  readonly adds: readonly Write[];
  readonly changes: readonly (Write & { readonly before: KeyValue })[];
  readonly deletes: readonly KeyValue[];
  /** Number of rows that are stored already as the file has them. */
  readonly same: number;
  /** Number of rows that differ from what is stored, which `add-only` leaves alone. */
  readonly left: number;
}

export const sizeOf = ({ adds, changes, deletes }: Plan): number => adds.length + changes.length + deletes.length;

/** A key and label as one text: U+0000 is in neither. */
export const identityOf = ({ key, label }: { key: string; label: string }): string => `${key}\0${label}`;

export const isInScope = (scope: Scope, { key, label }: { key: string; label: string }): boolean =>
  matchesStringFilter(scope.key, key) && matchesStringFilter(scope.label, label === '' ? null : label);

/**
 * Compares the file with the store.
 *
 * @param rows in the order of the store
 * @param stored by {@link identityOf}, in the order of the store: every key-value that a row names and, for a mirror, all of its scope
 * @throws CommandError when a change meets a read-only key-value, or makes one too large
 */
export function makePlan(
  file: string,
  rows: readonly ImportRow[],
  stored: ReadonlyMap<string, KeyValue>,
  mode: ImportMode,
  limits: Limits,
): Plan {
  const adds: Write[] = [];
  const changes: (Write & { before: KeyValue })[] = [];
  let same = 0;
  let left = 0;
  const named = new Set<string>();
  for (const row of rows) {
    const { key, label } = row;
    named.add(identityOf(row));
    const before = stored.get(identityOf(row));
    if (!before) {
      adds.push({ key, label, input: row.input, before: null });
      continue;
    }
    const input = merged(row, before);
    if (isSame(input, before)) same++;
    else if (mode === 'add-only') left++;
    else {
      const bytes = itemBytes(key, label, input);
      if (bytes > limits.maxItemBytes) throw badRow(file, row, 'value', tooLarge(bytes, limits));
      changes.push({ key, label, input, before });
    }
  }
  const deletes = mode === 'mirror' ? [...stored].filter(([name]) => !named.has(name)).map(([, item]) => item) : [];
  const locked = [...changes.map(({ before }) => before), ...deletes].filter((item) => item.locked);
  if (locked.length > 0) {
    const more = locked.length > 1 ? ` and ${locked.length - 1} more` : '';
    throw new CommandError('locked', `${file}: ${nameOf(locked[0]!)}${more} is read-only (locked): unlock it first`);
  }
  return { adds, changes, deletes, same, left };
}

function merged({ input, keeps }: ImportRow, before: KeyValue): KeyValueInput {
  if (keeps.size === 0) return input;
  return {
    value: input.value,
    contentType: keeps.has('contentType') ? before.contentType : input.contentType,
    tags: keeps.has('tags') ? before.tags : input.tags,
    description: keeps.has('description') ? before.description : input.description,
  };
}

const isSame = (input: KeyValueInput, stored: KeyValue): boolean =>
  input.value === stored.value &&
  input.contentType === stored.contentType &&
  input.description === stored.description &&
  sameTags(input.tags, stored.tags);
