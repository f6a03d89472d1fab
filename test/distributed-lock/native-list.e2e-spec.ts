import { join } from 'node:path';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { type LockJson } from '../support/lock-http';
import { startApp, type TestApp } from '../support/start-app';
import { DaprClient } from './dapr-client';
import { expire, NativeHttp } from './native-http';

const store = (name: string, keyPrefix: string): string => `apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: ${name}
spec:
  type: lock.postgres
  version: v1
  metadata:
    - name: keyPrefix
      value: ${keyPrefix}
---
`;
/** Begins of 250 resources: long ones that differ behind what the index has, non-ASCII ones, and such as mean something in SQL. */
const KINDS = ['job', `${'x'.repeat(600)}`, 'é/ü', '日本語🔒', '100%_\\', '|'];

let folder: string;
let app: TestApp;
let locks: NativeHttp;
let resources: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-list-'));
  const stores = [
    store('main', 'appid'),
    store('mainly', 'latchkey2'),
    store('all', 'none'),
    store('twin', 'LATCHKEY'),
  ];
  await writeFile(join(folder, 'stores.yaml'), stores.join(''));
  app = await startApp({ LOCK_COMPONENTS_DIR: folder });
  locks = new NativeHttp(app.port, 'main');
  resources = Array.from({ length: 250 }, (_, index) => `${KINDS[index % KINDS.length]} ${index}`);
  const dapr = new DaprClient(app.port);
  await Promise.all(
    resources.map(async (resourceId, index) => {
      const body = { resourceId, lockOwner: `owner ${index % 10}`, expiryInSeconds: 600 };
      expect((await dapr.lock(body, 'main')).text).toBe('{"success":true}');
    }),
  );
  for (const index of [0, 1, 2]) await locks.delete(resources[index]!, `?owner=owner+${index}`);
  for (const index of [3, 4]) await expire(app, resources[index]!);
  for (const name of ['foreign', 'strange']) await locks.in('mainly').grant(name, 'stranger');
  await locks.in('all').grant('job of all', 'stranger');
});
afterAll(async () => {
  await app.close();
  await rm(folder, { recursive: true });
});

/** Every page, one after the other. */
async function pages(from: NativeHttp, query: string): Promise<LockJson[][]> {
  const found: LockJson[][] = [];
  let after: string | null = null;
  do {
    const more: string = after === null ? '' : `&after=${encodeURIComponent(after)}`;
    const { status, json } = await from.list(`?${query}${more}`);
    expect([status, Object.keys(json)]).toEqual([200, ['items', 'next']]);
    found.push(json.items);
    after = json.next;
  } while (after !== null);
  return found;
}
const namesOf = (items: LockJson[]): string[] => items.map(({ resource }) => resource).sort();
const sorted = (names: string[]): string[] => [...names].sort();

describe('a list of locks', () => {
  it('has every lock of the store once, a hundred to a page', async () => {
    const found = await pages(locks, '');
    expect(found.map(({ length }) => length)).toEqual([100, 100, 50]);
    expect(namesOf(found.flat())).toEqual(sorted(resources));
  });

  it.each([1, 7, 125, 250, 1000])('has pages of %i', async (limit) => {
    const found = await pages(locks, `limit=${limit}`);
    expect(found.map(({ length }) => length).slice(0, -1)).toEqual(
      Array.from({ length: Math.ceil(250 / limit) - 1 }, () => limit),
    );
    expect(namesOf(found.flat())).toEqual(sorted(resources));
  });

  it('shows each lock as GET does', async () => {
    const items = (await pages(locks, 'limit=1000')).flat();
    for (const item of items.slice(0, 20)) expect(item).toEqual((await locks.get(item.resource)).json);
  });

  it.each([
    'j',
    'job',
    'job 1',
    'x'.repeat(600),
    `${'x'.repeat(600)} 1`,
    'x'.repeat(512),
    'é/',
    '日本',
    '日本語🔒 9',
    '100%_\\',
    '%',
    '_',
    '|',
    ' ',
    'nothing',
    '||',
  ])('takes the prefix %s literally', async (prefix) => {
    const found = await pages(locks, `limit=9&prefix=${encodeURIComponent(prefix)}`);
    expect(namesOf(found.flat())).toEqual(sorted(resources.filter((name) => name.startsWith(prefix))));
  });

  it('filters by owner, who must hold it still', async () => {
    const owned = (owner: number): string[] => resources.filter((_, index) => index % 10 === owner && index > 4);
    for (const owner of [0, 4, 9]) {
      const found = await pages(locks, `limit=10&owner=owner+${owner}`);
      expect(namesOf(found.flat())).toEqual(sorted(owned(owner)));
    }
    expect((await pages(locks, 'owner=owner')).flat()).toEqual([]);
    expect((await pages(locks, 'owner=owner+0&state=free')).flat()).toEqual([]);
  });

  it('filters by state', async () => {
    const held = (await pages(locks, 'limit=60&state=held')).flat();
    const free = (await pages(locks, 'limit=2&state=free')).flat();
    expect(namesOf(held)).toEqual(sorted(resources.slice(5)));
    expect(namesOf(free)).toEqual(sorted(resources.slice(0, 5)));
    for (const lock of free) expect(lock).toMatchObject({ state: 'free', owner: null, fence: expect.any(String) });
  });

  it('joins its filters', async () => {
    const found = await pages(locks, 'prefix=job&owner=owner+6&state=held&limit=3');
    const expected = resources.filter((name, index) => name.startsWith('job') && index % 10 === 6);
    expect(namesOf(found.flat())).toEqual(sorted(expected));
  });

  it('begins with its first page behind a place that is not in it', async () => {
    const nextOf = async (from: NativeHttp, prefix: string): Promise<string> =>
      (await from.list(`?limit=1&prefix=${encodeURIComponent(prefix)}`)).json.next;
    const before = await nextOf(locks, '100%');
    const behind = [await nextOf(locks, '日本'), await nextOf(locks.in('mainly'), '')];
    for (const after of [before, ...behind]) {
      const { json } = await locks.list(`?limit=1000&prefix=job&after=${encodeURIComponent(after)}`);
      expect(namesOf(json.items)).toEqual(sorted(resources.filter((name) => name.startsWith('job'))));
    }
  });

  it('has no lock of another store, also where prefixes begin alike', async () => {
    expect(namesOf((await pages(locks.in('mainly'), '')).flat())).toEqual(['foreign', 'strange']);
    expect(namesOf((await pages(locks.in('all'), '')).flat())).toEqual(['job of all']);
  });

  it('is the same for stores of one prefix, under their own names', async () => {
    const twin = (await pages(locks.in('twin'), 'limit=1000')).flat();
    expect(namesOf(twin)).toEqual(sorted(resources));
    expect(new Set(twin.map((lock) => lock.store))).toEqual(new Set(['twin']));
  });

  it('names the stores', async () => {
    const { json } = await locks.send('GET', '/api/v1/lock-stores');
    const described = { type: 'lock.postgres', version: 'v1' };
    expect(json).toEqual({ items: ['main', 'mainly', 'all', 'twin'].map((name) => ({ name, ...described })) });
  });
});
