import { type ContentAnswer, type ContentHttp } from '../content/content-http';
import { exchange, requestText } from '../support/raw-http';
import {
  type Editors,
  expectLocked,
  expire,
  freshObject,
  lock,
  type LockJson,
  lockSeenBy,
  startEditors,
  uidOf,
  UNLOCKED,
  withToken,
} from './editors';

/** Who may do what, who sees the token, and where the lock shows (content contract sections 2, 6 and 14). */

let editors: Editors;
let alice: ContentHttp;
let bob: ContentHttp;
let path: string;

beforeAll(async () => {
  editors = await startEditors();
  ({ alice, bob } = editors);
});
afterAll(() => editors.app.close());
beforeEach(async () => {
  path = await freshObject(editors);
});

const hidden = ({ token: _token, ...rest }: LockJson): object => rest;

describe('the key `lock` of content', () => {
  it('is the lock info, with token for the holder and for nobody else', async () => {
    expect((await alice.get(path)).json.lock).toEqual(UNLOCKED);
    const held = await lock(alice, path);
    expect((await alice.get(path)).json.lock).toEqual(held);
    for (const by of [bob, editors.mia, editors.rita, editors.nobody]) {
      expect((await by.get(path)).json.lock).toEqual(hidden(held));
      expect(await lockSeenBy(by, path)).toEqual(hidden(held));
      expect((await by.get(path)).text).not.toContain(held.token);
    }
    await expire(editors, path);
    expect((await alice.get(path)).json.lock).toEqual(UNLOCKED);
  });

  it('is in every session of the holder, whatever its credentials', async () => {
    const held = await lock(alice, path);
    const { json } = await editors.nobody.post('/@login', { login: 'alice', password: 'pw' });
    const bearer = editors.nobody.with(`Bearer ${json.token}`);
    expect((await bearer.get(path)).json.lock).toEqual(held);
    expect(await lock(bearer, path)).toMatchObject({ token: held.token });
  });

  it('is in answers to POST and to PATCH with return=representation', async () => {
    const { json } = await alice.post('/', { '@type': 'Document', title: 'made' });
    expect(json.lock).toEqual(UNLOCKED);
    const { token } = await lock(alice, path);
    const changed = await alice.patch(
      path,
      { title: 'changed' },
      { ...withToken(token), Prefer: 'return=representation' },
    );
    expect(changed.json).toMatchObject({ title: 'changed', lock: { token } });
    const released = await alice.patch(
      path,
      {},
      {
        ...withToken(token),
        Prefer: 'return=representation',
        'X-Plone-Unlock': 'true',
      },
    );
    expect(released.json.lock).toEqual(UNLOCKED);
  });

  it('is in items only where those are shown in full', async () => {
    const folder = await freshObject(editors, { '@type': 'Folder' });
    const child = await alice.add(folder, { id: 'child' });
    await alice.add(folder, { id: 'free' });
    const held = await lock(alice, child);
    const items = async (by: ContentHttp, query = ''): Promise<Record<string, unknown>[]> =>
      (await by.get(`${folder}${query}`)).json.items as Record<string, unknown>[];
    expect((await items(alice)).map(({ lock }) => lock)).toEqual([undefined, undefined]);
    expect((await items(alice, '?fullobjects=1')).map(({ lock }) => lock)).toEqual([held, UNLOCKED]);
    expect((await items(bob, '?fullobjects=1')).map(({ lock }) => lock)).toEqual([hidden(held), UNLOCKED]);
  });

  it('changes the entity tag for whoever asks with the old one', async () => {
    const { headers } = await bob.get(path);
    const ifNoneMatch = { 'If-None-Match': headers.etag! };
    expect((await bob.get(path, ifNoneMatch)).status).toBe(304);
    await lock(alice, path);
    expect((await bob.get(path, ifNoneMatch)).status).toBe(200);
  });

  it('cannot be written', async () => {
    const { token } = await lock(alice, path);
    expect((await alice.patch(path, { lock: { locked: false } }, withToken(token))).status).toBe(204);
    expect((await alice.get(path)).json.lock).toMatchObject({ locked: true, token });
  });
});

describe('rights', () => {
  const CALLS: [string, (by: ContentHttp) => Promise<ContentAnswer>][] = [
    ['POST', (by) => by.post(`${path}/@lock`)],
    ['PATCH', (by) => by.patch(`${path}/@lock`)],
    ['DELETE', (by) => by.delete(`${path}/@lock`)],
  ];
  it.each(CALLS)('%s @lock needs the right to modify: 401 for nobody, 403 for a reader', async (_verb, call) => {
    const { status, json } = await call(editors.nobody);
    expect([status, json.type]).toEqual([401, 'Unauthorized']);
    const known = await call(editors.rita);
    expect([known.status, known.json.type]).toEqual([403, 'Forbidden']);
    for (const by of [bob, editors.mia]) expect((await call(by)).status).toBe(200);
  });

  it.each(CALLS)('%s @lock refuses before it looks whether there is such an object', async (_verb, call) => {
    path = '/nowhere/at/all';
    expect((await call(editors.nobody)).status).toBe(401);
    expect((await call(editors.rita)).status).toBe(403);
    const { status, json } = await call(bob);
    expect([status, json]).toEqual([
      404,
      { type: 'NotFound', message: `Resource not found: ${bob.url(path)}`, context: bob.url('') },
    ]);
  });

  it('wrong credentials are 401 also where none are needed', async () => {
    const wrong = editors.nobody.with(`Basic ${Buffer.from('alice:wrong').toString('base64')}`);
    expect((await wrong.get(`${path}/@lock`)).status).toBe(401);
  });
});

describe('a lock of somebody who is no longer there', () => {
  it('is shown with the id for a name, blocks, and runs out', async () => {
    const { token } = await lock(alice, path);
    await editors.app.sql(`UPDATE content_lock SET holder = 'gone é' WHERE token = $1`, [token]);
    expect(await lockSeenBy(alice, path)).toMatchObject({
      creator: 'gone é',
      creator_name: 'gone é',
      creator_url: alice.url('/@users/gone%20%C3%A9'),
    });
    expectLocked(await alice.patch(path, { title: 'x' }, withToken(token)));
    await expire(editors, path);
    expect((await bob.patch(path, { title: 'x' })).status).toBe(204);
  });
});

describe('@lock-release', () => {
  const release = (token: unknown, by = editors.nobody, headers = {}) =>
    by.send('POST', `${path}/@lock-release`, {
      body: token,
      headers: { 'content-type': 'text/plain;charset=UTF-8', ...headers },
    });

  it('ends the lock by its token, without credentials', async () => {
    const { token } = await lock(alice, path);
    const { status, text } = await release(token);
    expect([status, text]).toEqual([204, '']);
    expect(await lockSeenBy(alice, path)).toEqual(UNLOCKED);
    // Again, and of a lock that others have taken since.
    expect((await release(token)).status).toBe(204);
    const held = await lock(bob, path);
    expect((await release(token)).status).toBe(204);
    expect(await lockSeenBy(bob, path)).toEqual(held);
  });

  it('leaves the lock alone for any other token, and says nothing', async () => {
    const held = await lock(alice, path);
    const { token: other } = await lock(bob, await freshObject(editors));
    for (const wrong of ['x', other, `${held.token}x`, held.token.toUpperCase(), '{}', Buffer.from([0xff, 0xfe])]) {
      expect((await release(wrong)).status).toBe(204);
    }
    expect(await lockSeenBy(alice, path)).toEqual(held);
  });

  it('does not look at credentials, wrong ones included', async () => {
    const { token } = await lock(alice, path);
    expect((await release(token, editors.nobody.with('Bearer rubbish'))).status).toBe(204);
    expect(await lockSeenBy(alice, path)).toEqual(UNLOCKED);
  });

  it('refuses bodies that are no token: none, one too long, U+0000', async () => {
    for (const [body, expected] of [
      ['', 400],
      ['  ', 400],
      ['a\0b', 400],
      ['a'.repeat(257), 413],
    ] as const) {
      const { status, json } = await release(body);
      expect([status, typeof json.type, typeof json.message]).toEqual([expected, 'string', 'string']);
    }
    // Not all of this need be taken in, and a client that still sends then hears of a broken connection first.
    const tooMuch = requestText('POST', `${path}/@lock-release`, { Host: '127.0.0.1' }, 'a'.repeat(1024 * 1024 + 1));
    const answer = await exchange(editors.app.port, tooMuch);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      413,
      expect.objectContaining({ type: expect.any(String), message: expect.any(String) }),
    ]);
  });

  it('is 404 where there is no object', async () => {
    path = '/nowhere';
    expect((await release('x')).status).toBe(404);
  });
});

describe('bodies of @lock', () => {
  const VERBS = ['POST', 'PATCH', 'DELETE'] as const;
  const send = (method: string, body: unknown, headers = {}) => alice.send(method, `${path}/@lock`, { body, headers });

  it.each(VERBS)('%s refuses what is no JSON object with 400 and changes nothing', async (verb) => {
    const held = await lock(alice, path);
    const bad = ['[]', '{bad', '"x"', '1', 'null', 'true', '[{}]', '{"a":', '\u0000', Buffer.from([0x7b, 0xff, 0x7d])];
    for (const body of [...bad, '{"__proto__":{}}', `{"a":${'['.repeat(200)}${']'.repeat(200)}}`]) {
      const { status, json } = await send(verb, body);
      expect([status, json]).toEqual([
        400,
        { error: { type: 'DeserializationError', message: 'No JSON object could be decoded' } },
      ]);
    }
    expect(await lockSeenBy(alice, path)).toEqual(held);
  });

  it.each(['POST', 'PATCH'])('%s takes a timeout of whole seconds from 1 on', async (verb) => {
    await lock(alice, path);
    const bad = ['"x"', '0', '-5', '1.5', '"600"', 'true', '{}', '[]', '"infinite"', '0.5', '-1e9'];
    for (const timeout of bad) {
      const { status, json } = await send(verb, `{"timeout":${timeout}}`);
      expect([timeout, status, json.type]).toEqual([timeout, 400, 'BadRequest']);
    }
    for (const [timeout, granted] of [
      ['1', 1],
      ['1.0', 1],
      ['1e2', 100],
      ['86400', 86_400],
      ['86401', 86_400],
      ['99999999999', 86_400],
      ['1e300', 86_400],
      ['null', 86_400],
    ] as const) {
      expect((await send(verb, `{"timeout":${timeout}}`)).json.timeout).toBe(granted);
      // Not a refresh, which a lock of one second may not live to see.
      await alice.post(`${path}/@lock`, { timeout: 86_400 });
    }
  });

  it('without a timeout, or with null, the default of 600 is granted', async () => {
    for (const body of ['', '{}', '{"timeout":null,"stealable":null,"force":null}', ' {} ', '{"other":[1]}']) {
      expect((await send('POST', body)).json).toMatchObject({ timeout: 600, stealable: true });
      await alice.delete(`${path}/@lock`);
    }
  });

  it('flags are true or false', async () => {
    for (const body of ['{"stealable":"yes"}', '{"stealable":1}', '{"force":"true"}']) {
      expect((await send('POST', body)).status).toBe(400);
    }
    expect((await send('DELETE', '{"force":1}')).status).toBe(400);
    expect(await lockSeenBy(alice, path)).toEqual(UNLOCKED);
  });

  it('are JSON whatever they call themselves', async () => {
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'nonsense', 'application/xml']) {
      const { json } = await send('POST', '{"timeout":77}', { 'content-type': type });
      expect(json.timeout).toBe(77);
      expect((await send('DELETE', '{"force":true}', { 'content-type': type })).json).toEqual(UNLOCKED);
    }
  });
});

describe('CONTENT_LOCK_TIME=iso', () => {
  it('writes `time` like `created`, which ends in Z', async () => {
    const iso = await startEditors({ CONTENT_LOCK_TIME: 'iso' }, editors.app);
    try {
      const { created, time } = (await lock(iso.alice, path)) as unknown as { created: string; time: string };
      expect(created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(time).toBe(created);
      const seen = await lockSeenBy(alice, path);
      expect(seen['created']).toBe(created.replace('Z', '+00:00'));
      expect(seen['time']).toBe(Date.parse(created) / 1000);
    } finally {
      await iso.app.close();
    }
  });
});

describe('PUBLIC_URL', () => {
  it('stands in the URL of the holder', async () => {
    const elsewhere = await startEditors({ PUBLIC_URL: 'https://cms.example/' }, editors.app);
    try {
      expect((await lock(elsewhere.alice, path)).creator_url).toBe('https://cms.example/@users/alice');
    } finally {
      await elsewhere.app.close();
    }
  });
});

describe('a lock that is asked for behind /++api++', () => {
  it('is the same, and no URL has the prefix', async () => {
    const api = alice.behind('/++api++');
    const { creator_url: url } = await lock(api, path);
    expect(url).toBe(alice.url('/@users/alice'));
    expect(await lockSeenBy(bob, path)).toMatchObject({ creator: 'alice' });
    expect((await api.get(`/${path}/@lock/`)).json).toMatchObject({ locked: true });
    expect((await api.get(`${path}/@lock/more`)).status).toBe(404);
    expect((await api.send('PUT', `${path}/@lock`)).status).toBe(405);
    expect((await uidOf(api, path)).length).toBe(32);
  });
});

describe('the calls of older versions', () => {
  it.each(['@unlock', '@refresh-lock'])('%s is not offered', async (view) => {
    expect((await alice.post(`${path}/${view}`)).status).toBe(404);
  });
});
