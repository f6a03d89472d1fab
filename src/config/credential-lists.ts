import type { EnvironmentValue } from './environment.js';
import { type AccessKeySetting, USER_ROLES, type UserRole, type UserSetting } from './settings.js';

/**
 * The lists of credentials in `ACCESS_KEYS` and `CMS_USERS`. Faults name an entry by its place, counted from 1, and never show any of
 * it: which part of a malformed entry is the secret cannot be known.
 */

/** `id:base64secret:rw|ro`, comma separated, each split from the right because ids may hold `:`. */
export function parseAccessKeys({ variable, text }: EnvironmentValue, faults: string[]): AccessKeySetting[] {
  const keys = new Map<string, AccessKeySetting>();
  text.split(',').forEach((entry, index) => {
    const fault = (found: string, expected: string): unknown =>
      faults.push(`${variable}: entry ${index + 1} ${found}; expected ${expected}`);
    const modeAt = entry.lastIndexOf(':');
    const secretAt = entry.lastIndexOf(':', modeAt - 1);
    if (modeAt < 0 || secretAt < 0) return fault('is not of three parts', 'id:base64secret:rw or id:base64secret:ro');
    const id = entry.slice(0, secretAt);
    const secret = entry.slice(secretAt + 1, modeAt);
    const mode = entry.slice(modeAt + 1);
    if (!isAccessKeyId(id)) return fault('has an unusable id', 'visible ASCII without ";" and "&"');
    if (decodeBase64(secret) === null) return fault('has a secret that is not base64 (not shown)', 'base64');
    if (mode !== 'rw' && mode !== 'ro') return fault(`does not end in its mode`, 'rw or ro');
    if (keys.has(id)) return fault('has the id of an earlier entry', 'each id once');
    return keys.set(id, { id, secret, readOnly: mode === 'ro' });
  });
  return [...keys.values()];
}

/** `name:password:role`, comma separated, each split at the first and the last `:` because passwords may hold `:`. */
export function parseUsers({ variable, text }: EnvironmentValue, faults: string[]): UserSetting[] {
  const users = new Map<string, UserSetting>();
  text.split(',').forEach((entry, index) => {
    const fault = (found: string, expected: string): unknown =>
      faults.push(`${variable}: entry ${index + 1} ${found}; expected ${expected}`);
    const nameEnd = entry.indexOf(':');
    const roleAt = entry.lastIndexOf(':');
    if (nameEnd === roleAt) return fault('is not of three parts', 'name:password:role');
    const name = entry.slice(0, nameEnd);
    const password = entry.slice(nameEnd + 1, roleAt);
    const role = entry.slice(roleAt + 1);
    if (name === '' || name.trim() !== name) return fault('has no usable name', 'a name without blanks around it');
    if (password === '') return fault('has no password', 'a password without commas');
    if (!isUserRole(role)) return fault('does not end in a role', USER_ROLES.join(', '));
    if (users.has(name)) return fault('has the name of an earlier entry', 'each name once');
    return users.set(name, { name, password, role });
  });
  return [...users.values()];
}

/** Visible ASCII; ";" would end the id in a connection string, "&" in the Authorization header. */
export const isAccessKeyId = (id: string): boolean => /^[!-~]+$/.test(id) && !/[;&]/.test(id);

/** The bytes of a non-empty base64 text with padding; null for anything that Node's lenient decoder would merely skip over. */
export function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 && bytes.toString('base64') === text ? bytes : null;
}

export function isUserRole(text: unknown): text is UserRole {
  return USER_ROLES.some((role) => role === text);
}
