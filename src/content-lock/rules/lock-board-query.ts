import { type QueryString } from '../../http/query-string.js';
import { invalidArgument } from '../../problem/catalogue.js';

export const DEFAULT_LIMIT = 100;
export const MAX_LIMIT = 1000;
/** Characters of the reason for a break, as many as the audit log keeps. */
const MAX_REASON_LENGTH = 1000;

/** What a page of the board is asked for. An empty parameter counts as absent, and of a repeated one the first counts. */
export interface LockBoardQuery {
  readonly filter: { readonly pathPrefix: string; readonly holder: string | null };
  /** '' for the first page. */
  readonly after: string;
  readonly limit: number;
}

/** @throws Problem `invalid-argument` that names the parameter */
export function parseLockBoardQuery(query: QueryString): LockBoardQuery {
  return {
    filter: { pathPrefix: textOf(query, 'path-prefix') ?? '', holder: textOf(query, 'holder') ?? null },
    after: textOf(query, 'after') ?? '',
    limit: parseLimit(query.first('limit')),
  };
}

/** Why the holder is to lose the lock. @throws Problem `invalid-argument` */
export function parseBreakReason(query: QueryString): string {
  const reason = query.first('reason')?.trim() ?? '';
  if (reason !== '' && [...reason].length <= MAX_REASON_LENGTH) return reason;
  throw invalidArgument('reason', `1 to ${MAX_REASON_LENGTH} characters.`);
}

/** No path, user or uid has U+0000, and PostgreSQL takes no text that does. */
function textOf(query: QueryString, name: string): string | undefined {
  const text = query.first(name);
  if (text?.includes('\0')) throw invalidArgument(name, 'U+0000 is no character of it.');
  return text;
}

function parseLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw invalidArgument('limit', `A whole number from 1 to ${MAX_LIMIT}.`);
}
