import { atOnce } from '../support/at-once';
import { type AzureAnswer, type AzureHttp } from '../support/azure-http';
import { expectRising, historyOf } from '../support/history';
import { startApp, type TestApp } from '../support/start-app';

const CLIENTS = 64;

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

describe(`${CLIENTS} writers of one key over two processes, without a condition`, () => {
  it('all succeed, one revision for each, revision and time rising', async () => {
    for (const key of ['plain', 'plain-too']) {
      const answers: AzureAnswer[] = [];
      for (let burst = 0; burst < 4; burst++) {
        const put = (index: number): Promise<AzureAnswer> =>
          clientOf(index).put(`/kv/${key}`, { value: `${burst}/${index}` });
        answers.push(...(await atOnce(CLIENTS, put)));
      }
      expect(countOf(answers, 200)).toBe(answers.length);
      const history = await historyOf(one, key);
      expect(history.map(({ etag }) => etag).sort()).toEqual(answers.map(({ json }) => json.etag as string).sort());
      expectRising(history);
      expect((await other.azure.get(`/kv/${key}`)).json.etag).toBe(history.at(-1)!.etag);
    }
  });

  it('that all put the same write it once', async () => {
    const answers = await atOnce(CLIENTS, (index) => clientOf(index).put('/kv/same', { value: 'v', tags: { a: 'b' } }));
    expect(countOf(answers, 200)).toBe(CLIENTS);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(await historyOf(one, 'same')).toHaveLength(1);
  });
});

describe('puts and deletes of one key at once', () => {
  it('leave a history in which each acknowledged change stands once, where it took effect', async () => {
    const answers: { method: string; answer: AzureAnswer }[] = [];
    for (let round = 0; round < 8; round++) {
      answers.push(
        ...(await atOnce(CLIENTS, async (index) => {
          const method = index % 4 < 2 ? 'PUT' : 'DELETE';
          const body = method === 'PUT' ? { body: { value: `${round}/${index}` } } : {};
          return { method, answer: await clientOf(index).send(method, '/kv/both', body) };
        })),
      );
    }
    for (const { method, answer } of answers) expect(method === 'PUT' ? [200] : [200, 204]).toContain(answer.status);
    const changes = answers.filter(({ answer }) => answer.status === 200);
    const history = await historyOf(one, 'both');
    expectRising(history);
    const idOf = ({ answer }: (typeof changes)[number]): unknown => answer.headers['x-ms-request-id'];
    expect(history.map((revision) => revision.request_id).sort()).toEqual(changes.map(idOf).sort());

    const place = new Map(history.map((revision, index) => [revision.request_id, index]));
    for (const { method, answer } of changes) {
      const index = place.get(answer.headers['x-ms-request-id'] as string)!;
      // A put answers with what it wrote; a delete with what it found, which is what stands right before its tombstone.
      const { etag, deleted } = history[method === 'PUT' ? index : index - 1]!;
      expect([answer.json.etag, deleted]).toEqual([etag, false]);
      expect(history[index]!.deleted).toBe(method === 'DELETE');
    }
    const last = history.at(-1)!;
    const now = await one.azure.get('/kv/both');
    expect([now.status, now.json?.etag]).toEqual(last.deleted ? [404, undefined] : [200, last.etag]);
  });
});

describe('a listing while others write', () => {
  const STABLE = 330;

  it('has every key-value that stays as it is exactly once', async () => {
    const stable = Array.from({ length: STABLE }, (_, index) => `list/${String(index * 2).padStart(4, '0')}`);
    for (let start = 0; start < STABLE; start += 60) {
      await Promise.all(
        stable.slice(start, start + 60).map((key, index) => clientOf(index).put(`/kv/${key}`, { value: 's' })),
      );
    }
    const isDone = { yes: false };
    const churn = atOnce(6, async (index) => {
      for (let turn = 0; !isDone.yes; turn++) {
        // Odd numbers lie between the stable ones, so pages shift all the time.
        const key = `list/${String(((turn * 37 + index * 101) % STABLE) * 2 + 1).padStart(4, '0')}`;
        await clientOf(index).put(`/kv/${key}`, { value: `${turn}` });
        if (turn % 3 > 0) await clientOf(index).delete(`/kv/${key}`);
      }
    });
    try {
      for (let listing = 0; listing < 12; listing++) {
        const seen: string[] = [];
        let next: string | undefined = '/kv?key=list/*&api-version=2023-11-01';
        while (next !== undefined) {
          const page: AzureAnswer = await clientOf(listing).get(next);
          expect(page.status).toBe(200);
          seen.push(...(page.json.items as { key: string }[]).map(({ key }) => key));
          next = page.json['@nextLink'] as string | undefined;
        }
        const evens = seen.filter((key) => Number(key.slice(-4)) % 2 === 0);
        expect(evens).toEqual(stable);
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen).toEqual(seen.toSorted());
      }
    } finally {
      isDone.yes = true;
      await churn;
    }
    const writes = await one.sql<{ count: string }>(
      `SELECT count(*) FROM key_value_revision WHERE key LIKE 'list/%' AND NOT key = ANY ($1)`,
      [stable],
    );
    // Otherwise nobody was writing meanwhile.
    expect(Number(writes[0]!.count)).toBeGreaterThan(50);
  });
});
