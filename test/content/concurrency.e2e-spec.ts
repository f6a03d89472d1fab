import { atOnce } from '../support/at-once';
import { startApp, type TestApp } from '../support/start-app';
import { type ContentAnswer, ContentHttp, USERS } from './content-http';

let one: TestApp;
let other: TestApp;
let anybody: ContentHttp;
let people: ContentHttp[];

beforeAll(async () => {
  // A connection for each of the 24 requests at once: those who wait for one are sent away after half a second.
  const env = { CMS_USERS: USERS, DB_POOL_MAX: '16' };
  one = await startApp(env);
  other = await startApp(env, one);
  anybody = new ContentHttp(one.port);
  people = [anybody.as('alice'), new ContentHttp(other.port).as('bob')];
  // Passwords are hashed once, before anything races.
  await Promise.all(people.map((person) => person.patch('/', {})));
});
afterAll(async () => {
  await other.close();
  await one.close();
});

/** Every second request comes from the other person, through the other process. */
const person = (index: number): ContentHttp => people[index % 2]!;
const countOf = (answers: readonly ContentAnswer[], status: number): number =>
  answers.filter((answer) => answer.status === status).length;
const orphans = (): Promise<unknown[]> =>
  one.sql(`
    WITH RECURSIVE tree AS (
      SELECT uid FROM content_object WHERE parent_uid IS NULL
      UNION ALL SELECT c.uid FROM tree t JOIN content_object c ON c.parent_uid = t.uid)
    SELECT id FROM content_object WHERE uid NOT IN (SELECT uid FROM tree)`);

it('16 creations of one title get 16 ids and 16 places', async () => {
  for (let round = 0; round < 5; round++) {
    await people[0]!.add('/', { '@type': 'Folder', id: `titles${round}` });
    const answers = await atOnce(16, (index) =>
      person(index).post(`/titles${round}`, { '@type': 'Document', title: 'Same' }),
    );
    expect(countOf(answers, 201)).toBe(16);
    const ids = answers.map(({ json }) => json.id as string).sort();
    expect(ids).toEqual(['same', ...Array.from({ length: 15 }, (_, index) => `same-${index + 1}`)].sort());
    const [{ places } = { places: 0 }] = await one.sql<{ places: number }>(
      `SELECT count(DISTINCT position)::int AS places FROM content_object WHERE id LIKE 'same%'
          AND parent_uid = (SELECT uid FROM content_object WHERE id = $1)`,
      [`titles${round}`],
    );
    expect(places).toBe(16);
  }
});

it('of 16 creations, renames and moves to one id exactly one succeeds', async () => {
  for (let round = 0; round < 10; round++) {
    const id = `wanted${round}`;
    const paths = await Promise.all(
      Array.from({ length: 8 }, (_, index) => people[0]!.add('/', { id: `${id}-from-${index}` })),
    );
    const answers = await atOnce(16, (index) =>
      index % 2 === 0
        ? person(index / 2).post('/', { '@type': 'Document', id })
        : person((index - 1) / 2).patch(paths[(index - 1) / 2]!, { id }),
    );
    expect(countOf(answers, 201) + countOf(answers, 204)).toBe(1);
    expect(countOf(answers, 400)).toBe(15);
  }
});

it('of 16 saves with one entity tag exactly one is made', async () => {
  const path = await people[0]!.add('/', { id: 'tagged', title: '-' });
  for (let round = 0; round < 15; round++) {
    const etag = (await anybody.get(path)).headers.etag!;
    const answers = await atOnce(16, (index) =>
      person(index).patch(path, { title: `${round}/${index}` }, { 'if-match': etag }),
    );
    expect([countOf(answers, 204), countOf(answers, 412)]).toEqual([1, 15]);
    const winner = answers.findIndex(({ status }) => status === 204);
    expect((await anybody.get(path)).json.title).toBe(`${round}/${winner}`);
  }
});

it('saves of different fields never undo each other', async () => {
  const path = await people[0]!.add('/', { id: 'merged' });
  const answers = await atOnce(16, (index) => person(index).patch(path, { [`field${index}`]: index }));
  expect(countOf(answers, 204)).toBe(16);
  const { json } = await anybody.get(path);
  for (let index = 0; index < 16; index++) expect(json[`field${index}`]).toBe(index);
});

it('a child that comes while its folder goes, goes too or was never made', async () => {
  for (let round = 0; round < 20; round++) {
    const folder = await people[0]!.add('/', { '@type': 'Folder', id: `going${round}` });
    await people[0]!.add(folder, { '@type': 'Folder', id: 'inner' });
    const outside = await people[0]!.add('/', { id: `outside${round}` });
    const answers = await Promise.all([
      ...(await Promise.resolve(
        [1, 2, 3].map((n) => person(n).post(`${folder}/inner`, { '@type': 'Document', id: `c${n}` })),
      )),
      person(round).delete(folder),
      person(round + 1).post(`${folder}/inner/@move`, { source: outside }),
      person(round).post(`${folder}/inner/@copy`, { source: outside }),
    ]);
    expect(answers[3]!.status).toBe(204);
    for (const { status } of answers) expect([200, 201, 204, 404]).toContain(status);
    expect((await anybody.get(folder)).status).toBe(404);
    expect(await orphans()).toEqual([]);
  }
});

it('of moves that would make a ring one is refused', async () => {
  for (let round = 0; round < 20; round++) {
    const paths = await Promise.all(
      ['a', 'b', 'c'].map((name) => people[0]!.add('/', { '@type': 'Folder', id: `ring${round}${name}` })),
    );
    // Into a folder below: the two moves have no row in common.
    await Promise.all(paths.map((path) => people[0]!.add(path, { '@type': 'Folder', id: 'inner' })));
    const answers = await atOnce(3, (index) =>
      person(index).post(`${paths[(index + 1) % 3]!}/inner/@move`, { source: paths[index]! }),
    );
    const refused = countOf(answers, 400) + countOf(answers, 404);
    expect([countOf(answers, 200) + refused, refused >= 1]).toEqual([3, true]);
    expect(await orphans()).toEqual([]);
  }
});

it('a mix of everything leaves one tree without orphans, and nothing fails for another reason', async () => {
  await people[0]!.add('/', { '@type': 'Folder', id: 'mix' });
  for (const id of ['p', 'q', 'r']) await people[0]!.add('/mix', { '@type': 'Folder', id });
  const statuses = new Set<number>();
  for (let round = 0; round < 15; round++) {
    const answers = await atOnce(24, (index) => {
      const [from, to] = [['p', 'q', 'r'][(index + round) % 3]!, ['q', 'r', 'p'][index % 3]!];
      const http = person(index);
      switch (index % 6) {
        case 0:
          return http.post(`/mix/${from}`, { '@type': 'Folder', title: 'Child' });
        case 1:
          return http.post(`/mix/${to}/@move`, { source: `/mix/${from}/child` });
        case 2:
          return http.post(`/mix/${to}/@copy`, { source: `/mix/${from}` });
        case 3:
          return http.delete(`/mix/${from}/child`);
        case 4:
          return http.patch('/mix', { ordering: { obj_id: from, delta: index % 2 === 0 ? 1 : 'top' } });
        default:
          return http.patch(`/mix/${from}/child`, { id: `child-${round}`, title: `${index}` });
      }
    });
    for (const { status } of answers) statuses.add(status);
    // What was copied would double with each round.
    await Promise.all(
      ['p', 'q', 'r'].map((id) => people[0]!.delete(`/mix/${id}/${id === 'p' ? 'r' : id === 'q' ? 'p' : 'q'}`)),
    );
  }
  for (const status of statuses) expect([200, 201, 204, 400, 404]).toContain(status);
  expect(await orphans()).toEqual([]);
});
