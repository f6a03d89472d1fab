import { inputError } from '../command/command-error.js';
import { Problem } from '../problem/problem.js';
import {
  checkName,
  checkNameBytes,
  itemBytes,
  type KeyValueInput,
  normaliseLabel,
  parseKeyValueBody,
} from '../key-value/rules/key-value-input.js';
import { quoted } from './quoted.js';

/** A row as a file has it, before any rule was applied to it. */
export interface FileRow {
  /** Where it stands, for people: `row 17`, `line 3`, `app.name`. */
  readonly where: string;
  readonly key: unknown;
  readonly label: unknown;
  /** Members as in the body of a put; one that is left out is not said by the file. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** What the file says about one key-value, checked. */
export interface ImportRow {
  readonly where: string;
  readonly key: string;
  /** '' for no label. */
  readonly label: string;
  readonly input: KeyValueInput;
  /** Members the file does not speak of stay as they are stored. */
  readonly keeps: ReadonlySet<KeptMember>;
}

export type KeptMember = 'contentType' | 'tags' | 'description';

export interface Limits {
  readonly maxItemBytes: number;
  readonly maxNameBytes: number;
}

/**
 * Applies the rules of a put to every row.
 *
 * @param file name of the file, for people
 * @throws CommandError for the first row that breaks one; it names file, row and member
 */
export function checkRows(file: string, rows: Iterable<FileRow>, limits: Limits): ImportRow[] {
  const seen = new Map<string, string>();
  const checked: ImportRow[] = [];
  for (const row of rows) {
    const item = checkRow(file, row, limits);
    const name = `${item.key}\0${item.label}`;
    const former = seen.get(name);
    if (former !== undefined) throw badRow(file, row, 'key', `the same key and label as ${former}`);
    seen.set(name, row.where);
    checked.push(item);
  }
  return checked;
}

function checkRow(file: string, row: FileRow, limits: Limits): ImportRow {
  const { where, key, label } = row;
  if (typeof key !== 'string') throw badRow(file, row, 'key', key === undefined ? 'missing' : 'not a text');
  if (label !== undefined && label !== null && typeof label !== 'string')
    throw badRow(file, row, 'label', 'not a text');
  const name = { key, label: normaliseLabel(label ?? undefined) };
  try {
    checkName('key', name.key);
    checkName('label', name.label);
    checkNameBytes(name.key, name.label, limits.maxNameBytes);
    const input = parseKeyValueBody(Buffer.from(JSON.stringify(row.body)), true);
    const bytes = itemBytes(name.key, name.label, input);
    if (bytes > limits.maxItemBytes) throw badRow(file, row, 'value', tooLarge(bytes, limits));
    const { content_type: contentType, tags, description } = row.body;
    const keeps = new Set<KeptMember>();
    if (contentType === undefined) keeps.add('contentType');
    if (tags === undefined) keeps.add('tags');
    if (description === undefined) keeps.add('description');
    return { where, ...name, input, keeps };
  } catch (error) {
    if (error instanceof Problem) throw badRow(file, row, error.parameter ?? 'body', reasonFor(name, error, limits));
    throw error;
  }
}

export const tooLarge = (bytes: number, { maxItemBytes }: Limits): string =>
  `the key-value has ${bytes} bytes, more than the ${maxItemBytes} of MAX_ITEM_BYTES`;

function reasonFor({ key, label }: { key: string; label: string }, problem: Problem, limits: Limits): string {
  const parameter = problem.parameter ?? '';
  if (parameter === 'key' && key === '') return 'empty';
  const bytes = Buffer.byteLength(key) + Buffer.byteLength(label);
  if (parameter === 'key' && bytes > limits.maxNameBytes) {
    return `key and label have ${bytes} bytes, more than the ${limits.maxNameBytes} of MAX_NAME_BYTES`;
  }
  if (parameter === 'tags') return 'not an object of at most 1000 texts';
  if (parameter.endsWith('.key')) return 'a tag name is 1 to 256 characters without control characters';
  if (parameter.endsWith('.value') && parameter !== 'value') {
    return 'a tag value is null or a text of at most 256 characters without control characters';
  }
  if (parameter === 'value' || parameter === 'description') return 'not a well-formed text or null';
  return 'not a well-formed text without control characters';
}

/** `seed.json: row 17 (key "a"), tags: …`. */
export function badRow(
  file: string,
  row: { where: string; key: unknown; label?: unknown },
  member: string,
  reason: string,
): Error {
  const key = typeof row.key === 'string' ? ` (key ${quoted(row.key)})` : '';
  return inputError(`${file}: ${row.where}${key}, ${quoted(member).slice(1, -1)}: ${reason}`);
}
