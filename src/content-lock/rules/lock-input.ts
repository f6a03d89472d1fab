import { parseJsonObject } from '../../content/rules/content-input.js';
import { badRequest } from '../../http/content/content-problem.js';
import { payloadTooLarge } from '../../problem/catalogue.js';
import { type LockOptions } from '../content-lock.js';

/** Seconds, as in Plone (content contract section 5, "Timeout bounds"). */
export const DEFAULT_TIMEOUT = 600;
/** Longer ones are cut to this, as WebDAV allows: the answer says what was granted. */
export const MAX_TIMEOUT = 86_400;
/** Bytes of a body that is one token; ours have 36. */
const MAX_TOKEN_BYTES = 256;

/** Body of `POST @lock`. Empty counts as `{}`, whatever type it claims to have. @throws 400 */
export function parseLockOptions(body: Buffer): LockOptions {
  const json = parseJsonObject(body);
  return { timeout: timeoutIn(json), stealable: flagIn(json, 'stealable'), force: flagIn(json, 'force') ?? false };
}

/** Seconds that the body of `PATCH @lock` asks for; null when it does not. @throws 400 */
export const parseRefresh = (body: Buffer): number | null => timeoutIn(parseJsonObject(body));

/** Whether the body of `DELETE @lock` asks for force. @throws 400 */
export const parseUnlock = (body: Buffer): boolean => flagIn(parseJsonObject(body), 'force') ?? false;

/**
 * The token that is the whole body of `POST @lock-release`. One that no lock has ever had is no error: it is as good as a stale one.
 *
 * @throws 400 without any, 413
 */
export function parseReleaseToken(body: Buffer): string {
  if (body.length > MAX_TOKEN_BYTES) throw payloadTooLarge();
  const token = body.toString('utf8').trim();
  if (token === '' || token.includes('\0')) throw badRequest('The body must be the token of the lock.');
  return token;
}

function timeoutIn({ timeout }: Record<string, unknown>): number | null {
  if (timeout === undefined || timeout === null) return null;
  if (typeof timeout === 'number' && Number.isInteger(timeout) && timeout >= 1) return Math.min(timeout, MAX_TIMEOUT);
  throw badRequest(`Property 'timeout' must be a whole number of seconds, 1 or more`);
}

function flagIn(json: Record<string, unknown>, name: string): boolean | null {
  const value = json[name];
  if (value === undefined || value === null) return null;
  if (typeof value === 'boolean') return value;
  throw badRequest(`Property '${name}' must be true or false`);
}
