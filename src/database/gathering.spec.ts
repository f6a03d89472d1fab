import { OVERLOADED, unavailable } from '../problem/catalogue.js';
import { Gathering } from './gathering.js';

/** Statements that were sent and not answered yet. */
interface Sent {
  readonly calls: readonly string[];
  readonly deadline: number;
  answer(this: void): void;
  fail(this: void, error: unknown): void;
}

let sent: Sent[];
let refused: number;
let gathering: Gathering<string, string>;
const DEADLINE_MS = 8000;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setImmediate'] });
  sent = [];
  refused = 0;
  gathering = new Gathering(
    (calls, deadline) =>
      new Promise((resolve, reject) => {
        sent.push({ calls, deadline, answer: () => resolve(calls.map((call) => `answer to ${call}`)), fail: reject });
      }),
    { underWay: 1, calls: 3 },
    {
      newDeadline: () => performance.now() + DEADLINE_MS,
      refuseCrowd: () => {
        refused++;
        return OVERLOADED;
      },
    },
  );
});
afterEach(() => jest.useRealTimers());

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const call = (...calls: string[]): Promise<string>[] =>
  calls.map((one) => {
    const answer = gathering.call(one);
    // Some are refused before the test asks what became of them.
    answer.catch(() => undefined);
    return answer;
  });
const calls = (): (readonly string[])[] => sent.map((one) => one.calls);
const outcomes = async (promises: readonly Promise<string>[]): Promise<unknown[]> =>
  (await Promise.allSettled(promises)).map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as unknown)));

async function pass(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  await turn();
}

it('answers calls that arrive together by one statement, and those that come meanwhile by the next', async () => {
  const first = call('a', 'b');
  await turn();
  const second = call('c', 'd');
  await turn();
  expect(calls()).toEqual([['a', 'b']]);
  sent[0]!.answer();
  expect(await outcomes(first)).toEqual(['answer to a', 'answer to b']);
  await turn();
  expect(calls()).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
  sent[1]!.answer();
  expect(await outcomes(second)).toEqual(['answer to c', 'answer to d']);
});

it('does not let a statement that hangs keep others waiting', async () => {
  const hanging = call('a');
  await turn();
  const others = call('b');
  await pass(199);
  expect(calls()).toEqual([['a']]);
  await pass(1);
  expect(calls()).toEqual([['a'], ['b']]);
  sent[1]!.answer();
  expect(await outcomes(others)).toEqual(['answer to b']);
  // Nor does its late answer let a second statement go beside one that is under way.
  void call('c');
  await turn();
  sent[0]!.answer();
  expect(await outcomes(hanging)).toEqual(['answer to a']);
  void call('d');
  await turn();
  expect(calls()).toEqual([['a'], ['b'], ['c']]);
});

it('fails only the calls of the statement that failed', async () => {
  const first = call('a', 'b');
  await turn();
  const waiting = call('c');
  const error = unavailable();
  sent[0]!.fail(error);
  expect(await outcomes(first)).toEqual([error, error]);
  await turn();
  sent[1]!.answer();
  expect(await outcomes(waiting)).toEqual(['answer to c']);
});

it('refuses a call that has waited for 500 ms when a statement goes without it', async () => {
  void call('a');
  await turn();
  const early = call('b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k');
  await pass(101);
  const late = call('l');
  for (const ms of [99, 200, 200]) await pass(ms);
  expect(calls()).toEqual([['a'], ['b', 'c', 'd'], ['e', 'f', 'g'], ['h', 'i', 'j']]);
  expect(await outcomes(early.slice(9))).toEqual([OVERLOADED]);
  expect(refused).toBe(1);
  sent[3]!.answer();
  await turn();
  await turn();
  sent[4]!.answer();
  expect(await outcomes([...early.slice(6, 9), ...late])).toEqual([
    'answer to h',
    'answer to i',
    'answer to j',
    'answer to l',
  ]);
});

it('counts the time that the first call of a statement waited towards its deadline', async () => {
  void call('a');
  await turn();
  await pass(50);
  const cameAt = performance.now();
  void call('b');
  await pass(100);
  void call('c');
  await pass(50);
  expect(sent[1]).toMatchObject({ calls: ['b', 'c'], deadline: cameAt + DEADLINE_MS });
});

it('refuses a call when a thousand wait', async () => {
  void call(...Array.from({ length: 1000 }, (_, index) => `n${index}`));
  expect(await outcomes(call('one too many'))).toEqual([OVERLOADED]);
  expect(refused).toBe(1);
});
