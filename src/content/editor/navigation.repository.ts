import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../../database/database.js';
import { fromStoredText } from '../../database/stored-text.js';
import { ROOT_UID } from '../content-object.js';

/** One entry of the navigation with those below it. */
export interface NavigationEntry {
  readonly path: readonly string[];
  readonly title: string;
  readonly description: string;
  readonly children: NavigationEntry[];
}

/** Entries of one answer. A page cannot show more. */
const MAX_ENTRIES = 1_000;

/**
 * $1 levels below the root, $2 entries at most. Parents come before their children, siblings in their order. One that is hidden hides
 * what is below it.
 */
const LIST_NAVIGATION: Statement = {
  name: 'content_list_navigation',
  isWrite: false,
  text: `
    WITH RECURSIVE walk (uid, parent_uid, id, title, description, level) AS (
      SELECT '${ROOT_UID}'::text COLLATE "C", NULL::text COLLATE "C", ''::text COLLATE "C", ''::text, ''::text, 0
      UNION ALL
      SELECT c.uid, w.uid, c.id, c.title, c.description, w.level + 1
        FROM walk w CROSS JOIN LATERAL (
          SELECT o.uid, o.id, o.title, o.description FROM content_object o
           WHERE o.parent_uid = w.uid AND NOT o.hidden
           ORDER BY o.parent_uid, o.position, o.uid LIMIT $2::integer
        ) c
       WHERE w.level < $1::integer
    )
    SELECT uid, parent_uid, id, title, description FROM walk OFFSET 1 LIMIT $2::integer`,
};

/** Edge to the content tree as the navigation shows it: the upper levels in one statement. */
@Injectable()
export class NavigationRepository {
  constructor(private readonly database: Database) {}

  /** Entries of the first level with theirs. @param depth levels, at least 1 */
  async list(depth: number): Promise<NavigationEntry[]> {
    const rows = await this.database.query(LIST_NAVIGATION, [depth, MAX_ENTRIES]);
    const top: NavigationEntry[] = [];
    const known = new Map<string, NavigationEntry>();
    for (const row of rows) {
      const [uid, parentUid, id, title, description] = row as string[];
      const parent = known.get(parentUid!);
      const entry: NavigationEntry = {
        path: [...(parent?.path ?? []), id!],
        title: fromStoredText(title!),
        description: fromStoredText(description!),
        children: [],
      };
      known.set(uid!, entry);
      (parent?.children ?? top).push(entry);
    }
    return top;
  }
}
