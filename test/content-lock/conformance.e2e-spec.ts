import { type ContentAnswer, type ContentHttp } from '../content/content-http';
import { atOnce } from '../support/at-once';
import {
  type Editors,
  expectLocked,
  expire,
  freshObject,
  lock,
  type LockJson,
  lockSeenBy,
  startEditors,
  UNLOCKED,
  withToken,
} from './editors';

/** The content contract's section 14, line by line; the first line is http-examples.e2e-spec.ts. */

let editors: Editors;
let alice: ContentHttp;
let bob: ContentHttp;
let mia: ContentHttp;
let path: string;

beforeAll(async () => {
  editors = await startEditors();
  ({ alice, bob, mia } = editors);
});
afterAll(() => editors.app.close());
beforeEach(async () => {
  path = await freshObject(editors);
});

const unlock = (by: ContentHttp, body: object = {}, at = path): Promise<ContentAnswer> =>
  by.send('DELETE', `${at}/@lock`, { body });
const hidden = ({ token: _token, ...rest }: LockJson): object => rest;

it('2. content shows the lock: with token to the holder, without to others and to anonymous viewers', async () => {
  const held = await lock(alice, path);
  expect((await alice.get(path)).json.lock).toEqual(held);
  for (const by of [bob, editors.nobody]) expect((await by.get(path)).json.lock).toEqual(hidden(held));
});

it('3. a refresh keeps token, timeout and stealable', async () => {
  const { token, timeout, stealable } = await lock(alice, path, { timeout: 77, stealable: false });
  expect((await alice.patch(`${path}/@lock`)).json).toMatchObject({ token, timeout, stealable });
});

it('4. a second user sees, cannot save, cannot unlock without force, and can with it', async () => {
  const held = await lock(alice, path);
  const second = await bob.post(`${path}/@lock`);
  expect([second.status, second.json]).toEqual([200, hidden(held)]);
  expectLocked(await bob.patch(path, { title: 'bob' }));
  const plain = await unlock(bob);
  expect([plain.status, plain.json]).toEqual([200, hidden(held)]);
  const forced = await unlock(bob, { force: true });
  expect([forced.status, forced.json]).toEqual([200, UNLOCKED]);
  // The first holder's old token no longer blocks ...
  expect((await bob.patch(path, { title: 'bob' })).status).toBe(204);
  // ... nor helps.
  await lock(bob, path);
  expectLocked(await alice.patch(path, { title: 'alice' }, withToken(held.token)));
});

it('5. a lock that is not stealable is refused to force twice in a row, but not to its holder or a manager', async () => {
  await lock(alice, path, { stealable: false });
  for (let time = 1; time <= 2; time++) expect((await unlock(bob, { force: true })).status).toBe(403);
  expect((await unlock(alice, { force: true })).json).toEqual(UNLOCKED);
  await lock(alice, path, { stealable: false });
  expect((await unlock(mia, { force: true })).json).toEqual(UNLOCKED);
});

it('6. a lock that ran out is none: it reads as free, blocks nobody and can be taken', async () => {
  const held = await lock(alice, path, { timeout: 1 });
  expect(held.timeout).toBe(1);
  await expire(editors, path);
  expect(await lockSeenBy(alice, path)).toEqual(UNLOCKED);
  expect((await bob.get(path)).json.lock).toEqual(UNLOCKED);
  expect((await bob.patch(path, { title: 'bob' })).status).toBe(204);
  const next = await lock(bob, path);
  expect(next.creator).toBe('bob');
  expect(next.token).not.toBe(held.token);
});

it('6. a lock holds exactly until its time is up', async () => {
  await lock(alice, path, { timeout: 600 });
  const shift = (seconds: number): Promise<unknown> =>
    editors.app.sql(
      `UPDATE content_lock SET expires_at = clock_timestamp() + $2 * interval '1 second'
        WHERE uid = (SELECT uid FROM content_object WHERE id = $1)`,
      [path.slice(1), seconds],
    );
  await shift(20);
  expectLocked(await bob.patch(path, { title: 'bob' }));
  expect((await bob.post(`${path}/@lock`)).json.creator).toBe('alice');
  await shift(0);
  expect((await bob.patch(path, { title: 'bob' })).status).toBe(204);
  expect((await bob.post(`${path}/@lock`)).json.creator).toBe('bob');
});

it('7. of 8 POSTs at once by two users one creates, and all agree', async () => {
  const answers = await atOnce(8, (index) => (index % 2 === 0 ? alice : bob).post(`${path}/@lock`));
  expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
  expect(new Set(answers.map(({ json }) => json.creator)).size).toBe(1);
});

it('8. a lock survives rename and move by its holder and goes with the object', async () => {
  const { token } = await lock(alice, path);
  const folder = await freshObject(editors, { '@type': 'Folder' });
  expect((await alice.patch(path, { id: `${path.slice(1)}-2` }, withToken(token))).status).toBe(204);
  expect((await alice.post(`${folder}/@move`, { source: `${path}-2` }, withToken(token))).status).toBe(200);
  const moved = `${folder}${path}-2`;
  expect(await lockSeenBy(alice, moved)).toMatchObject({ token });
  expect((await alice.delete(moved, withToken(token))).status).toBe(204);
  await bob.add(folder, { id: moved.slice(folder.length + 1) });
  expect(await lockSeenBy(alice, moved)).toEqual(UNLOCKED);
});

describe('9. wrong bodies', () => {
  it.each(['[]', '{bad', '{"timeout":"x"}', '{"timeout":0}', '{"timeout":-5}', '{"timeout":1.5}'])(
    '%s is 400 and locks nothing',
    async (body) => {
      const { status, headers, json, text } = await alice.post(`${path}/@lock`, body);
      expect([status, headers['content-type']]).toEqual([400, 'application/json; charset=utf-8']);
      expect(json.message ?? json.error.message).toEqual(expect.any(String));
      expect(text).not.toMatch(/<html|\bat .*\.[jt]s\b|SELECT|node_modules/i);
      expect(await lockSeenBy(alice, path)).toEqual(UNLOCKED);
    },
  );

  it.each(['{"force":true,}', '{"force":true}//'])('DELETE with %s is 400 and ends nothing', async (body) => {
    const { token } = await lock(alice, path);
    const { status, json } = await bob.send('DELETE', `${path}/@lock`, { body });
    expect([status, json]).toEqual([
      400,
      { error: { type: 'DeserializationError', message: 'No JSON object could be decoded' } },
    ]);
    expect(await lockSeenBy(alice, path)).toMatchObject({ token });
  });

  it('a timeout of 99999999999 is cut to a day', async () => {
    expect(await lock(alice, path, { timeout: 99_999_999_999 })).toMatchObject({ timeout: 86_400 });
  });
});
