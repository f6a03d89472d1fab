import { ContentHttp, USERS } from '../content/content-http';
import { atOnce } from '../support/at-once';
import { BUILD, migratedBy, Replica } from '../support/replica';

let replicas: Replica[];
/** The same two people, each at either process. */
let people: Record<'alice' | 'bob', ContentHttp[]>;

beforeAll(async () => {
  const database = await migratedBy(BUILD);
  replicas = await Promise.all([1, 2].map(() => Replica.start(database, BUILD, { CMS_USERS: USERS })));
  const at = (name: string): ContentHttp[] => replicas.map(({ port }) => new ContentHttp(port).as(name));
  people = { alice: at('alice'), bob: at('bob') };
});
afterAll(() => Promise.all(replicas.map((replica) => replica.end())));

describe('8 first POSTs of @lock at once, by two users over two operating-system processes', () => {
  it('have one winner, and all answers name it, in 20 rounds', async () => {
    const winners = new Set<string>();
    for (let round = 1; round <= 20; round++) {
      const path = await people.alice[0]!.add('/', { id: `raced-${round}`, title: 'Raced' });
      const nameOf = (index: number): 'alice' | 'bob' => ((index + round) % 2 === 0 ? 'alice' : 'bob');
      const answers = await atOnce(8, (index) =>
        people[nameOf(index)][Math.floor(index / 2) % 2]!.post(`${path}/@lock`),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
      const creators = new Set(answers.map(({ json }) => json.creator as string));
      expect(creators.size).toBe(1);
      const [winner] = creators;
      winners.add(winner!);
      const tokens = answers.map(({ json }) => json.token as string | undefined);
      tokens.forEach((token, index) => expect(token !== undefined).toBe(nameOf(index) === winner));
      expect(new Set(tokens.filter((token) => token !== undefined)).size).toBe(1);
      const seen = await Promise.all(people[winner as 'alice' | 'bob'].map((person) => person.get(`${path}/@lock`)));
      expect(seen.map(({ json }) => json.token as string)).toEqual(Array(2).fill(tokens.find(Boolean)));
    }
    expect(winners).toEqual(new Set(['alice', 'bob']));
  });
});
