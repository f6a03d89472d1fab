import { AuditLog } from '../../src/events/audit-log';
import { type ContentAnswer, type ContentHttp } from '../content/content-http';
import {
  type Editors,
  expectLocked,
  expire,
  freshObject,
  lock,
  lockSeenBy,
  startEditors,
  uidOf,
  UNLOCKED,
  withToken,
} from './editors';

/** `/api/v1/content-locks` (native API contract section 2), and what the audit log keeps of locks that ended by force. */

const BOARD = '/api/v1/content-locks';

let editors: Editors;
let alice: ContentHttp;
let bob: ContentHttp;
let mia: ContentHttp;
let folder: string;

beforeAll(async () => {
  editors = await startEditors({ DAPR_API_TOKEN: 'token-of-the-locks' });
  ({ alice, bob, mia } = editors);
});
afterAll(() => editors.app.close());
beforeEach(async () => {
  folder = await freshObject(editors, { '@type': 'Folder' });
});

interface Page {
  items: Record<string, unknown>[];
  next: string | null;
}

async function list(query: string, by = alice): Promise<Page> {
  const { status, json, text } = await by.get(`${BOARD}?${query}`);
  if (status !== 200) throw new Error(`${query} got ${status} ${text}`);
  return json as Page;
}
const below = (path: string, more = ''): string => `path-prefix=${encodeURIComponent(path)}${more}`;
const breakLock = (by: ContentHttp, uid: string, query = '?reason=on+holiday'): Promise<ContentAnswer> =>
  by.delete(`${BOARD}/${uid}${query}`);

async function lockedChild(id: string, by = alice, options?: object): Promise<{ path: string; token: string }> {
  const path = await alice.add(folder, { id, title: `Title of ${id}` });
  return { path, token: (await lock(by, path, options)).token };
}

describe('the list', () => {
  it('shows each lock in force with its object, and no token', async () => {
    const { path, token } = await lockedChild('x', bob, { timeout: 1200, stealable: false });
    const { items, next } = await list(below(folder));
    const [item] = items;
    const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/) as unknown;
    expect([items, next]).toEqual([
      [
        {
          uid: await uidOf(alice, path),
          path,
          title: 'Title of x',
          holder: 'bob',
          created: iso,
          expiresAt: iso,
          timeout: 1200,
          stealable: false,
        },
      ],
      null,
    ]);
    expect(Date.parse(item!['expiresAt'] as string) - Date.parse(item!['created'] as string)).toBe(1_200_000);
    expect(JSON.stringify(items)).not.toContain(token);
  });

  it('leaves out what ran out, was released, or went with its object', async () => {
    const { path: old } = await lockedChild('old');
    const { path: released } = await lockedChild('released');
    const { path: removed, token } = await lockedChild('removed');
    const { path: kept } = await lockedChild('kept');
    await expire(editors, old);
    await alice.delete(`${released}/@lock`);
    await alice.delete(removed, withToken(token));
    expect((await list(below(folder))).items.map(({ path }) => path)).toEqual([kept]);
  });

  it('follows an object that is renamed', async () => {
    const { path, token } = await lockedChild('x');
    await alice.patch(path, { id: 'y' }, withToken(token));
    expect((await list(below(folder))).items.map(({ path }) => path)).toEqual([`${folder}/y`]);
  });

  it('has the site root as /', async () => {
    await lock(alice, '');
    const { items } = await list('path-prefix=/');
    expect(items.map(({ path }) => path)).toContain('/');
    await alice.delete('/@lock');
  });

  it('filters by path and holder, literally', async () => {
    const { path: one } = await lockedChild('one', alice);
    const { path: two } = await lockedChild('two', bob);
    const paths = async (query: string): Promise<unknown[]> => (await list(query)).items.map(({ path }) => path).sort();
    expect(await paths(below(folder))).toEqual([one, two]);
    expect(await paths(below(`${folder}/o`))).toEqual([one]);
    expect(await paths(below(folder, '&holder=bob'))).toEqual([two]);
    expect(await paths(below(folder, '&holder=b%25'))).toEqual([]);
    expect(await paths(below(folder, '&holder='))).toEqual([one, two]);
    for (const wild of ['%', '_', '/%', `${folder}/_ne`, '\\', "' OR 1=1 --"])
      expect(await paths(below(wild))).toEqual([]);
  });

  it('comes in pages, each lock once', async () => {
    for (const id of ['a', 'b', 'c', 'd', 'e']) await lockedChild(id);
    const seen: unknown[] = [];
    let after = '';
    for (let page = 1; page <= 3; page++) {
      const { items, next } = await list(below(folder, `&limit=2${after}`));
      expect(items.length).toBe(page < 3 ? 2 : 1);
      seen.push(...items.map(({ path }) => path));
      expect(next === null).toBe(page === 3);
      after = `&after=${next}`;
    }
    expect(seen.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e'].map((id) => `${folder}/${id}`));
    expect(await list(below(folder, '&after=zzz'))).toEqual(await list(below(folder)));
    expect(await list(below(folder, `&after=${'f'.repeat(32)}`))).toEqual({ items: [], next: null });
  });

  it('comes in pages of any size, whatever the number of locks', async () => {
    const {
      json: { UID: uid },
    } = await alice.get(folder);
    await editors.app.sql(
      `INSERT INTO content_object (uid, parent_uid, id, type, title, description, fields, position, version, created, modified,
         created_by, last_by, last_at)
       SELECT md5(n::text), $1, 'n' || n, 'Document', 'many', '', '{}', n, nextval('content_version_seq'), now(), now(), 'x', 'x',
              now()
         FROM generate_series(1, 20000) n`,
      [uid],
    );
    await editors.app.sql(
      `INSERT INTO content_lock
       SELECT uid, 'alice', gen_random_uuid(), now(), now(), now() + interval '1 hour', 3600, true
         FROM content_object WHERE title = 'many'`,
    );
    const { items } = await list('limit=1');
    expect(items.length).toBe(1);
    expect((await list(below(folder, '&limit=1000'))).items.length).toBe(1000);
    expect((await list(below('/nowhere'))).items).toEqual([]);
    await editors.app.sql(`DELETE FROM content_object WHERE title = 'many'`);
  });

  it.each(['limit=0', 'limit=1001', 'limit=x', 'limit=1.5', 'holder=%00', 'path-prefix=a%00'])(
    'refuses %s with 400',
    async (query) => {
      const { status, json, headers } = await alice.get(`${BOARD}?${query}`);
      expect([status, json.type, json.parameter]).toEqual([
        400,
        'urn:latchkey:problem:invalid-argument',
        query.split('=')[0],
      ]);
      expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
    },
  );
});

describe('a break', () => {
  it('ends a lock that is not stealable and answers it as it was', async () => {
    const { path, token } = await lockedChild('x', bob, { stealable: false, timeout: 1200 });
    const uid = await uidOf(alice, path);
    const seen = await lockSeenBy(alice, path);
    const { status, json } = await breakLock(mia, uid);
    expect([status, json]).toEqual([
      200,
      {
        uid,
        path,
        title: 'Title of x',
        holder: 'bob',
        created: (seen['created'] as string).replace('+00:00', 'Z'),
        timeout: 1200,
        stealable: false,
      },
    ]);
    expect(await lockSeenBy(bob, path)).toEqual(UNLOCKED);
    // Who was in the middle of it loses nothing unless another came between.
    expect((await bob.patch(path, { title: 'late' }, withToken(token))).status).toBe(204);
  });

  it('ends the manager’s own lock too', async () => {
    const { path } = await lockedChild('x', mia);
    expect((await breakLock(mia, await uidOf(mia, path))).status).toBe(200);
    expect(await lockSeenBy(mia, path)).toEqual(UNLOCKED);
  });

  it('needs a reason', async () => {
    const { path } = await lockedChild('x');
    const uid = await uidOf(alice, path);
    for (const query of ['', '?reason=', '?reason=%20', `?reason=${'a'.repeat(1001)}`]) {
      const { status, json } = await breakLock(mia, uid, query);
      expect([status, json.parameter]).toEqual([400, 'reason']);
    }
    expect(await lockSeenBy(bob, path)).toMatchObject({ locked: true });
    expect((await breakLock(mia, uid, `?reason=${encodeURIComponent('😀'.repeat(1000))}`)).status).toBe(200);
  });

  it('is 404 where nobody holds a lock', async () => {
    const path = await alice.add(folder, { id: 'free' });
    const { path: old } = await lockedChild('old');
    await expire(editors, old);
    for (const uid of [await uidOf(alice, path), await uidOf(alice, old), 'x', '%00', 'a%2Fb', `${'0'.repeat(31)}1`]) {
      const { status, json } = await breakLock(mia, uid);
      expect([status, json.type]).toEqual([404, 'urn:latchkey:problem:lock-not-held']);
    }
  });
});

describe('rights', () => {
  it.each([
    ['nobody', () => editors.nobody, {}, 401, 401],
    ['the token of lock clients', () => editors.nobody, { 'dapr-api-token': 'token-of-the-locks' }, 403, 403],
    ['a reader', () => editors.rita, {}, 403, 403],
    ['an editor', () => alice, {}, 200, 403],
    ['a manager', () => mia, {}, 200, 200],
  ] as const)('of %s', async (_who, by, headers, listed, broken) => {
    const { path } = await lockedChild('x', bob);
    expect((await by().get(BOARD, headers)).status).toBe(listed);
    expect((await by().get(`${BOARD}?limit=x`, headers)).status).toBe(listed === 200 ? 400 : listed);
    const uid = await uidOf(alice, path);
    expect((await by().delete(`${BOARD}/${uid}?reason=x`, headers)).status).toBe(broken);
    expect((await by().delete(`${BOARD}/nowhere`, headers)).status).toBe(broken === 200 ? 400 : broken);
    expect(await lockSeenBy(bob, path)).toMatchObject({ locked: broken !== 200 });
  });
});

describe('the audit log', () => {
  const auditOf = async (target: string): Promise<Record<string, unknown>[]> =>
    (await mia.get(`/api/v1/audit?surface=content&target=${encodeURIComponent(target)}`)).json.items;
  const entry = (uid: string, more: object): object => ({
    id: expect.any(String) as unknown,
    at: expect.any(String) as unknown,
    address: expect.stringContaining('127.0.0.1') as unknown,
    requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
    surface: 'content',
    outcome: 'done',
    before: null,
    after: null,
    reason: null,
    ...more,
    details: {
      uid,
      holder: 'alice',
      created: expect.stringMatching(/Z$/) as unknown,
      timeout: 600,
      stealable: true,
    },
  });

  it('has who stole, forced and broke, whose lock it was, and why; newest first', async () => {
    const { path, token } = await lockedChild('x');
    const uid = await uidOf(alice, path);
    await lock(bob, path, { force: true });
    await bob.delete(`${path}/@lock`);
    await lock(alice, path);
    await bob.send('DELETE', `${path}/@lock`, { body: { force: true } });
    await lock(alice, path);
    await breakLock(mia, uid, '?reason=on%20holiday');
    const items = await auditOf(path);
    expect(items).toEqual([
      entry(uid, { actor: 'mia', action: 'lock-broken', target: path, reason: 'on holiday' }),
      entry(uid, { actor: 'bob', action: 'lock-forced', target: path }),
      entry(uid, { actor: 'bob', action: 'lock-stolen', target: path }),
    ]);
    expect(JSON.stringify(items)).not.toContain(token);
  });

  it('takes what ends a lock together with its end, or neither', async () => {
    const { path } = await lockedChild('x');
    const uid = await uidOf(alice, path);
    await editors.app.sql(`ALTER TABLE audit_event ADD CONSTRAINT no_room CHECK (target <> '${path}') NOT VALID`);
    try {
      const answers = [
        await bob.send('POST', `${path}/@lock`, { body: { force: true } }),
        await bob.send('DELETE', `${path}/@lock`, { body: { force: true } }),
        await breakLock(mia, uid),
      ];
      expect(answers.map(({ status }) => status)).toEqual([500, 500, 500]);
      expectLocked(await bob.patch(path, {}));
    } finally {
      await editors.app.sql(`ALTER TABLE audit_event DROP CONSTRAINT no_room`);
    }
    expect((await breakLock(mia, uid)).status).toBe(200);
  });

  it('has who looked at the board, and how it was narrowed, for each page: any `after` may be the first', async () => {
    await alice.get(`${BOARD}?path-prefix=/looked-at&holder=bob&limit=1`);
    await bob.get(`${BOARD}?path-prefix=/looked-at&after=${'0'.repeat(32)}`);
    const items = await auditOf('/looked-at*');
    expect(items).toMatchObject([
      { actor: 'bob', action: 'locks-listed', details: null },
      { actor: 'alice', action: 'locks-listed', details: { holder: 'bob' } },
    ]);
  });

  it('has who was refused to force for want of the right, and not who only came second', async () => {
    const { path } = await lockedChild('x', alice, { stealable: false });
    const strict = { Prefer: 'handling=strict' };
    const answers = [
      await bob.post(`${path}/@lock`, { force: true }),
      await bob.send('DELETE', `${path}/@lock`, { body: { force: true } }),
      await bob.post(`${path}/@lock`, undefined, strict),
      await bob.patch(`${path}/@lock`),
      await bob.delete(`${path}/@lock`, strict),
    ];
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 423, 403, 403]);
    await editors.app.app.get(AuditLog).flush();
    const refused = { actor: 'bob', surface: 'content', action: 'refused', outcome: 'refused' };
    for (const method of ['POST', 'DELETE']) {
      expect(await auditOf(`${method} ${path}/@lock`)).toMatchObject([refused]);
    }
    expect(await auditOf(`PATCH ${path}/@lock`)).toEqual([]);
  });

  it('has nothing of what took nothing from anybody', async () => {
    const { path } = await lockedChild('x');
    await alice.send('DELETE', `${path}/@lock`, { body: { force: true } });
    await lock(bob, path, { force: true });
    await lock(bob, path, { force: true });
    await alice.delete(`${path}/@lock`);
    await alice.post(`${path}/@lock`);
    await expire(editors, path);
    await lock(alice, path, { force: true });
    expect(await auditOf(path)).toEqual([]);
    expectLocked(await bob.patch(path, {}));
  });
});
