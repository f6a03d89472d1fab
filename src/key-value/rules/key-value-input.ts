import { JsonTextError, parseJsonText } from '../../http/json-text.js';
import { invalidArgument } from '../../problem/catalogue.js';
import { hasControlCharacter } from './control-character.js';

/** What a put stores, validated. */
export interface KeyValueInput {
  /** Any well-formed text, U+0000 included. */
  readonly value: string | null;
  readonly contentType: string | null;
  /** Canonical JSON text of an object of string or null members; see {@link canonicalTags}. */
  readonly tags: string;
  readonly description: string | null;
}

/** Names and values of a key-value's tags. */
export type Tags = Readonly<Record<string, string | null>>;

/** Azure contract section 3: characters of a tag's name and of its value. */
const MAX_TAG_LENGTH = 256;

/** Far beyond what fits into an item, and few enough that comparing them is cheap. */
const MAX_TAGS = 1000;

const NO_TAGS = '{}';

/**
 * Reads the body of `PUT /kv/{key}` (Azure contract 2.9). Members of other names are ignored, because SDKs send the whole setting
 * back.
 *
 * @param acceptsDescription whether the request's version knows `description` (2026-04-01)
 * @throws Problem `invalid-argument` that names the member, or `body` when there is no JSON object at all
 */
export function parseKeyValueBody(body: Buffer, acceptsDescription: boolean): KeyValueInput {
  let json = parseObject(body, 'number');
  // Numbers stand for their JSON text, of which JavaScript's numbers lose digits.
  if (hasNumber(json)) json = parseObject(body, 'text');
  return {
    value: textMember('value', json['value']),
    contentType: nameMember('content_type', json['content_type']),
    tags: tagsMember(json['tags']),
    description: acceptsDescription ? textMember('description', json['description']) : null,
  };
}

/** Decoded size of an item in bytes of UTF-8, which the contract's 10 KB limit is applied to (Azure contract section 3). */
export function itemBytes(key: string, label: string, input: KeyValueInput): number {
  let bytes = Buffer.byteLength(key) + Buffer.byteLength(label);
  bytes += byteLength(input.value) + byteLength(input.contentType) + byteLength(input.description);
  if (input.tags !== NO_TAGS) {
    for (const [name, value] of Object.entries(parseTags(input.tags))) bytes += byteLength(name) + byteLength(value);
  }
  return bytes;
}

/**
 * Refuses a key or label that no item can have (Azure contract section 3).
 *
 * @throws Problem `invalid-argument` that names the parameter
 */
export function checkName(parameter: 'key' | 'label', text: string): void {
  const isMissing = parameter === 'key' && text === '';
  // PostgreSQL would turn different lone surrogates into the same replacement character.
  if (isMissing || hasControlCharacter(text) || !text.isWellFormed()) throw invalidArgument(parameter);
}

/**
 * Refuses a key and label that together have more bytes than an index row takes.
 *
 * @throws Problem `invalid-argument` for `key`
 */
export function checkNameBytes(key: string, label: string, maxBytes: number): void {
  // No character has more than three bytes per UTF-16 unit, which settles nearly every request without counting.
  if ((key.length + label.length) * 3 <= maxBytes) return;
  if (Buffer.byteLength(key) + Buffer.byteLength(label) > maxBytes) throw invalidArgument('key');
}

/** Absent, empty and exactly U+0000 all mean "no label" (Azure contract section 3), which is the empty string inside. */
export const normaliseLabel = (raw: string | undefined): string => (raw === undefined || raw === '\0' ? '' : raw);

/** The JSON text in which tags are stored: one object, members in the order in which JavaScript lists them, no white space. */
export const canonicalTags = (tags: Tags): string => JSON.stringify(tags);

/** Whether two canonical texts hold the same pairs, in whatever order; a put of the same tags is no change (Azure contract 2.9). */
export function sameTags(a: string, b: string): boolean {
  if (a === b) return true;
  const left = Object.entries(parseTags(a));
  const right = parseTags(b);
  return left.length === Object.keys(right).length && left.every(([name, value]) => right[name] === value);
}

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Reads a body that must be a JSON object.
 *
 * @throws Problem `invalid-argument` for `body`
 */
export function parseObject(body: Buffer, numbers: 'number' | 'text'): JsonObject {
  if (body.length === 0) throw invalidArgument('body');
  let json: unknown;
  try {
    json = parseJsonText(body, numbers);
  } catch (error) {
    if (error instanceof JsonTextError) throw invalidArgument('body');
    throw error;
  }
  if (!isObject(json)) throw invalidArgument('body');
  return json;
}

function hasNumber(json: JsonObject): boolean {
  const { tags } = json;
  return (
    typeof json['value'] === 'number' ||
    typeof json['content_type'] === 'number' ||
    typeof json['description'] === 'number' ||
    (isObject(tags) && Object.values(tags).some((value) => typeof value === 'number'))
  );
}

/** A member that holds text or null; what else can be written as text is. */
export function textMember(parameter: string, json: unknown): string | null {
  if (json === undefined || json === null) return null;
  if (typeof json === 'boolean') return String(json);
  if (typeof json !== 'string' || !json.isWellFormed()) throw invalidArgument(parameter);
  return json;
}

function nameMember(parameter: string, json: unknown): string | null {
  const text = textMember(parameter, json);
  if (text !== null && hasControlCharacter(text)) throw invalidArgument(parameter);
  return text;
}

/** The member `tags` of a key-value or snapshot, as the JSON text that is stored. */
export function tagsMember(json: unknown): string {
  if (json === undefined || json === null) return NO_TAGS;
  if (!isObject(json)) throw invalidArgument('tags');
  const entries = Object.entries(json);
  if (entries.length > MAX_TAGS) throw invalidArgument('tags');
  const tags: Record<string, string | null> = {};
  for (const [name, json] of entries) {
    if (name === '' || name.length > MAX_TAG_LENGTH || hasControlCharacter(name) || !name.isWellFormed()) {
      throw invalidArgument(`tags[${name}].key`);
    }
    const value = nameMember(`tags[${name}].value`, json);
    if (value !== null && value.length > MAX_TAG_LENGTH) throw invalidArgument(`tags[${name}].value`);
    tags[name] = value;
  }
  return canonicalTags(tags);
}

/** Only for texts that {@link canonicalTags} made or the database kept. */
const parseTags = (text: string): Tags => JSON.parse(text) as Tags;

const byteLength = (text: string | null): number => (text === null ? 0 : Buffer.byteLength(text));
