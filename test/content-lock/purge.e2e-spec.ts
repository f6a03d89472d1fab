import { RetentionService } from '../../src/retention/retention.service';
import { age, type Editors, freshObject, lock, startEditors, withToken } from './editors';

let editors: Editors;
const purge = async (): Promise<Record<string, number> | null> => editors.app.app.get(RetentionService).purge();
const DAY = 86_400;

beforeAll(async () => {
  editors = await startEditors();
});
afterAll(() => editors.app.close());

describe('the purge', () => {
  it('forgets the tokens of locks that ended more than a day ago, and what ran out then', async () => {
    const { alice, bob, app } = editors;
    const [old, recent, ranOut, held] = [
      await freshObject(editors),
      await freshObject(editors),
      await freshObject(editors),
      await freshObject(editors),
    ];
    const { token: forgotten } = await lock(alice, old);
    const { token: known } = await lock(alice, recent);
    for (const path of [old, recent]) await alice.delete(`${path}/@lock`);
    await app.sql(`UPDATE content_lock_token SET ended_at = ended_at - interval '25 hours' WHERE token = $1`, [
      forgotten,
    ]);
    await app.sql(`UPDATE content_lock_token SET ended_at = ended_at - interval '23 hours' WHERE token = $1`, [known]);
    const { token: late } = await lock(alice, ranOut);
    await age(editors, ranOut, DAY + 601);
    // In use for days: its clock was started again and again.
    const { token: inUse } = await lock(alice, held, { timeout: DAY });
    await app.sql(`UPDATE content_lock SET issued_at = issued_at - interval '3 days' WHERE token = $1`, [inUse]);

    expect(await purge()).toMatchObject({ contentLockTokens: 1, contentLocks: 1 });
    expect(await purge()).toMatchObject({ contentLockTokens: 0, contentLocks: 0 });

    for (const path of [old, recent, ranOut]) {
      expect((await bob.patch(path, { title: 'other' })).status).toBe(204);
    }
    const save = async (path: string, token: string): Promise<number> =>
      (await alice.patch(path, { title: 'late' }, withToken(token))).status;
    expect(await save(old, forgotten)).toBe(204);
    expect(await save(recent, known)).toBe(412);
    expect(await save(ranOut, late)).toBe(204);
    expect(await save(held, inUse)).toBe(204);
  });

  it('takes more than one batch', async () => {
    const path = await freshObject(editors);
    const uid = (await editors.alice.get(path)).json.UID as string;
    await editors.app.sql(
      `INSERT INTO content_lock_token SELECT $1, gen_random_uuid(), at, at
         FROM generate_series(1, 2500), (SELECT clock_timestamp() - interval '2 days' AS at) t`,
      [uid],
    );
    expect(await purge()).toMatchObject({ contentLockTokens: 2500 });
  });
});
