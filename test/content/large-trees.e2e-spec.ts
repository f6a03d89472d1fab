import { randomBytes } from 'node:crypto';
import { MAX_REMOVED_OBJECTS } from '../../src/content/content.repository';
import { SideTransaction } from '../support/side-transaction';
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

/** Adds children to the folders of that id. @param ids SQL of one column, of any number of rows */
const insert = (folder: string, ids: string, type = 'Document'): Promise<unknown> =>
  app.sql(
    `INSERT INTO content_object (uid, parent_uid, id, type, title, description, fields, position, version, created, modified,
       created_by, last_by, last_at)
     SELECT replace(gen_random_uuid()::text, '-', ''), f.uid, i.id, $2, 'Same', '', '{}', row_number() OVER (),
            nextval('content_version_seq'), now(), now(), 'x', 'x', now()
       FROM content_object f, (${ids}) i (id) WHERE f.id LIKE $1`,
    [folder, type],
  );

describe('an id that very many have', () => {
  it('costs few looks at those that are there', async () => {
    await alice.add('/', { '@type': 'Folder', id: 'crowd' });
    await insert('crowd', `SELECT 'same' UNION ALL SELECT 'same-' || n FROM generate_series(1, 30000) n`);
    await alice.add('/', { '@type': 'Folder', id: 'sources' });
    await insert('sources', `SELECT 'source-' || n FROM generate_series(1, 100) n`, 'Folder');
    await insert('source-%', `SELECT 'same'`);
    const source = Array.from({ length: 100 }, (_, index) => `/sources/source-${index + 1}/same`);
    const { status, json } = await alice.post('/crowd/@copy', { source });
    expect([status, json.length]).toEqual([200, 100]);
    const targets = json.map(({ target }: { target: string }) => target);
    expect(targets).toEqual(source.map((_, index) => anybody.url(`/crowd/same-${30_001 + index}`)));
    expect(await alice.add('/crowd', { title: 'Same' })).toBe('/crowd/same-30101');
  });

  it('is found another however the numbers behind it lie', async () => {
    await alice.add('/', { '@type': 'Folder', id: 'gaps' });
    // Those that the steps of a search would meet, up to the last number that fits.
    await insert(
      'gaps',
      `SELECT 'same' UNION ALL SELECT 'same-' || n FROM generate_series(1, 20) n
      UNION ALL SELECT 'same-' || (40 * power(2::numeric, n))::bigint FROM generate_series(0, 57) n`,
    );
    const made = new Set<string>();
    for (let turn = 0; turn < 30; turn++) made.add(await alice.add('/gaps', { title: 'Same' }));
    expect(made.size).toBe(30);
    for (const path of made) expect(path.length).toBeLessThan('/gaps/same-'.length + 15);
  });
});

describe('a tree of more objects than one statement deletes', () => {
  it('is refused as it is, and its parts are not', async () => {
    await alice.add('/', { '@type': 'Folder', id: 'outer' });
    await alice.add('/outer', { '@type': 'Folder', id: 'inner' });
    await insert('inner', `SELECT n FROM generate_series(2, ${MAX_REMOVED_OBJECTS}) n`);
    const { status, json } = await alice.delete('/outer');
    expect([status, json]).toMatchObject([
      400,
      { type: 'BadRequest', message: `A deletion may take ${MAX_REMOVED_OBJECTS} objects at most.` },
    ]);
    expect((await anybody.get('/outer/inner?b_size=0')).json.items_total).toBe(MAX_REMOVED_OBJECTS - 1);
    // One fewer is not too many: it is its condition that fails.
    expect((await alice.delete('/outer/inner', { 'if-match': '"x"' })).status).toBe(412);
  });
});

describe('the navigation', () => {
  it('reads no fields of the pages that it shows or leaves out', async () => {
    const noise = randomBytes(50_000).toString('hex');
    await alice.add('/', { id: 'shown', title: 'Shown', noise, nested: { exclude_from_nav: true } });
    await alice.add('/', { id: 'hidden', title: 'Hidden', noise, exclude_from_nav: true });
    const [row] = await app.sql<{ index: string }>(`
      SELECT i.indexrelid::regclass::text AS index
        FROM pg_class c JOIN pg_index i ON i.indrelid = c.reltoastrelid WHERE c.oid = 'content_object'::regclass`);
    // Whoever reads what is too large for a row waits for this.
    const held = await SideTransaction.begin(app, `REINDEX INDEX ${row!.index}`);
    try {
      for (const address of ['/@navigation', '/?expand=navigation&b_size=0']) {
        const { status, json } = await anybody.get(address);
        expect(status).toBe(200);
        const { items } = json['@components']?.navigation ?? json;
        const titles = items.map(({ title }: { title: string }) => title);
        expect(titles).toContain('Shown');
        expect(titles).not.toContain('Hidden');
      }
    } finally {
      await held.end('ROLLBACK');
    }
  });
});
