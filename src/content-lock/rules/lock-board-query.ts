import { parseLimit } from '../../http/native/page-query.js';
import { type QueryString } from '../../http/query-string.js';
import { invalidArgument } from '../../problem/catalogue.js';

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
    limit: parseLimit(query),
  };
}

/** No path, user or uid has U+0000, and PostgreSQL takes no text that does. */
function textOf(query: QueryString, name: string): string | undefined {
  const text = query.first(name);
  if (text?.includes('\0')) throw invalidArgument(name, 'U+0000 is no character of it.');
  return text;
}
