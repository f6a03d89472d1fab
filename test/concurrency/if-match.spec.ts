import { atOnce } from '../support/at-once';
import { type AzureAnswer, type AzureHttp } from '../support/azure-http';
import { expectRising, historyOf } from '../support/history';
import { startApp, type TestApp } from '../support/start-app';

const CLIENTS = 64;
const ROUNDS = 30;

let one: TestApp;
let other: TestApp;
beforeAll(async () => {
  one = await startApp();
  other = await startApp({}, one);
});
afterAll(async () => {
  await other.close();
  await one.close();
});

/** Every second client speaks to the other process. */
const clientOf = (index: number): AzureHttp => (index % 2 === 0 ? one : other).azure;
const countOf = (answers: readonly AzureAnswer[], status: number): number =>
  answers.filter((answer) => answer.status === status).length;

describe(`${CLIENTS} writers of one key over two processes`, () => {
  it(`with If-Match: exactly one wins each of ${ROUNDS} rounds, and the tags make an unbroken chain`, async () => {
    const chain = [(await one.azure.put('/kv/chain', { value: 'start' })).json.etag as string];
    for (let round = 0; round < ROUNDS; round++) {
      const headers = { 'if-match': `"${chain.at(-1)}"` };
      const answers = await atOnce(CLIENTS, (index) =>
        clientOf(index).put('/kv/chain', { value: `${round}/${index}` }, { headers }),
      );
      const winners = answers.filter(({ status }) => status === 200);
      expect([winners.length, countOf(answers, 412)]).toEqual([1, CLIENTS - 1]);
      chain.push(winners[0]!.json.etag as string);
      expect((await other.azure.get('/kv/chain')).json).toEqual(winners[0]!.json);
    }
    const history = await historyOf(one, 'chain');
    expect(history.map(({ etag }) => etag)).toEqual(chain);
    expectRising(history);
  });

  it(`with If-Match on a delete or a put: exactly one of all wins`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { etag } = (await one.azure.put('/kv/either', { value: `round ${round}` })).json as { etag: string };
      const headers = { 'if-match': `"${etag}"` };
      const answers = await atOnce(CLIENTS / 2, (index) =>
        index % 4 < 2
          ? clientOf(index).put('/kv/either', { value: `${round}/${index}` }, { headers })
          : clientOf(index).delete('/kv/either', { headers }),
      );
      expect([countOf(answers, 200), countOf(answers, 412)]).toEqual([1, CLIENTS / 2 - 1]);
    }
    const history = await historyOf(one, 'either');
    expect(history).toHaveLength(2 * ROUNDS);
    expectRising(history);
  });

  const createAtOnce = async (key: string): Promise<void> => {
    const answers = await atOnce(CLIENTS, (index) =>
      clientOf(index).put(`/kv/${key}`, { value: `${index}` }, { headers: { 'if-none-match': '*' } }),
    );
    expect([countOf(answers, 200), countOf(answers, 412)]).toEqual([1, CLIENTS - 1]);
    const [winner] = answers.filter(({ status }) => status === 200);
    expect((await other.azure.get(`/kv/${key}`)).json).toEqual(winner!.json);
  };

  it(`with If-None-Match: * exactly one creates each of ${ROUNDS} fresh keys`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await createAtOnce(`fresh${round}`);
      expect(await historyOf(one, `fresh${round}`)).toHaveLength(1);
    }
  });

  it('with If-None-Match: * exactly one creates a key anew that was deleted', async () => {
    for (let round = 0; round < 10; round++) {
      await createAtOnce('again');
      expect((await one.azure.delete('/kv/again')).status).toBe(200);
    }
    const history = await historyOf(one, 'again');
    expect(history.map(({ deleted }) => deleted)).toEqual(Array.from({ length: 20 }, (_, index) => index % 2 === 1));
    expectRising(history);
  });
});
