import { randomUUID } from 'node:crypto';
import { type ContentAnswer, type ContentHttp } from '../content/content-http';
import {
  age,
  type Editors,
  expectLocked,
  expire,
  freshObject,
  lock,
  type LockJson,
  lockSeenBy,
  startEditors,
  STRICT,
  uidOf,
  UNLOCKED,
  withToken,
} from './editors';

/** The rows of the content contract's section 5, from top to bottom. */

let editors: Editors;
let alice: ContentHttp;
let bob: ContentHttp;
let mia: ContentHttp;
let path: string;

const post = (by: ContentHttp, body?: object, headers?: Record<string, string>): Promise<ContentAnswer> =>
  by.post(`${path}/@lock`, body, headers);
const refresh = (by: ContentHttp, body?: object): Promise<ContentAnswer> => by.patch(`${path}/@lock`, body);
const unlock = (by: ContentHttp, body?: object, headers: Record<string, string> = {}): Promise<ContentAnswer> =>
  by.send('DELETE', `${path}/@lock`, { body, headers });
const save = (by: ContentHttp, token?: string, headers: Record<string, string> = {}): Promise<ContentAnswer> =>
  by.patch(path, { title: `by ${by.authorization}` }, { ...(token !== undefined && withToken(token)), ...headers });
const seenBy = (by: ContentHttp): Promise<Record<string, unknown>> => lockSeenBy(by, path);
const hidden = ({ token: _token, ...rest }: LockJson): object => rest;
const expectAnswer = ({ status, json }: ContentAnswer, body: object): void =>
  expect([status, json]).toEqual([200, body]);

beforeAll(async () => {
  editors = await startEditors();
  ({ alice, bob, mia } = editors);
});
afterAll(() => editors.app.close());
beforeEach(async () => {
  path = await freshObject(editors);
});

describe('GET @lock', () => {
  it('is two members for an object that nobody locked', async () => {
    const { status, text, headers } = await editors.nobody.get(`${path}/@lock`);
    expect([status, text]).toEqual([200, '{"locked":false,"stealable":true}']);
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
  });

  it('is the same two members once the lock ran out, for its holder too', async () => {
    await lock(alice, path);
    await expire(editors, path);
    expect(await seenBy(alice)).toEqual(UNLOCKED);
    expect(await seenBy(bob)).toEqual(UNLOCKED);
  });
});

describe('POST @lock', () => {
  it('locks: all ten members, to the letter', async () => {
    const { status, json } = await post(alice);
    expect(status).toBe(200);
    expect(json).toEqual({
      created: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/),
      creator: 'alice',
      creator_name: 'alice',
      creator_url: alice.url('/@users/alice'),
      locked: true,
      name: 'plone.locking.stealable',
      stealable: true,
      time: new Date(json.created as string).getTime() / 1000,
      timeout: 600,
      token: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
    });
    expect(await seenBy(alice)).toEqual(json);
    const [row] = await editors.app.sql<{ s: string }>(
      `SELECT extract(epoch FROM clock_timestamp()) - $1::bigint AS s`,
      [json.time],
    );
    expect(Number(row!.s)).toBeLessThan(20);
    expect(Number(row!.s)).toBeGreaterThanOrEqual(0);
  });

  it('gives a new token for one that ran out, to anybody', async () => {
    const first = await lock(alice, path);
    await expire(editors, path);
    const second = await lock(alice, path);
    await expire(editors, path);
    const third = await lock(bob, path);
    expect(new Set([first.token, second.token, third.token]).size).toBe(3);
    expect(third.creator).toBe('bob');
  });

  it('by its holder gives the same token, keeps the options and starts the clock again', async () => {
    const first = await lock(alice, path, { timeout: 1200, stealable: false });
    await age(editors, path, 100);
    const again = await lock(alice, path);
    expect(again).toEqual({ ...first, created: again.created, time: again.time });
    expect(again.time).toBeGreaterThanOrEqual(first.time);
    expect(await seenBy(alice)).toEqual(again);
  });

  it('by its holder applies the options given', async () => {
    const first = await lock(alice, path);
    const again = await lock(alice, path, { timeout: 3600, stealable: false });
    expect(again).toMatchObject({ token: first.token, timeout: 3600, stealable: false });
    expect(await lock(alice, path, { stealable: true })).toMatchObject({ timeout: 3600, stealable: true });
  });

  it('by a second user shows the lock of its holder without the token and changes nothing', async () => {
    const held = await lock(alice, path);
    expectAnswer(await post(bob, { timeout: 5, stealable: false }), hidden(held));
    expect(await seenBy(alice)).toEqual(held);
  });

  it('by a second user is 423 under strict handling, with the lock beside the refusal', async () => {
    const held = await lock(alice, path);
    const { status, json, headers } = await post(bob, undefined, STRICT);
    expect([status, json]).toEqual([
      423,
      {
        type: 'ResourceLockedError',
        message: `Object "${path.slice(1)}" is locked.`,
        context: alice.url(path),
        lock: hidden(held),
      },
    ]);
    expect(headers['preference-applied']).toBe('handling=strict');
    expect(await seenBy(alice)).toEqual(held);
    expect((await post(alice, undefined, STRICT)).status).toBe(200);
  });

  it('with force steals in one step', async () => {
    const held = await lock(alice, path);
    const stolen = await lock(bob, path, { force: true, timeout: 60 });
    expect(stolen).toMatchObject({ creator: 'bob', timeout: 60, stealable: true });
    expect(stolen.token).not.toBe(held.token);
    expect(await seenBy(alice)).toEqual(hidden(stolen));
  });

  it('with force is refused by a lock that is not stealable, but for a manager', async () => {
    const held = await lock(alice, path, { stealable: false });
    for (let time = 1; time <= 2; time++) {
      const { status, json } = await post(bob, { force: true });
      expect([status, json.error.type]).toEqual([403, 'Forbidden']);
    }
    expect(await seenBy(alice)).toEqual(held);
    expect((await lock(alice, path, { force: true })).token).toBe(held.token);
    expect((await lock(mia, path, { force: true })).creator).toBe('mia');
  });

  it('with force on a free object just locks', async () => {
    expect((await lock(bob, path, { force: true })).creator).toBe('bob');
  });
});

describe('PATCH @lock', () => {
  it('by the holder moves the clock and keeps token, timeout and stealable', async () => {
    const held = await lock(alice, path, { timeout: 1200, stealable: false });
    await age(editors, path, 100);
    const before = (await seenBy(alice)) as unknown as LockJson;
    const { status, json } = await refresh(alice);
    expect(status).toBe(200);
    expect(json).toEqual({ ...held, created: json.created, time: json.time });
    expect(json.time - before.time).toBeGreaterThanOrEqual(100);
    expect(json.created > before.created).toBe(true);
  });

  it('honours a timeout in the body and nothing else of it', async () => {
    const held = await lock(alice, path);
    const { json } = await refresh(alice, { timeout: 1200, stealable: false, force: 'x' });
    expect(json).toMatchObject({ token: held.token, timeout: 1200, stealable: true });
  });

  it('by another user is 403 and changes nothing', async () => {
    const held = await lock(alice, path);
    const { status, json } = await refresh(bob, { timeout: 5 });
    expect([status, json.error.type]).toEqual([403, 'Forbidden']);
    expect(await seenBy(alice)).toEqual(held);
  });

  it('never takes a lock that is free or ran out', async () => {
    expectAnswer(await refresh(alice), UNLOCKED);
    await lock(alice, path);
    await expire(editors, path);
    expectAnswer(await refresh(alice), UNLOCKED);
    expect(await seenBy(alice)).toEqual(UNLOCKED);
  });
});

describe('DELETE @lock', () => {
  it('by the holder unlocks, without a token', async () => {
    await lock(alice, path);
    expectAnswer(await unlock(alice), UNLOCKED);
    expect(await seenBy(bob)).toEqual(UNLOCKED);
  });

  it('of a free object is 200, again and again', async () => {
    for (let time = 1; time <= 2; time++) expectAnswer(await unlock(alice, {}), UNLOCKED);
    expectAnswer(await unlock(bob, { force: true }), UNLOCKED);
  });

  it('of a lock that ran out is 200 for anybody', async () => {
    await lock(alice, path);
    await expire(editors, path);
    expectAnswer(await unlock(bob, {}, STRICT), UNLOCKED);
  });

  it('by another user without force leaves it as it is and shows it without token', async () => {
    const held = await lock(alice, path);
    for (const body of [undefined, {}, { force: false }]) expectAnswer(await unlock(bob, body), hidden(held));
    // Who may break any lock has not said so.
    expectAnswer(await unlock(mia, {}), hidden(held));
    expect(await seenBy(alice)).toEqual(held);
  });

  it('by another user without force is 403 under strict handling', async () => {
    const held = await lock(alice, path);
    const { status, json, headers } = await unlock(bob, {}, { Prefer: 'return=minimal, Handling="strict"; x=1' });
    expect([status, json]).toEqual([403, { error: { type: 'Forbidden', message: expect.any(String) } }]);
    expect(headers['preference-applied']).toBe('handling=strict');
    expect(await seenBy(alice)).toEqual(held);
    expectAnswer(await unlock(alice, {}, STRICT), UNLOCKED);
  });

  it('with force by another user ends a stealable lock', async () => {
    await lock(alice, path);
    expectAnswer(await unlock(bob, { force: true }), UNLOCKED);
    expect(await seenBy(alice)).toEqual(UNLOCKED);
  });

  it('with force by another user never ends one that is not stealable', async () => {
    const held = await lock(alice, path, { stealable: false });
    for (let time = 1; time <= 2; time++) {
      const { status, json } = await unlock(bob, { force: true });
      expect([status, json.error.type]).toEqual([403, 'Forbidden']);
      expect(await seenBy(alice)).toEqual(held);
    }
    expectAnswer(await unlock(mia, { force: true }), UNLOCKED);
  });

  it('with force by the holder ends any', async () => {
    await lock(alice, path, { stealable: false });
    expectAnswer(await unlock(alice, { force: true }), UNLOCKED);
  });
});

describe('PATCH of a locked object', () => {
  it('with the token is 204 and starts the clock again', async () => {
    const held = await lock(alice, path, { timeout: 1200 });
    await age(editors, path, 100);
    const before = (await seenBy(alice)) as unknown as LockJson;
    const { status, text } = await save(alice, held.token);
    expect([status, text]).toEqual([204, '']);
    const after = (await seenBy(alice)) as unknown as LockJson;
    expect(after).toMatchObject({ token: held.token, timeout: 1200 });
    expect(after.time - before.time).toBeGreaterThanOrEqual(100);
  });

  it.each([['<opaquelocktoken:%s>'], ['<urn:uuid:%s>'], ['opaquelocktoken:%s'], ['urn:uuid:%s'], ['<%s>']])(
    'takes the token as %s',
    async (spelling) => {
      const { token } = await lock(alice, path);
      expect((await save(alice, spelling.replace('%s', token))).status).toBe(204);
    },
  );

  it('without a token is 403, for its holder too', async () => {
    await lock(alice, path);
    for (const by of [alice, bob, mia]) expectLocked(await save(by));
    expect((await alice.get(path)).json.title).toBe('New');
  });

  it('with a wrong token is 403', async () => {
    const { token } = await lock(alice, path);
    for (const wrong of ['x', token.slice(1), `${token}x`, token.toUpperCase(), `<x:${token}>`, "' OR 1=1 --"]) {
      expectLocked(await save(alice, wrong));
    }
    expect((await alice.get(path)).json.title).toBe('New');
  });

  it('with the token of its holder, by another user, is 403', async () => {
    const { token } = await lock(alice, path);
    expectLocked(await save(bob, token));
    expectLocked(await save(mia, token));
  });

  it('with an empty form-typed body and the token refreshes the lock and changes nothing else', async () => {
    const held = await lock(alice, path);
    await age(editors, path, 100);
    const before = await alice.get(path);
    const { status, text } = await alice.patch(path, '', {
      ...withToken(held.token),
      'Content-Type': 'application/x-www-form-urlencoded',
    });
    expect([status, text]).toEqual([204, '']);
    const after = await alice.get(path);
    expect(after.json.lock.time - before.json.lock.time).toBeGreaterThanOrEqual(100);
    expect({ ...after.json, lock: null }).toEqual({ ...before.json, lock: null });
    expectLocked(await alice.patch(path, ''));
    expectLocked(await bob.patch(path, '', withToken(held.token)));
  });

  it('with X-Plone-Unlock releases the lock with the change, and not without it', async () => {
    const held = await lock(alice, path);
    expectLocked(await save(alice, 'wrong', { 'X-Plone-Unlock': 'true' }));
    expect((await save(alice, held.token, { 'X-Plone-Unlock': 'true', 'If-Match': '"0"' })).status).toBe(412);
    expect(await seenBy(alice)).toEqual(held);
    expect((await save(alice, held.token, { 'X-Plone-Unlock': 'true' })).status).toBe(204);
    expect(await seenBy(alice)).toEqual(UNLOCKED);
    expectAnswer(await unlock(alice, {}), UNLOCKED);
  });
});

describe('PATCH of an object that is not locked', () => {
  it('is 204 with any token that nobody ever had', async () => {
    for (const token of ['x', '00000000-0000-4000-8000-000000000000', 'é', '<>']) {
      expect((await save(alice, token)).status).toBe(204);
    }
  });

  it('is 204 when the unlock overtook the save', async () => {
    const { token } = await lock(alice, path);
    await unlock(alice, {});
    expect((await save(alice, token)).status).toBe(204);
    // And a second one: the changes since were the same user's.
    expect((await save(alice, token)).status).toBe(204);
  });

  const ENDS: [string, (token: string) => Promise<unknown>][] = [
    ['ran out', () => expire(editors, path)],
    ['was stolen by force', () => unlock(bob, { force: true })],
    ['was released', () => unlock(alice)],
    ['was taken in one step and released', async () => (await post(bob, { force: true }), await unlock(bob))],
    ['ran out and was taken anew', async () => (await expire(editors, path), await lock(bob, path), await unlock(bob))],
  ];
  it.each(ENDS)('is 204 with the token of a lock that %s while nobody changed it', async (_how, end) => {
    const { token } = await lock(alice, path);
    await end(token);
    expect((await save(alice, token)).status).toBe(204);
  });

  it.each(ENDS)('is 412 with the token of a lock that %s when another user changed it since', async (_how, end) => {
    const { token } = await lock(alice, path);
    await end(token);
    expect((await save(bob)).status).toBe(204);
    const { status, json } = await save(alice, token);
    expect([status, json.type]).toEqual([412, 'PreconditionFailed']);
    expect((await alice.get(path)).json.title).toContain(bob.authorization);
    // The change of the other counts, also below one's own later ones without a token.
    expect((await save(alice)).status).toBe(204);
    expect((await save(alice, token)).status).toBe(412);
    // Who has seen it locks again.
    const { token: fresh } = await lock(alice, path);
    expect((await save(alice, fresh)).status).toBe(204);
  });

  it('is 204 with a former token when the other changed it before that was issued', async () => {
    expect((await save(bob)).status).toBe(204);
    const { token } = await lock(alice, path);
    await unlock(alice);
    expect((await save(alice, token)).status).toBe(204);
  });

  it.each([
    ['a former token', (token: string) => token],
    ['another token', () => randomUUID()],
    ['something else', () => 'x'],
  ])('looks at no other former locks of the object, for %s', async (_what, sent) => {
    const { token } = await lock(alice, path);
    await unlock(alice);
    const { app } = editors;
    await app.sql(
      `INSERT INTO content_lock_token
       SELECT uid, gen_random_uuid(), issued_at, ended_at FROM content_lock_token, generate_series(1, 3000) WHERE token = $1`,
      [token],
    );
    const read = async (): Promise<number> => {
      const [row] = await app.sql<{ rows: string }>(
        `SELECT seq_tup_read + idx_tup_fetch AS rows FROM pg_stat_xact_user_tables WHERE relname = 'content_lock_token'`,
      );
      return Number(row!.rows);
    };
    const uid = await uidOf(alice, path);
    await app.sql('BEGIN');
    const before = await read();
    const [row] = await app.sql(`SELECT content_lock_verdict($1, 'alice', $2) AS verdict`, [uid, sent(token)]);
    const after = await read();
    await app.sql('COMMIT');
    expect(row).toEqual({ verdict: 'free' });
    expect(after - before).toBeLessThanOrEqual(1);
  });

  it('does not revive a lock that ran out', async () => {
    const { token } = await lock(alice, path);
    await expire(editors, path);
    expect((await save(alice, token)).status).toBe(204);
    expect(await seenBy(alice)).toEqual(UNLOCKED);
  });

  it('is refused with a former token while another holds it', async () => {
    const { token } = await lock(alice, path);
    await lock(bob, path, { force: true });
    expectLocked(await save(alice, token));
  });
});
