import { atOnce } from '../support/at-once';
import { type AzureAnswer } from '../support/azure-http';
import { HeldAnswer } from '../support/held-answer';
import { startApp, type TestApp } from '../support/start-app';

describe('single reads that arrive together', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());

  it('are each answered with their own key-value, or with their own 404', async () => {
    const names = Array.from(
      { length: 60 },
      (_, index) => `/kv/together/${index}?label=${index % 3 === 0 ? '' : `l${index % 3}`}`,
    );
    await Promise.all(names.map((name, index) => app.azure.put(name, { value: `value ${index}` })));
    await app.azure.delete(names[7]!);
    // More than one statement takes, several times the same, some of nothing.
    const wanted = Array.from({ length: 400 }, (_, turn) => (turn * 7) % 80);
    const read = async (target: string): Promise<AzureAnswer> => {
      for (;;) {
        const answer = await app.azure.get(target);
        // Refused unread, for a slow machine had it wait too long.
        if (answer.status !== 503) return answer;
      }
    };
    const answers = await Promise.all(wanted.map((index) => read(names[index] ?? `/kv/together/${index}`)));
    answers.forEach((answer, turn) => {
      const index = wanted[turn]!;
      const expected = index === 7 || index >= 60 ? [404, undefined] : [200, `value ${index}`];
      expect([answer.status, answer.json?.value]).toEqual(expected);
    });
  });

  it('see every write that was acknowledged before they were asked', async () => {
    const isStale = await Promise.all(
      Array.from({ length: 32 }, async (_, client) => {
        for (let turn = 0; turn < 20; turn++) {
          await app.azure.put(`/kv/fresh/${client}`, { value: String(turn) });
          const { json } = await app.azure.get(`/kv/fresh/${client}`);
          if (json.value !== String(turn)) return true;
        }
        return false;
      }),
    );
    expect(isStale).not.toContain(true);
  });

  it('do not wait for one whose statement the database is silent about', async () => {
    await app.azure.put('/kv/silent', { value: 'v' });
    const held = new HeldAnswer(app, 'key_value_find_many');
    const silent = app.azure.get('/kv/silent');
    await held.isHeld;
    const answers = await atOnce(20, () => app.azure.get('/kv/silent'));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    held.release();
    expect((await silent).status).toBe(200);
  });
});
