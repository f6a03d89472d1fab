import { KEY_SEPARATOR } from '../../lease/lock-stores.js';
import { invalidArgument } from '../../problem/catalogue.js';

/** Native API contract section 1: characters, which are Unicode code points here, of a resource and of an owner of a new lock. */
const MAX_NAME_LENGTH = 512;

/**
 * A resource that may be locked here.
 *
 * @throws Problem `invalid-argument`
 */
export function checkNewResource(resource: string): string {
  checkNewName('resource', resource);
  return checkResource(resource);
}

/**
 * A resource that some surface may have locked: Dapr takes any length and U+0000. Only the separator is no part of any resource; it would
 * reach into the keys of another store.
 *
 * @throws Problem `invalid-argument`
 */
export function checkResource(resource: string): string {
  if (resource.includes(KEY_SEPARATOR)) throw invalidArgument('resource', 'A resource has no "||" in it.');
  return resource;
}

/**
 * An owner that may lock here. It may have the separator in it: owners are no part of a key.
 *
 * @throws Problem `invalid-argument`
 */
export function checkNewOwner(owner: unknown): string {
  const text = checkOwner(owner);
  checkNewName('owner', text);
  return text;
}

/**
 * An owner that some surface may have locked with: any text but the empty one. Halves of surrogate pairs would all become the same
 * character in the database, and so the owner of somebody else's lock.
 *
 * @throws Problem `invalid-argument`
 */
export function checkOwner(owner: unknown): string {
  if (typeof owner === 'string' && owner !== '' && owner.isWellFormed()) return owner;
  throw invalidArgument('owner', 'An owner is a text of well-formed Unicode, not empty.');
}

function checkNewName(parameter: 'resource' | 'owner', text: string): void {
  const isFit = text !== '' && !isLongerThan(text, MAX_NAME_LENGTH) && !text.includes('\0') && text.isWellFormed();
  if (isFit) return;
  throw invalidArgument(parameter, `1 to ${MAX_NAME_LENGTH} characters of well-formed Unicode, none of them U+0000.`);
}

/** Whether a text has more code points than this. Texts of millions of characters are not counted to their end. */
export function isLongerThan(text: string, codePoints: number): boolean {
  if (text.length <= codePoints) return false;
  if (text.length > 2 * codePoints) return true;
  return [...text].length > codePoints;
}
