import { type ContentAnswer } from '../content/content-http';
import { type Editors, freshObject, lock, lockSeenBy, startEditors, uidOf, withToken } from '../content-lock/editors';
import { atOnce } from '../support/at-once';

/** Two processes' worth of application on one database. */
let one: Editors;
let two: Editors;

beforeAll(async () => {
  one = await startEditors();
  two = await startEditors({}, one.app);
});
afterAll(async () => {
  await two.app.close();
  await one.app.close();
});

describe('8 first POSTs of @lock at once, by two users over two processes', () => {
  it('have one winner, and all answers name it', async () => {
    const winners = new Set<string>();
    for (let round = 1; round <= 20; round++) {
      const path = await freshObject(one);
      // Either of them calls first in every other round.
      const nameOf = (index: number): 'alice' | 'bob' => ((index + round) % 2 === 0 ? 'alice' : 'bob');
      const answers = await atOnce(8, (index) => (index % 4 < 2 ? one : two)[nameOf(index)].post(`${path}/@lock`));
      expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
      const creators = new Set(answers.map(({ json }) => json.creator as string));
      expect(creators.size).toBe(1);
      const [winner] = creators;
      winners.add(winner!);
      const tokens = answers.map(({ json }) => json.token as string | undefined);
      expect(new Set(tokens.filter((token) => token !== undefined)).size).toBe(1);
      tokens.forEach((token, index) => expect(token !== undefined).toBe(nameOf(index) === winner));
      expect((await lockSeenBy(winner === 'alice' ? one.alice : two.bob, path))['token']).toBe(
        tokens.find((token) => token !== undefined),
      );
    }
    // The draw is not always the same one's.
    expect(winners).toEqual(new Set(['alice', 'bob']));
  });

  it('with force leave one lock, and every other answer’s token is a former one', async () => {
    for (let round = 1; round <= 10; round++) {
      const path = await freshObject(one);
      const answers = await atOnce(8, (index) => {
        const { alice, bob } = index % 4 < 2 ? one : two;
        return (index % 2 === 0 ? alice : bob).post(`${path}/@lock`, { force: true });
      });
      expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
      const [held] = await one.app.sql<{ holder: string; token: string }>(
        'SELECT holder, token FROM content_lock WHERE uid = $1',
        [await uidOf(one.alice, path)],
      );
      const tokens = new Set(answers.map(({ json }) => json.token as string));
      expect(tokens).toContain(held!.token);
      const former = await one.app.sql('SELECT FROM content_lock_token WHERE token = ANY ($1) ', [[...tokens]]);
      expect(former.length).toBe(tokens.size - 1);
    }
  });
});

/** The order in which the database made the last change and granted the present lock. */
async function changedBefore(path: string): Promise<{ isBefore: boolean; lastBy: string }> {
  const [row] = await one.app.sql<{ is_before: boolean; last_by: string }>(
    `SELECT o.last_at < l.issued_at AS is_before, o.last_by
       FROM content_object o JOIN content_lock l USING (uid) WHERE o.uid = $1`,
    [await uidOf(one.alice, path)],
  );
  return { isBefore: row!.is_before, lastBy: row!.last_by };
}

const ROUNDS = 50;

describe('a lock and changes without its token at once', () => {
  it.each(['the changes first', 'the lock first'])('never pass each other: %s', async (order) => {
    const counts = { done: 0, refused: 0 };
    for (let round = 1; round <= ROUNDS; round++) {
      const path = await freshObject(one);
      const change = (index: number): Promise<ContentAnswer> =>
        (index % 2 === 0 ? one : two).bob.patch(path, { title: `bob ${index}` });
      const take = async (): Promise<void> => {
        const { token } = await lock(round % 2 === 0 ? one.alice : two.alice, path);
        // Changes that were under way may still be unanswered; none of them may be made from now on.
        const { version } = await stateOf(path);
        expect((await two.alice.patch(path, { title: 'alice' }, withToken(token))).status).toBe(204);
        const { title, versions } = await stateOf(path, version);
        expect([title, versions]).toEqual(['alice', 1]);
      };
      // Called in this order, without waiting in between.
      const taken = order === 'the lock first' ? take() : undefined;
      const [changes] = await Promise.all([atOnce(6, change), taken ?? take()]);
      for (const { status } of changes) {
        expect([204, 403]).toContain(status);
        counts[status === 204 ? 'done' : 'refused']++;
      }
      expect((await one.bob.get(path)).json.title).toBe('alice');
      const [row] = await one.app.sql<{ ok: boolean }>(
        `SELECT coalesce(o.other_at < l.issued_at, true) AS ok
           FROM content_object o JOIN content_lock l USING (uid) WHERE o.uid = $1`,
        [await uidOf(one.alice, path)],
      );
      // The last change by anybody but alice came before her lock.
      expect(row!.ok).toBe(true);
    }
    // Both outcomes were there, so both were put to the test.
    expect(counts.done).toBeGreaterThan(0);
    expect(counts.refused).toBeGreaterThan(0);
  });

  /** Title and version now, and how many versions were drawn for this object alone since another one. */
  async function stateOf(path: string, since?: string): Promise<{ title: string; version: string; versions: number }> {
    const [row] = await one.app.sql<{ title: string; version: string }>(
      'SELECT title, version FROM content_object WHERE uid = $1',
      [await uidOf(one.mia, path)],
    );
    return { ...row!, versions: since === undefined ? 0 : Number(row!.version) - Number(since) };
  }
});

describe('a steal and changes with the token at once', () => {
  it('never pass each other', async () => {
    const counts = { done: 0, refused: 0 };
    for (let round = 1; round <= ROUNDS; round++) {
      const path = await freshObject(one);
      const { token } = await lock(one.alice, path);
      const save = (): Promise<ContentAnswer> => one.alice.patch(path, { title: 'alice' }, withToken(token));
      const steal = (): Promise<unknown> => lock(two.bob, path, { force: true });
      const [saved] =
        round % 2 === 0
          ? await Promise.all([save(), steal()])
          : await Promise.all([steal(), save()]).then(([, answer]) => [answer]);
      expect([204, 403]).toContain(saved.status);
      counts[saved.status === 204 ? 'done' : 'refused']++;
      expect(await changedBefore(path)).toEqual({ isBefore: true, lastBy: 'alice' });
      expect((await one.alice.patch(path, { title: 'too late' }, withToken(token))).status).toBe(403);
    }
    expect(counts.done).toBeGreaterThan(0);
    expect(counts.refused).toBeGreaterThan(0);
  });
});

describe('a lock and a removal of the folder above at once', () => {
  it('never both succeed: the lock stands, or its object is gone', async () => {
    for (let round = 1; round <= ROUNDS; round++) {
      const folder = await freshObject(one, { '@type': 'Folder' });
      const path = await one.alice.add(folder, { id: 'x' });
      const calls = [(): Promise<ContentAnswer> => one.alice.post(`${path}/@lock`), () => two.bob.delete(folder)];
      if (round % 2 === 0) calls.reverse();
      const answers = await Promise.all(calls.map((call) => call()));
      if (round % 2 === 0) answers.reverse();
      const [locked, removed] = answers as [ContentAnswer, ContentAnswer];
      expect([
        [200, 423],
        [404, 204],
      ]).toContainEqual([locked.status, removed.status]);
      expect((await one.alice.get(path)).status).toBe(locked.status);
    }
  });
});
