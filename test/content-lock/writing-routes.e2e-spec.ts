import { type ContentAnswer, type ContentHttp } from '../content/content-http';
import { Dispatcher } from '../../src/http/dispatcher';
import { type Route } from '../../src/http/route-table';
import { type Editors, expectLocked, expire, freshObject, lock, lockSeenBy, startEditors, withToken } from './editors';

/**
 * Every route of the content surface that is not GET, read from the route table itself, against every kind of token. A new route
 * without an entry here fails the first test.
 */

interface WritingRoute {
  /** Calls the route as somebody, for the object at this path, which is a folder. */
  readonly call: (by: ContentHttp, path: string, headers: Record<string, string>) => Promise<ContentAnswer>;
  /** What it answers where no lock stands in the way. */
  readonly done: number;
  /** What a lock makes of it; undefined: nothing, for it changes no content that is there. */
  readonly refused?: 403 | 423;
}

let editors: Editors;
let target: string;
let routes: readonly Route[];

const ROUTES: Record<string, WritingRoute> = {
  'PATCH object': {
    call: (by, path, headers) => by.patch(path, { title: 'changed' }, headers),
    done: 204,
    refused: 403,
  },
  'DELETE object': { call: (by, path, headers) => by.delete(path, headers), done: 204, refused: 423 },
  'POST @move': {
    call: (by, path, headers) => by.post(`${target}/@move`, { source: path }, headers),
    done: 200,
    refused: 423,
  },
  'POST object': {
    call: (by, path, headers) => by.post(path, { '@type': 'Document', title: 'child' }, headers),
    done: 201,
  },
  'POST @copy': { call: (by, path, headers) => by.post(`${target}/@copy`, { source: path }, headers), done: 200 },
  'POST @lock': { call: (by, path, headers) => by.post(`${path}/@lock`, undefined, headers), done: 200 },
  'PATCH @lock': { call: (_by, path, headers) => editors.alice.patch(`${path}/@lock`, undefined, headers), done: 200 },
  'DELETE @lock': { call: (by, path, headers) => by.delete(`${path}/@lock`, headers), done: 200 },
  'POST @lock-release': { call: (by, path, headers) => by.post(`${path}/@lock-release`, 'x', headers), done: 204 },
  'POST @login': {
    call: (by, _path, headers) => by.post('/@login', { login: 'alice', password: 'pw' }, headers),
    done: 200,
  },
  'POST @login-renew': { call: (by, _path, headers) => by.post('/@login-renew', undefined, headers), done: 200 },
  'POST @logout': { call: (by, _path, headers) => by.post('/@logout', undefined, headers), done: 204 },
};
/** Ways to write that share a route with another. */
const VARIANTS: Record<string, WritingRoute> = {
  'PATCH object, rename': {
    call: (by, path, headers) => by.patch(path, { id: `${path.slice(1)}-renamed` }, headers),
    done: 204,
    refused: 403,
  },
  'PATCH object, reorder': {
    call: (by, path, headers) => by.patch(path, { ordering: { obj_id: 'one', delta: 'bottom' } }, headers),
    done: 204,
    refused: 403,
  },
  'PATCH object, empty': { call: (by, path, headers) => by.patch(path, '', headers), done: 204, refused: 403 },
};
const ALL = Object.entries({ ...ROUTES, ...VARIANTS });
const GUARDED = ALL.filter(([, { refused }]) => refused !== undefined);

const nameOf = ({ method, pattern }: Route): string => `${method} ${pattern}`;

beforeAll(async () => {
  editors = await startEditors();
  routes = [...editors.app.app.get(Dispatcher).routes()]
    .filter(({ surface, route }) => surface.name === 'content' && route.method !== 'GET')
    .map(({ route }) => route);
  target = await freshObject(editors, { '@type': 'Folder' });
});
afterAll(() => editors.app.close());

describe('the route table', () => {
  it('has no writing route without an entry here, and says the same of each', () => {
    expect(routes.length).toBeGreaterThan(5);
    for (const route of routes) {
      const entry = ROUTES[nameOf(route)];
      if (!entry) throw new Error(`${nameOf(route)} (${route.handlerName}) has no entry in this spec`);
      expect([nameOf(route), route.changes !== 'nothing']).toEqual([nameOf(route), entry.refused !== undefined]);
    }
    const known = routes.map(nameOf);
    for (const [name, { refused }] of Object.entries(ROUTES)) if (refused) expect(known).toContain(name);
  });
});

async function folder(): Promise<string> {
  const path = await freshObject(editors, { '@type': 'Folder' });
  await editors.alice.add(path, { id: 'one' });
  await editors.alice.add(path, { id: 'two' });
  return path;
}

function expectRefused(answer: ContentAnswer, status: number): void {
  if (status === 403) return expectLocked(answer);
  expect([answer.status, answer.json.type]).toEqual([status, 'ResourceLockedError']);
}

describe.each(GUARDED)('%s', (_name, { call, done, refused }) => {
  let path: string;
  beforeEach(async () => {
    path = await folder();
  });

  it('is refused without the token, with a wrong one, and with the holder’s from another user', async () => {
    const { alice, bob, mia } = editors;
    const { token } = await lock(alice, path);
    const before = (await alice.get(path)).json;
    for (const by of [alice, bob, mia]) {
      expectRefused(await call(by, path, {}), refused!);
      expectRefused(await call(by, path, withToken('00000000-0000-4000-8000-000000000000')), refused!);
    }
    expectRefused(await call(bob, path, withToken(token)), refused!);
    expectRefused(await call(mia, path, withToken(token)), refused!);
    expect((await alice.get(path)).json).toEqual(before);
  });

  it('is refused with the token that the caller has for another object', async () => {
    const { token } = await lock(editors.alice, await freshObject(editors));
    await lock(editors.alice, path);
    expectRefused(await call(editors.alice, path, withToken(token)), refused!);
  });

  it('goes through with the right token', async () => {
    const { token } = await lock(editors.alice, path);
    expect((await call(editors.alice, path, withToken(token))).status).toBe(done);
  });

  it('goes through with the token of a lock that ran out, unless another changed the object since', async () => {
    const { alice, bob } = editors;
    const { token } = await lock(alice, path);
    await expire(editors, path);
    const other = await folder();
    const { token: late } = await lock(alice, other);
    await expire(editors, other);
    expect((await bob.patch(other, { title: 'mine now' })).status).toBe(204);
    expect((await call(alice, path, withToken(token))).status).toBe(done);
    const { status, json } = await call(alice, other, withToken(late));
    expect([status, json.type]).toEqual([412, 'PreconditionFailed']);
    expect((await alice.get(other)).json.title).toBe('mine now');
  });

  it('goes through without a token while nobody holds a lock', async () => {
    expect((await call(editors.bob, path, {})).status).toBe(done);
  });
});

describe('routes that change nothing that is there', () => {
  it('ask for no token, whoever holds the lock', async () => {
    const { alice, bob } = editors;
    for (const route of routes) {
      const { call, done, refused } = ROUTES[nameOf(route)]!;
      if (refused) continue;
      const path = await folder();
      const { token } = await lock(alice, path);
      for (const headers of [{}, withToken('x'), withToken(token)]) {
        expect([nameOf(route), (await call(bob, path, headers)).status]).toEqual([nameOf(route), done]);
      }
      expect(await lockSeenBy(alice, path)).toMatchObject({ creator: 'alice', token });
    }
  });
});
