import { Database } from '../../src/database/database';
import { unavailable } from '../../src/problem/catalogue';
import { startApp, type TestApp } from '../support/start-app';
import { ContentHttp, USERS } from './content-http';

/** What was changed is never answered as if it had not been (reliability P13). */

const SHOWN = { prefer: 'return=representation' };

let app: TestApp;
let alice: ContentHttp;

beforeAll(async () => {
  app = await startApp({ CMS_USERS: USERS });
  alice = new ContentHttp(app.port).as('alice');
});
afterAll(() => app.close());

describe.each(['b_size=x', 'b_start=-1', 'x=%ff'])('a query that cannot be read: %s', (query) => {
  it('is refused before anything is added', async () => {
    const path = await alice.add('/', { '@type': 'Folder' });
    for (const type of ['Folder', 'Document']) {
      expect((await alice.post(`${path}?${query}`, { '@type': type })).status).toBe(400);
    }
    expect((await alice.get(path)).json.items).toEqual([]);
  });

  it('is refused before anything is changed, where the object is to be shown', async () => {
    const path = await alice.add('/', { '@type': 'Folder', title: 'old' });
    expect((await alice.patch(`${path}?${query}`, { title: 'new' }, SHOWN)).status).toBe(400);
    expect((await alice.get(path)).json.title).toBe('old');
    expect((await alice.patch(`${path}?${query}`, { title: 'new' })).status).toBe(204);
  });
});

describe('while the database goes away behind a change', () => {
  afterEach(() => jest.restoreAllMocks());

  /** @returns the names of the statements that fail, as they come */
  function failAfterWrite(): string[] {
    const database = app.app.get(Database);
    const query = database.query.bind(database);
    const failed: string[] = [];
    let isWritten = false;
    jest.spyOn(database, 'query').mockImplementation(async (statement, values) => {
      // What the service does by itself from time to time is no part of the change.
      if (!statement.name.startsWith('content_')) return query(statement, values);
      if (isWritten) {
        failed.push(statement.name);
        throw unavailable();
      }
      const rows = await query(statement, values);
      isWritten = statement.isWrite;
      return rows;
    });
    return failed;
  }

  it.each(['', '?fullobjects', '?b_start=1&b_size=5', '?include_items=false'])(
    'POST %s answers as GET will',
    async (query) => {
      const failed = failAfterWrite();
      const { status, headers, json } = await alice.post(`/${query}`, { '@type': 'Folder', title: 'Made', x: 1 });
      expect([status, failed]).toEqual([201, []]);
      jest.restoreAllMocks();
      expect((await alice.get(`${new URL(headers.location!).pathname}${query}`)).json).toEqual(json);
    },
  );

  it('PATCH answers that it was done, without the object', async () => {
    const path = await alice.add('/', { title: 'old' });
    const failed = failAfterWrite();
    const { status, headers } = await alice.patch(path, { title: 'new' }, SHOWN);
    expect([status, headers['preference-applied'], failed]).toEqual([204, undefined, ['content_find_by_uid']]);
    jest.restoreAllMocks();
    expect((await alice.get(path)).json.title).toBe('new');
    expect((await alice.delete(path, { 'if-match': headers.etag! })).status).toBe(204);
  });
});
