import { badRequest, notAllowed, typeIsMissing, unreadableBody } from '../../http/content/content-problem.js';
import { parseStrictJsonText } from '../../http/json-text.js';
import { ADDABLE_TYPES } from '../content-object.js';
import { checkId, checkUid } from './content-id.js';
import { type Ordering, parseOrdering } from './ordering.js';

/** A new object as it was sent. */
export interface NewContent {
  readonly type: string;
  readonly title: string;
  readonly description: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface NewContentRequest extends NewContent {
  /** Null: made from the title. */
  readonly id: string | null;
  /** Null: drawn. */
  readonly uid: string | null;
}

/** What a PATCH changes; null leaves a member as it is. */
export interface ContentChanges {
  readonly id: string | null;
  readonly title: string | null;
  readonly description: string | null;
  /** Fields that get a value. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Names of the fields that are taken away. */
  readonly clearedFields: readonly string[];
  readonly ordering: Ordering | null;
}

/** Characters, which are Unicode code points here. Lists show both texts of each object, by the thousand, to whoever asks. */
export const MAX_TITLE_LENGTH = 1_000;
export const MAX_DESCRIPTION_LENGTH = 10_000;

type JsonObject = Record<string, unknown>;

/**
 * Members that the service itself sets, which clients send back with the rest of what they were given. Those that begin with `@` are
 * never fields either.
 */
const READ_ONLY = new Set([
  'UID',
  'batching',
  'created',
  'id',
  'is_folderish',
  'items',
  'items_total',
  'lock',
  'modified',
  'ordering',
  'parent',
  'review_state',
  'title',
  'description',
]);

const isField = (name: string): boolean => !name.startsWith('@') && !READ_ONLY.has(name);

/**
 * The body as a JSON object, whatever media type it calls itself (content contract section 3); an empty one counts as `{}`.
 *
 * @throws 400 for anything else, texts with half a surrogate pair and numbers that JavaScript has no finite value for
 */
export function parseJsonObject(body: Buffer): JsonObject {
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = parseStrictJsonText(body);
  } catch {
    throw unreadableBody();
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unreadableBody();
  checkValues(value);
  return value as JsonObject;
}

/** @throws 400 or 403 that says what is wrong */
export function parseNewContent(body: Buffer): NewContentRequest {
  const json = parseJsonObject(body);
  const type = json['@type'];
  if (type === undefined || type === null || type === '') throw typeIsMissing();
  if (typeof type !== 'string') throw badRequest(`Property '@type' must be a text`);
  if (!ADDABLE_TYPES.includes(type)) throw notAllowed(`Disallowed subobject type: ${type.slice(0, 100)}`);
  const { id, UID } = json;
  return {
    type,
    id: id === undefined || id === null || id === '' ? null : checkId(id),
    uid: UID === undefined || UID === null ? null : checkUid(UID),
    title: textMember(json, 'title', MAX_TITLE_LENGTH) ?? '',
    description: textMember(json, 'description', MAX_DESCRIPTION_LENGTH) ?? '',
    fields: Object.fromEntries(Object.entries(json).filter(([name, value]) => isField(name) && value !== null)),
  };
}

/** @throws 400 that says what is wrong */
export function parseChanges(body: Buffer): ContentChanges {
  const json = parseJsonObject(body);
  const fields = Object.entries(json).filter(([name]) => isField(name));
  const { id, ordering } = json;
  return {
    id: id === undefined || id === null ? null : checkId(id),
    title: textMember(json, 'title', MAX_TITLE_LENGTH),
    description: textMember(json, 'description', MAX_DESCRIPTION_LENGTH),
    fields: Object.fromEntries(fields.filter(([, value]) => value !== null)),
    clearedFields: fields.filter(([, value]) => value === null).map(([name]) => name),
    ordering: ordering === undefined || ordering === null ? null : parseOrdering(ordering),
  };
}

/** Null clears a text; one that was not sent is null here. */
function textMember(json: JsonObject, name: string, maxLength: number): string | null {
  const value = json[name];
  if (value === undefined) return null;
  if (value === null) return '';
  if (typeof value !== 'string') throw badRequest(`Property '${name}' must be a text`);
  if (value.length > maxLength && [...value].length > maxLength) {
    throw badRequest(`Property '${name}' has more than ${maxLength} characters`);
  }
  return value;
}

/** Two different halves of a surrogate pair would be one and the same text in the database. */
function checkValues(root: object): void {
  const open: unknown[] = [root];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node === 'string') checkText(node);
    else if (typeof node === 'number' && !Number.isFinite(node)) throw badRequest('A number is too large.');
    else if (Array.isArray(node)) for (const child of node as unknown[]) open.push(child);
    else if (typeof node === 'object' && node !== null) {
      for (const [name, child] of Object.entries(node)) {
        checkText(name);
        open.push(child);
      }
    }
  }
}

function checkText(text: string): void {
  if (!text.isWellFormed()) throw badRequest('A text contains half of a surrogate pair.');
}
