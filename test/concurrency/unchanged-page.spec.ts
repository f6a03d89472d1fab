import { Database } from '../../src/database/database';
import { PUT } from '../../src/key-value/key-value.sql';
import { type AzureAnswer } from '../support/azure-http';
import { HeldAnswer } from '../support/held-answer';
import { SideTransaction } from '../support/side-transaction';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

const PAGE = '/kv?key=page/*';
const ROUNDS = 100;
const CHANGES = 'key_value_store_changes';

let one: TestApp;
let other: TestApp;
let statements: string[];
beforeAll(async () => {
  one = await startApp();
  other = await startApp({}, one);
  const database = one.app.get(Database);
  const query = database.query.bind(database);
  jest.spyOn(database, 'query').mockImplementation((statement, values) => {
    // The service has others to send by itself at any time.
    if (statement.name.startsWith('key_value_')) statements.push(statement.name);
    return query(statement, values);
  });
});
beforeEach(async () => {
  statements = [];
  await put(one, 'page/a', 'first');
  await put(one, 'page/b', 'first');
});
afterAll(async () => {
  await other.close();
  await one.close();
});

async function put(app: TestApp, key: string, value: string): Promise<AzureAnswer> {
  const answer = await app.azure.put(`/kv/${encodeURIComponent(key)}`, { value });
  expect(answer.status).toBe(200);
  return answer;
}

const tagOf = async (app: TestApp): Promise<string> => (await app.azure.get(PAGE)).headers.etag!;

const ask = (app: TestApp, tag: string): Promise<AzureAnswer> =>
  app.azure.get(PAGE, { headers: { 'If-None-Match': tag } });

/** Whether the application answers a poll without reading the page. */
async function isRemembered(tag: string): Promise<boolean> {
  statements = [];
  const { status } = await ask(one, tag);
  return status === 304 && statements.every((name) => name === CHANGES);
}

/** A change by the service's own statement, in a transaction that stays open. */
function changeAside(key: string, value: string): Promise<SideTransaction> {
  const author = ['somebody', '127.0.0.1', '00000000-0000-4000-8000-000000000000'];
  return SideTransaction.begin(one, PUT.text, [
    ...[key, '', `tag-${value}`, ...author, 'none', null, value, null, '{}', null, false],
  ]);
}

describe('a page that a client has already', () => {
  it('is not read again while nothing changes, whatever else is written', async () => {
    const tag = await tagOf(one);
    await waitFor(() => isRemembered(tag));
    const lock = { resourceId: 'unchanged-page', lockOwner: 'me', expiryInSeconds: 60 };
    const headers = { 'content-type': 'application/json' };
    const url = `http://127.0.0.1:${one.port}/v1.0-alpha1/lock/lockstore`;
    expect((await fetch(url, { method: 'POST', headers, body: JSON.stringify(lock) })).status).toBe(200);
    expect(await isRemembered(tag)).toBe(true);
  });

  it('is asked for with its link, its token and its tag as before', async () => {
    await Promise.all(Array.from({ length: 101 }, (_, index) => put(one, `page/many/${index}`, 'x')));
    const tag = await tagOf(one);
    const read = await ask(other, tag);
    await waitFor(() => isRemembered(tag));
    const remembered = await ask(one, tag);
    expect(remembered.headers).toMatchObject({ etag: tag, link: read.headers.link });
    expect(remembered.headers['sync-token']).toMatch(/^latchkey=/);
    expect(remembered.text).toBe('');
    const refused = await one.azure.get(PAGE, { headers: { 'If-Match': '"another"' } });
    expect(refused.status).toBe(412);
  });

  it('shows a change by another process from its acknowledgement on', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const tag = await tagOf(one);
      expect((await ask(one, tag)).status).toBe(304);
      await put(other, round % 2 ? 'page/a' : `page/0/${round}`, `round ${round}`);
      const [first, second] = await Promise.all([ask(one, tag), ask(one, tag)]);
      expect([first.status, second.status]).toEqual([200, 200]);
    }
  });

  it('shows what a restore of the tables brought back, whose transactions are long over', async () => {
    await put(one, 'page/a', 'then');
    for (const table of ['key_value', 'key_value_revision'])
      await one.sql(`CREATE TABLE dump_of_${table} AS SELECT * FROM ${table}`);
    await put(one, 'page/a', 'now');
    const tag = await tagOf(one);
    await waitFor(() => isRemembered(tag));
    const restore = await SideTransaction.begin(one, 'TRUNCATE key_value, key_value_revision');
    for (const table of ['key_value', 'key_value_revision'])
      await restore.query(`INSERT INTO ${table} SELECT * FROM dump_of_${table}`);
    await restore.end('COMMIT');
    const answer = await ask(one, tag);
    expect(answer.status).toBe(200);
    expect(answer.json.items).toContainEqual(expect.objectContaining({ key: 'page/a', value: 'then' }));
  });

  it('shows a change that drew its number before the page was read, and was committed after', async () => {
    const change = await changeAside('page/b', 'late');
    // Later numbers are visible already.
    await put(one, 'page/a', 'second');
    const tag = await tagOf(one);
    await waitFor(() => isRemembered(tag));
    await change.end('COMMIT');
    const answer = await ask(one, tag);
    expect(answer.json.items.map((item: { value: string }) => item.value)).toContain('late');
  });

  it('shows a key-value made, removed, locked and unlocked', async () => {
    const changes = [
      () => put(other, 'page/made', 'x'),
      () => other.azure.send('PUT', '/locks/page%2Fmade'),
      () => other.azure.send('DELETE', '/locks/page%2Fmade'),
      () => other.azure.delete('/kv/page%2Fmade'),
    ];
    for (const change of changes) {
      const tag = await tagOf(one);
      await waitFor(() => isRemembered(tag));
      expect((await change()).status).toBe(200);
      const answer = await ask(one, tag);
      expect(answer.status).toBe(200);
      expect(answer.headers.etag).not.toBe(tag);
    }
  });

  it('is read, and right, while a transaction keeps more changes in sight than are counted', async () => {
    const change = await changeAside('page/b', 'held');
    await one.sql(
      `INSERT INTO key_value_revision (revision, key, label, tags, locked, deleted, etag, last_modified, actor, address, request_id)
       SELECT nextval('key_value_revision_seq'), 'elsewhere', '', '{}', false, false, 'x', clock_timestamp(), '', '',
              '00000000-0000-4000-8000-000000000000' FROM generate_series(1, 1500)`,
    );
    const tag = await tagOf(one);
    for (let time = 0; time < 3; time++) expect((await ask(one, tag)).status).toBe(304);
    expect(await isRemembered(tag)).toBe(false);
    await put(other, 'page/a', 'beyond');
    expect((await ask(one, tag)).status).toBe(200);
    await change.end('COMMIT');
    const last = await tagOf(one);
    // Once no transaction of the whole server, of other databases too, is older than those changes.
    await waitFor(() => isRemembered(last), 40_000);
  });

  it.each(['before', 'after'] as const)(
    'is answered as it is beside a question that the database is silent about, held %s it is run',
    async (where) => {
      const tag = await tagOf(one);
      await waitFor(() => isRemembered(tag));
      const held = new HeldAnswer(one, CHANGES, where);
      const silent = ask(one, tag);
      await held.isHeld;
      expect((await ask(one, tag)).status).toBe(304);
      await put(other, 'page/a', `beside a silent question, ${where}`);
      expect((await ask(one, tag)).status).toBe(200);
      const changedTag = await tagOf(one);
      expect((await ask(one, changedTag)).status).toBe(304);

      // Its late answer, which may be about the store as it was before the change, takes back nothing that was seen since.
      held.release();
      expect((await silent).status).toBe(200);
      expect((await ask(one, tag)).status).toBe(200);
      await waitFor(() => isRemembered(changedTag));
    },
  );

  it('is never taken for current while writers and readers race', async () => {
    let written = 0;
    let isOver = false;
    const write = async (app: TestApp): Promise<void> => {
      while (!isOver) await put(app, 'page/a', `race ${++written}`);
    };
    let changedBetween = 0;
    const poll = async (): Promise<void> => {
      for (let time = 0; time < ROUNDS; time++) {
        const page = await one.azure.get(PAGE);
        const found = await one.azure.get('/kv/page%2Fa');
        const answer = await ask(one, page.headers.etag!);
        // Changes are never undone: a page that was changed before the poll cannot be current at the poll.
        if (page.text.includes(found.json.etag as string)) continue;
        changedBetween++;
        expect(answer.status).toBe(200);
      }
    };
    const polls = Promise.all([poll(), poll(), poll(), poll()]).finally(() => (isOver = true));
    await Promise.all([polls, write(one), write(other)]);
    expect(changedBetween).toBeGreaterThan(ROUNDS / 10);
  });
});
