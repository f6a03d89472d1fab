import { type TestApp } from './start-app';

/** One row of a key's history. */
export interface Revision {
  revision: string;
  etag: string;
  deleted: boolean;
  request_id: string;
  /** Whether it is later than the one before it; null for the first. */
  is_later: boolean | null;
}

/** The history of a key, oldest first. Times are compared in SQL: JavaScript's dates have no microseconds. */
export function historyOf(app: TestApp, key: string): Promise<Revision[]> {
  return app.sql<Revision>(
    `SELECT revision, etag, deleted, request_id,
            last_modified > lag(last_modified) OVER (ORDER BY revision) AS is_later
       FROM key_value_revision WHERE key = $1 ORDER BY revision`,
    [key],
  );
}

/** Promise P5: revision and time of a key rise strictly, and no entity tag comes twice. */
export function expectRising(history: readonly Revision[]): void {
  expect(history.slice(1).filter(({ is_later: isLater }) => isLater !== true)).toEqual([]);
  expect(new Set(history.map(({ revision }) => revision)).size).toBe(history.length);
  expect(new Set(history.map(({ etag }) => etag)).size).toBe(history.length);
}
