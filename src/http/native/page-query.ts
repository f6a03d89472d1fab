import { invalidArgument } from '../../problem/catalogue.js';
import { type QueryString } from '../query-string.js';

/** Items of a page where `limit` is not given, and the most that it may ask for (native API contract section 1). */
export const DEFAULT_LIMIT = 100;
export const MAX_LIMIT = 1000;
/** Characters of the reason for ending somebody's lock, as many as the audit log keeps. */
const MAX_REASON_LENGTH = 1000;

/** The parameter `limit` of a listing. @throws Problem `invalid-argument` */
export function parseLimit(query: QueryString): number {
  const text = query.first('limit');
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw invalidArgument('limit', `A whole number from 1 to ${MAX_LIMIT}.`);
}

/** Why a holder is to lose its lock: the parameter `reason`. @throws Problem `invalid-argument` */
export function parseReason(query: QueryString): string {
  const reason = query.first('reason')?.trim() ?? '';
  if (reason !== '' && [...reason].length <= MAX_REASON_LENGTH) return reason;
  throw invalidArgument('reason', `1 to ${MAX_REASON_LENGTH} characters.`);
}
