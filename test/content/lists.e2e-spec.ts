import { startApp, type TestApp } from '../support/start-app';
import { ContentHttp, USERS } from './content-http';

let app: TestApp;
let anybody: ContentHttp;
let alice: ContentHttp;

beforeAll(async () => {
  app = await startApp({ CMS_USERS: USERS });
  anybody = new ContentHttp(app.port);
  alice = anybody.as('alice');
});
afterAll(() => app.close());

async function folderOf(id: string, children: readonly string[]): Promise<string> {
  await alice.add('/', { '@type': 'Folder', id });
  for (const child of children) await alice.add(`/${id}`, { id: child, title: child.toUpperCase(), extra: child });
  return `/${id}`;
}

const idsOf = async (path: string): Promise<string[]> =>
  ((await anybody.get(path)).json.items as { id: string }[]).map(({ id }) => id);

describe('items of a folder', () => {
  let path: string;
  beforeAll(async () => void (path = await folderOf('listed', ['e', 'd', 'c', 'b', 'a'])));

  it('are summaries in the order in which they were added', async () => {
    const { json } = await anybody.get(path);
    expect(await idsOf(path)).toEqual(['e', 'd', 'c', 'b', 'a']);
    expect(json.items_total).toBe(5);
    expect(json.batching).toBeUndefined();
    expect(json.items[0]).toMatchObject({
      '@id': anybody.url('/listed/e'),
      '@type': 'Document',
      title: 'E',
      review_state: 'published',
      is_folderish: false,
    });
    expect(json.items[0].extra).toBeUndefined();
  });

  it('come in batches whose links lead through all of them', async () => {
    const { json } = await anybody.get(`${path}?b_size=2&x=y%26z`);
    const url = anybody.url(`${path}?x=y%26z`);
    expect(json.batching).toEqual({
      '@id': `${url}&b_start=0&b_size=2`,
      first: `${url}&b_start=0&b_size=2`,
      last: `${url}&b_start=4&b_size=2`,
      next: `${url}&b_start=2&b_size=2`,
    });
    expect(json['@id']).toBe(anybody.url(path));
    const seen: string[] = [];
    for (let next: string | undefined = json.batching.first; next;) {
      const page = (await anybody.get(next.replace(anybody.url(''), ''))).json;
      expect(page.items_total).toBe(5);
      seen.push(...page.items.map(({ id }: { id: string }) => id));
      next = page.batching.next;
    }
    expect(seen).toEqual(['e', 'd', 'c', 'b', 'a']);
    const last = (await anybody.get(`${path}?b_start=4&b_size=2`)).json;
    expect([last.items.length, last.batching.prev, last.batching.next]).toEqual([
      1,
      anybody.url(`${path}?b_start=2&b_size=2`),
      undefined,
    ]);
    const beyond = (await anybody.get(`${path}?b_start=100&b_size=2`)).json;
    expect([beyond.items, beyond.items_total]).toEqual([[], 5]);
    expect((await anybody.get(`${path}?b_size=0`)).json).toMatchObject({ items: [], items_total: 5 });
  });

  it.each(['b_start=-1', 'b_size=x', 'b_start=1.5', 'b_size=99999999999', 'b_start=1e3'])(
    '%s is 400',
    async (query) => {
      expect(await anybody.get(`${path}?${query}`)).toMatchObject({ status: 400, json: { type: 'BadRequest' } });
    },
  );

  it('are left out, or shown in full, when asked', async () => {
    for (const off of ['false', '0']) {
      const { json } = await anybody.get(`${path}?include_items=${off}`);
      expect([json.items, json.items_total]).toEqual([undefined, undefined]);
    }
    for (const query of ['fullobjects', 'fullobjects=1', 'fullobjects=true']) {
      const { json } = await anybody.get(`${path}?${query}`);
      expect(json.items[0]).toEqual((await anybody.get('/listed/e')).json);
    }
    expect((await anybody.get(`${path}?fullobjects=false`)).json.items[0].extra).toBeUndefined();
  });
});

describe('ordering', () => {
  let path: string;
  beforeAll(async () => void (path = await folderOf('ordered', ['a', 'b', 'c', 'd', 'e'])));

  it.each<[unknown, string]>([
    [{ obj_id: 'e', delta: 'top' }, 'eabcd'],
    [{ obj_id: 'a', delta: 'bottom' }, 'ebcda'],
    [{ obj_id: 'b', delta: 2 }, 'ecdba'],
    [{ obj_id: 'b', delta: -1 }, 'ecbda'],
    [{ obj_id: 'e', delta: 100 }, 'cbdae'],
    [{ obj_id: 'e', delta: -100 }, 'ecbda'],
    [{ obj_id: 'c', delta: 0 }, 'ecbda'],
    [{ obj_id: 'a', delta: -1, subset_ids: ['e', 'b', 'a'] }, 'ecadb'],
    [{ obj_id: 'b', delta: 'top', subset_ids: ['e', 'a', 'b'] }, 'bceda'],
  ])('%j makes %s', async (ordering, order) => {
    expect((await alice.patch(path, { ordering })).status).toBe(204);
    expect((await idsOf(path)).join('')).toBe(order);
  });

  it.each([
    [{ obj_id: 'nobody', delta: 1 }, /There is no/],
    [{ obj_id: 'a', delta: 1, subset_ids: ['a', 'b'] }, 'Client/server ordering mismatch'],
    [{ obj_id: 'a', delta: 1, subset_ids: ['b', 'nobody', 'a'] }, 'Client/server ordering mismatch'],
    [{ obj_id: 'a', delta: 'up' }, /delta/],
    [{ obj_id: 'a', delta: 1.5 }, /delta/],
    [{ obj_id: 'a', delta: 1e300 }, /delta/],
    [{ obj_id: 'a' }, /delta/],
    [{ delta: 1 }, /obj_id/],
    [{ obj_id: 'a\u0000', delta: 1 }, /obj_id/],
    [{ obj_id: 'a', delta: 1, subset_ids: 'a' }, /subset_ids/],
    [[], /obj_id/],
    ['top', /ordering/],
  ])('%j is 400 and changes nothing', async (ordering, message) => {
    const before = await idsOf(path);
    const { status, json } = await alice.patch(path, { ordering, title: 'lost' });
    expect([status, json.type]).toEqual([400, 'BadRequest']);
    expect(json.message).toMatch(message);
    expect(await idsOf(path)).toEqual(before);
    expect((await anybody.get(path)).json.title).not.toBe('lost');
  });
});

describe('a folder of 10,000', () => {
  let path: string;
  beforeAll(async () => {
    path = await folderOf('large', []);
    await app.sql(
      `INSERT INTO content_object (uid, parent_uid, id, type, title, description, fields, position, version, created, modified,
         created_by, last_by, last_at)
       SELECT md5(n::text), f.uid, 'n' || n, 'Document', 'same title', '', '{}', n, nextval('content_version_seq'), now(), now(),
              'x', 'x', now()
         FROM content_object f, generate_series(1, 10000) n WHERE f.id = 'large'`,
    );
  });

  it('is walked page by page without loss', async () => {
    const seen: string[] = [];
    for (let start = 0; start < 10_000; start += 1000)
      seen.push(...(await idsOf(`${path}?b_start=${start}&b_size=5000`)));
    expect(seen).toEqual(Array.from({ length: 10_000 }, (_, index) => `n${index + 1}`));
  });

  it('answers its last page, a new child and a reordering quickly', async () => {
    /** The quickest of some: others can slow down single ones by any amount, and what is slow by itself is slow every time. */
    const time = async (act: () => Promise<{ status: number }>): Promise<number> => {
      let least = Infinity;
      for (let turn = 0; turn < 5; turn++) {
        const start = performance.now();
        expect((await act()).status).toBeLessThan(300);
        least = Math.min(least, performance.now() - start);
      }
      return least;
    };
    const order = (delta: unknown) => alice.patch(path, { ordering: { obj_id: 'new', delta } });
    expect(await time(() => anybody.get(`${path}?b_start=9975`))).toBeLessThan(500);
    expect(await time(() => alice.post(path, { '@type': 'Document', title: 'New' }))).toBeLessThan(500);
    expect(await time(() => order(-3))).toBeLessThan(1000);
    // From the far end each time.
    expect(await time(async () => (await order('bottom'), await order('top')))).toBeLessThan(2000);
    expect((await idsOf(path))[0]).toBe('new');
  });

  it('reads no more of the folder than a page needs', async () => {
    const [folder] = await app.sql<{ uid: string }>(`SELECT uid FROM content_object WHERE id = 'large'`);
    const blocksOf = async (start: number): Promise<number> => {
      const [row] = await app.sql<{
        'QUERY PLAN': { Plan: { 'Shared Hit Blocks': number; 'Shared Read Blocks': number } }[];
      }>(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM content_page($1, ${start}, 25)`, [folder!.uid]);
      const { Plan: plan } = row!['QUERY PLAN'][0]!;
      return plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
    };
    // The least of some: the first one plans, and so does one behind an ANALYZE by the server itself.
    const counts: number[] = [];
    for (let turn = 0; turn < 4; turn++) counts.push(await blocksOf(0));
    expect(Math.min(...counts)).toBeLessThan(50);
  });

  it('is not ordered among a megabyte of ids that it has not', async () => {
    const subset_ids = Array.from({ length: 250_000 }, () => 'x');
    const { status, json } = await alice.patch(path, { ordering: { obj_id: 'n1', delta: 1, subset_ids } });
    expect([status, json.message]).toEqual([400, 'Client/server ordering mismatch']);
  });

  it('is ordered among all of its children, named', async () => {
    const subset_ids: string[] = [];
    for (let start = 0; start < 11_000; start += 1000)
      subset_ids.push(...(await idsOf(`${path}?b_start=${start}&b_size=1000`)));
    const ordering = { obj_id: subset_ids.at(-1), delta: 'top', subset_ids };
    expect((await alice.patch(path, { ordering })).status).toBe(204);
    expect((await idsOf(path)).slice(0, 2)).toEqual([subset_ids.at(-1), subset_ids[0]]);
  });

  it('is deleted as a whole', async () => {
    expect((await alice.delete(path)).status).toBe(204);
    expect(await app.sql(`SELECT FROM content_object WHERE title = 'same title'`)).toEqual([]);
  });
});
