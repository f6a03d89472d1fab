import { SnapshotRepository } from '../../src/snapshot/snapshot.repository';
import { startApp, type TestApp } from '../support/start-app';
import { create, makeExpired, makeFailed, patch, removeSnapshots } from './stored-snapshots';

let app: TestApp;
let snapshots: SnapshotRepository;
beforeAll(async () => {
  app = await startApp();
  snapshots = app.app.get(SnapshotRepository);
  for (const key of ['a', 'b', 'c']) await app.azure.put(`/kv/${key}`, { value: 'v' });
});
afterAll(() => app.close());
beforeEach(() => removeSnapshots(app));

const namesLeft = async (): Promise<string[]> =>
  (await app.sql<{ name: string }>('SELECT name FROM snapshot ORDER BY name')).map(({ name }) => name);
const itemsLeft = async (): Promise<number> => (await app.sql('SELECT FROM snapshot_item')).length;

/** What each call removed, until there was nothing left to remove. */
async function purgeAll(limit: number): Promise<number[]> {
  const counts: number[] = [];
  do counts.push(await snapshots.purgeExpired(limit));
  while (counts.at(-1)! > 0);
  return counts;
}

describe('purgeExpired', () => {
  it('removes what expired with its items, and nothing else', async () => {
    await create(app.azure, 'ready');
    await create(app.azure, 'archived');
    await patch(app.azure, 'archived', { status: 'archived' });
    await makeFailed(app, 'failed');
    await makeExpired(app, 'expired 1');
    await makeExpired(app, 'expired 2');
    expect(await purgeAll(1000)).toEqual([6, 2, 0]);
    expect(await namesLeft()).toEqual(['archived', 'failed', 'ready']);
    expect(await itemsLeft()).toBe(6);
  });

  it('removes at most as many rows as it may', async () => {
    await makeExpired(app, 'expired 1');
    await makeExpired(app, 'expired 2');
    const counts = await purgeAll(2);
    expect(Math.max(...counts)).toBe(2);
    expect(counts.reduce((sum, count) => sum + count)).toBe(8);
    expect([await namesLeft(), await itemsLeft()]).toEqual([[], 0]);
  });

  it('never removes more than 1,000 rows at once', async () => {
    await makeExpired(app, 'expired');
    await app.sql(
      `INSERT INTO snapshot_item (snapshot_id, position, key, label, tags, locked, etag, revision, last_modified)
       SELECT id, n, 'k' || n, '', '{}', false, 'e', n, now() FROM snapshot, generate_series(4, 2500) n`,
    );
    expect(await purgeAll(5000)).toEqual([1000, 1000, 500, 1, 0]);
  });

  it('leaves a name free while it is only half purged', async () => {
    await makeExpired(app, 's');
    expect(await snapshots.purgeExpired(1)).toBe(1);
    expect((await create(app.azure, 's')).status).toBe(201);
    expect([await purgeAll(1000), await itemsLeft()]).toEqual([[0], 3]);
  });
});
