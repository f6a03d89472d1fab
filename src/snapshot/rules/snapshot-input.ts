import { hasControlCharacter } from '../../key-value/rules/control-character.js';
import {
  isObject,
  type JsonObject,
  parseObject,
  tagsMember,
  textMember,
} from '../../key-value/rules/key-value-input.js';
import { parseStringFilter, type StringFilter } from '../../key-value/rules/string-filter.js';
import { parseTagFilters, type TagCondition } from '../../key-value/rules/tag-filter.js';
import { invalidArgument } from '../../problem/catalogue.js';
import { type CompositionType, type SnapshotFilter, type SnapshotFilterText, type SnapshotInput } from '../snapshot.js';

/** Azure contract 10.2. */
const MAX_FILTERS = 3;

/** Azure contract section 3: characters of the key and of the label of a filter. */
const MAX_FILTER_LENGTH = 256;

/** Azure contract 10.2, the Standard tier: an hour, 30 days, 90 days; in seconds. */
const MIN_RETENTION = 3600;
const DEFAULT_RETENTION = 2_592_000;
const MAX_RETENTION = 7_776_000;

const NULL_TEXT = '\0';

/** What the request's version knows of a snapshot. */
export interface SnapshotAbilities {
  /** `tags` in filters, from 2023-11-01. */
  readonly tagFilters: boolean;
  /** From 2026-04-01. */
  readonly description: boolean;
}

/**
 * Reads the body of `PUT /snapshots/{name}` (Azure contract 10.2). Members of other names are ignored, because SDKs send the whole
 * snapshot back.
 *
 * @throws Problem `invalid-argument` that names the member, or `body` when there is no JSON object at all
 */
export function parseSnapshotBody(body: Buffer, abilities: SnapshotAbilities): SnapshotInput {
  // Numbers as text: where a name is expected they stand for their JSON text, as in a key-value.
  const json = parseObject(body, 'text');
  const filterTexts = filterMembers(json['filters'], abilities.tagFilters);
  const filters = filterTexts.map(parseFilter);
  const compositionType = compositionMember(json['composition_type']);
  if (compositionType === 'key') filters.forEach(({ label }) => checkSingleLabel(label));
  return {
    filters,
    filterTexts,
    compositionType,
    retentionInSeconds: retentionMember(json['retention_period']),
    tags: tagsMember(json['tags']),
    description: abilities.description ? textMember('description', json['description']) : null,
  };
}

/**
 * Reads the body of `PATCH /snapshots/{name}` (Azure contract 10.3).
 *
 * @throws Problem `invalid-argument` for `status`, or `body` when there is no JSON object at all
 */
export function parseStatusBody(body: Buffer): 'ready' | 'archived' {
  const { status } = parseObject(body, 'text');
  if (status !== 'ready' && status !== 'archived') throw invalidArgument('status');
  return status;
}

function filterMembers(json: unknown, hasTagFilters: boolean): SnapshotFilterText[] {
  if (!Array.isArray(json) || json.length === 0 || json.length > MAX_FILTERS) throw invalidArgument('filters');
  return json.map((filter: unknown, index) => {
    if (!isObject(filter)) throw invalidArgument('filters');
    return filterMember(filter, `filters[${index}]`, hasTagFilters);
  });
}

function filterMember(json: JsonObject, parameter: string, hasTagFilters: boolean): SnapshotFilterText {
  const key = filterText(`${parameter}.key`, json['key']);
  if (key === null || key === '' || hasControlCharacter(key)) throw invalidArgument(`${parameter}.key`);
  const label = filterText(`${parameter}.label`, json['label']);
  // U+0000 is how a filter spells "no label".
  if (label !== null && hasControlCharacter(label.replaceAll(NULL_TEXT, ''))) {
    throw invalidArgument(`${parameter}.label`);
  }
  const tags = hasTagFilters ? tagMembers(`${parameter}.tags`, json['tags']).map(tagText) : [];
  return { key, label: label === '' ? null : label, tags };
}

function filterText(parameter: string, json: unknown): string | null {
  const text = textMember(parameter, json);
  if (text !== null && text.length > MAX_FILTER_LENGTH) throw invalidArgument(parameter);
  return text;
}

function tagMembers(parameter: string, json: unknown): TagCondition[] {
  if (json === undefined || json === null) return [];
  if (!Array.isArray(json) || !json.every((tag) => typeof tag === 'string')) throw invalidArgument(parameter);
  return parseTagFilters(json, parameter);
}

/** A condition as a filter spells it, escaped (Azure contract 4.3, 10.1). */
const tagText = ({ name, value }: TagCondition): string =>
  `${escaped(name)}=${value === null ? NULL_TEXT : escaped(value)}`;
const escaped = (text: string): string => text.replaceAll(/[\\*,=]/g, '\\$&');

function parseFilter({ key, label, tags }: SnapshotFilterText, index: number): SnapshotFilter {
  return {
    key: parseStringFilter(`filters[${index}].key`, key),
    label: parseStringFilter(`filters[${index}].label`, label ?? NULL_TEXT),
    tags: parseTagFilters(tags),
  };
}

/** One item of each key means that no filter may find a key twice (Azure contract 10.2; wire-stable text). */
function checkSingleLabel(label: StringFilter): void {
  if (label.kind === 'null' || label.kind === 'exact') return;
  throw invalidArgument('label', 'label(0): Unexpected label which could match multiple values for a key');
}

function compositionMember(json: unknown): CompositionType {
  if (json === undefined || json === null) return 'key';
  if (json !== 'key' && json !== 'key_label') throw invalidArgument('composition_type');
  return json;
}

function retentionMember(json: unknown): number {
  if (json === undefined || json === null) return DEFAULT_RETENTION;
  const seconds = typeof json === 'string' && /^\d{1,10}$/.test(json) ? Number(json) : -1;
  if (seconds < MIN_RETENTION || seconds > MAX_RETENTION) throw invalidArgument('retention_period');
  return seconds;
}
