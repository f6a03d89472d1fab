import { type TestApp } from '../support/start-app';

/** What the specs of key-values need beside the public API: many of them at once, locked ones, and a past. */

export interface Seed {
  key: string;
  label?: string | null;
  value?: string | null;
  content_type?: string | null;
  tags?: Record<string, string | null>;
}

export const targetOf = ({ key, label }: { key: string; label?: string | null }): string =>
  `/kv/${encodeURIComponent(key)}${label ? `?label=${encodeURIComponent(label)}` : ''}`;

/** Puts of a batch run side by side; more at once would only wait for the pool. */
const BATCH = 20;

/** Makes the key-values through the API, in no particular order. */
export async function putAll({ azure }: TestApp, seeds: readonly Seed[]): Promise<void> {
  for (let start = 0; start < seeds.length; start += BATCH) {
    await Promise.all(
      seeds.slice(start, start + BATCH).map(async (seed) => {
        const { value = 'v', content_type = null, tags = {} } = seed;
        const put = () => azure.put(targetOf(seed), { value, content_type, tags });
        let answer = await put();
        // Some of a batch wait for a connection; where the database is held up for half a second they are told to come again.
        while (answer.status === 503) answer = await put();
        if (answer.status !== 200) throw new Error(`${targetOf(seed)} answered ${answer.status}: ${answer.text}`);
      }),
    );
  }
}

export async function removeAll(app: TestApp): Promise<void> {
  await app.sql('DELETE FROM key_value');
  await app.sql('DELETE FROM key_value_revision');
}

export async function lock(app: TestApp, key: string, label = ''): Promise<void> {
  await app.sql('UPDATE key_value SET locked = true WHERE key = $1 AND label = $2', [key, label]);
}

export async function countRevisions(app: TestApp, key: string, label = ''): Promise<number> {
  const [row] = await app.sql<{ count: string }>(
    'SELECT count(*) FROM key_value_revision WHERE key = $1 AND label = $2',
    [key, label],
  );
  return Number(row!.count);
}

/** Dates the states that a key-value had, oldest first; the last one is its present state. */
export async function dateHistory(app: TestApp, key: string, label: string, instants: string[]): Promise<void> {
  const revisions = await app.sql<{ revision: string }>(
    'SELECT revision FROM key_value_revision WHERE key = $1 AND label = $2 ORDER BY revision',
    [key, label],
  );
  if (revisions.length !== instants.length) throw new Error(`${key} has ${revisions.length} revisions`);
  for (const [index, { revision }] of revisions.entries()) {
    await app.sql('UPDATE key_value_revision SET last_modified = $2 WHERE revision = $1', [revision, instants[index]]);
  }
  await app.sql('UPDATE key_value SET last_modified = $3 WHERE key = $1 AND label = $2', [key, label, instants.at(-1)]);
}
