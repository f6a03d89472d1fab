import { type ContentHttp } from '../content/content-http';
import {
  type Editors,
  expectLocked,
  freshObject,
  lock,
  lockSeenBy,
  startEditors,
  uidOf,
  UNLOCKED,
  withToken,
} from './editors';

/** The rows of the content contract's section 7, and what becomes of a lock when its object goes elsewhere. */

let editors: Editors;
let alice: ContentHttp;
let bob: ContentHttp;
let folder: string;

beforeAll(async () => {
  editors = await startEditors();
  ({ alice, bob } = editors);
});
afterAll(() => editors.app.close());
beforeEach(async () => {
  folder = await freshObject(editors, { '@type': 'Folder' });
});

describe('DELETE of a locked object', () => {
  it('is 423 in Plone’s words, for its holder too', async () => {
    const path = await alice.add(folder, { id: 'x' });
    await lock(alice, path);
    for (const by of [alice, bob, editors.mia]) {
      const { status, json } = await by.delete(path);
      expect([status, json]).toEqual([
        423,
        { type: 'ResourceLockedError', message: 'Object "x" is locked.', context: alice.url(path) },
      ]);
    }
    expect((await alice.get(path)).status).toBe(200);
  });

  it('is 204 for the holder with the token; what takes its place is free', async () => {
    const path = await alice.add(folder, { id: 'x' });
    const { token } = await lock(alice, path);
    expect((await alice.delete(path, withToken(token))).status).toBe(204);
    expect((await alice.get(`${path}/@lock`)).status).toBe(404);
    await bob.add(folder, { id: 'x' });
    expect(await lockSeenBy(alice, path)).toEqual(UNLOCKED);
    expect(await editors.app.sql(`SELECT FROM content_lock_token WHERE token = $1`, [token])).toEqual([]);
  });
});

describe('DELETE of a folder', () => {
  it('with locked objects below it is 423 and names the first ones', async () => {
    const deep = await alice.add(folder, { '@type': 'Folder', id: 'deep' });
    await lock(bob, await alice.add(deep, { id: 'below' }));
    await lock(bob, await alice.add(folder, { id: 'beside' }));
    await alice.add(folder, { id: 'free' });
    const { status, json } = await alice.delete(folder);
    expect([status, json]).toEqual([
      423,
      {
        type: 'ResourceLockedError',
        message: 'Objects "beside", "below" are locked.',
        context: alice.url(`${folder}/beside`),
      },
    ]);
    expect((await alice.get(`${folder}/free`)).status).toBe(200);
  });

  it('is 423 even with the folder’s own token while another object in it is locked', async () => {
    const { token } = await lock(alice, folder);
    await lock(alice, await alice.add(folder, { id: 'inside' }));
    const { status, json } = await alice.delete(folder, withToken(token));
    expect([status, json.message]).toEqual([423, 'Object "inside" is locked.']);
    expect(await lockSeenBy(alice, folder)).toMatchObject({ token });
  });

  it('is 204 with the folder’s token once nothing in it is locked', async () => {
    await alice.add(folder, { id: 'inside' });
    const { token } = await lock(alice, folder);
    expect((await alice.delete(folder, withToken(token))).status).toBe(204);
  });
});

describe('@move', () => {
  it('of a locked object is 423 without the token, and moves nothing of several', async () => {
    const locked = await alice.add(folder, { id: 'locked' });
    const free = await alice.add(folder, { id: 'free' });
    await lock(alice, locked);
    const target = await freshObject(editors, { '@type': 'Folder' });
    for (const by of [alice, bob]) {
      const { status, json } = await by.post(`${target}/@move`, { source: [free, locked] });
      expect([status, json.type, json.message]).toEqual([423, 'ResourceLockedError', 'Object "locked" is locked.']);
    }
    expect((await alice.get(free)).status).toBe(200);
  });

  it('takes the lock along', async () => {
    const path = await alice.add(folder, { id: 'x' });
    const { token } = await lock(alice, path, { timeout: 1200 });
    const target = await freshObject(editors, { '@type': 'Folder' });
    expect((await alice.post(`${target}/@move`, { source: path }, withToken(token))).status).toBe(200);
    expect(await lockSeenBy(alice, `${target}/x`)).toMatchObject({ token, timeout: 1200 });
    expect((await alice.get(`${path}/@lock`)).status).toBe(404);
    expectLocked(await bob.patch(`${target}/x`, { title: 'no' }));
  });

  it('of a folder takes locked children along without asking', async () => {
    const child = await alice.add(folder, { id: 'child' });
    const held = await lock(bob, child);
    const target = await freshObject(editors, { '@type': 'Folder' });
    expect((await alice.post(`${target}/@move`, { source: folder })).status).toBe(200);
    expect(await lockSeenBy(bob, `${target}${folder}/child`)).toEqual(held);
  });
});

describe('a rename', () => {
  it('keeps the lock, which is then released at the new address', async () => {
    const path = await alice.add(folder, { id: 'old' });
    const { token } = await lock(alice, path);
    expectLocked(await bob.patch(path, { id: 'new' }));
    expect((await alice.patch(path, { id: 'new' }, withToken(token))).status).toBe(204);
    expect(await lockSeenBy(alice, `${folder}/new`)).toMatchObject({ token });
    expect((await alice.send('DELETE', `${folder}/new/@lock`, { body: {} })).json).toEqual(UNLOCKED);
  });

  it('of a folder above leaves the lock of an object below alone', async () => {
    const path = await alice.add(folder, { id: 'x' });
    const held = await lock(bob, path);
    expect((await alice.patch(folder, { id: `${folder.slice(1)}-2` })).status).toBe(204);
    expect(await lockSeenBy(bob, `${folder}-2/x`)).toEqual(held);
  });
});

describe('@copy', () => {
  it('of a locked object is allowed, and the copy is unlocked', async () => {
    const path = await alice.add(folder, { id: 'x' });
    await lock(alice, path);
    const target = await freshObject(editors, { '@type': 'Folder' });
    expect((await bob.post(`${target}/@copy`, { source: path })).status).toBe(200);
    expect(await lockSeenBy(alice, `${target}/x`)).toEqual(UNLOCKED);
    expect(await uidOf(alice, `${target}/x`)).not.toBe(await uidOf(alice, path));
    expect((await bob.patch(`${target}/x`, { title: 'mine' })).status).toBe(204);
  });
});

describe('a locked folder', () => {
  it('takes new children, and its children are not locked by it', async () => {
    const { token } = await lock(alice, folder);
    const child = await bob.add(folder, { id: 'child' });
    expect((await bob.patch(child, { title: 'mine' })).status).toBe(204);
    expect((await bob.delete(child)).status).toBe(204);
    // Nothing of the folder itself was changed by it, and it is still the holder's.
    expect((await alice.patch(folder, { title: 'still mine' }, withToken(token))).status).toBe(204);
  });

  it('keeps its order without the token', async () => {
    await alice.add(folder, { id: 'a' });
    await alice.add(folder, { id: 'b' });
    const { token } = await lock(alice, folder);
    const ordering = { ordering: { obj_id: 'a', delta: 'bottom' } };
    expectLocked(await bob.patch(folder, ordering));
    expectLocked(await alice.patch(folder, ordering));
    const ids = async (): Promise<string[]> =>
      ((await alice.get(folder)).json.items as { id: string }[]).map(({ id }) => id);
    expect(await ids()).toEqual(['a', 'b']);
    expect((await alice.patch(folder, ordering, withToken(token))).status).toBe(204);
    expect(await ids()).toEqual(['b', 'a']);
  });
});

describe('the site root', () => {
  it('can be locked like any other object', async () => {
    const { token } = await lock(alice, '');
    try {
      expectLocked(await bob.patch('/', { title: 'mine' }));
      expect((await alice.patch('/', { title: 'Site' }, withToken(token))).status).toBe(204);
      expect((await freshObject(editors)).length).toBeGreaterThan(1);
    } finally {
      expect((await alice.delete('/@lock')).json).toEqual(UNLOCKED);
    }
  });
});
