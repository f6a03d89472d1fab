import { isUid } from '../../content/rules/content-id.js';
import { parseLimit } from '../../http/native/page-query.js';
import { type QueryString } from '../../http/query-string.js';
import { invalidArgument } from '../../problem/catalogue.js';

/** What a page of the board is asked for. An empty parameter counts as absent, and of a repeated one the first counts. */
export interface LockBoardQuery {
  readonly filter: { readonly pathPrefix: string; readonly holder: string | null };
  /** The UID that the page before ended with; '' for the first page, and for what no `next` was (reliability §5). */
  readonly after: string;
  readonly limit: number;
}

/** @throws Problem `invalid-argument` that names the parameter */
export function parseLockBoardQuery(query: QueryString): LockBoardQuery {
  const after = query.first('after') ?? '';
  return {
    filter: { pathPrefix: textOf(query, 'path-prefix') ?? '', holder: textOf(query, 'holder') ?? null },
    after: isUid(after) ? after : '',
    limit: parseLimit(query),
  };
}

/** No path or user has U+0000, and PostgreSQL takes no text that does. */
function textOf(query: QueryString, name: string): string | undefined {
  const text = query.first(name);
  if (text?.includes('\0')) throw invalidArgument(name, 'U+0000 is no character of it.');
  return text;
}
