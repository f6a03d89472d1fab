import { OVERLOADED, outcomeUnknown, unavailable } from '../problem/catalogue.js';
import { Arrivals } from './arrivals.js';

interface Call {
  readonly name: string;
  readonly bytes?: number;
}

/** Statements that were sent and not answered yet: names of their calls, and how to answer them. */
interface Sent {
  readonly names: readonly string[];
  answer(this: void, undecided?: readonly string[]): void;
  /** The server refused the statement, and changed nothing. */
  refuse(this: void): void;
  fail(this: void, error: unknown): void;
}

let sent: Sent[];
let arrivals: Arrivals<Call, string>;
const DEADLINE = 42;
const database = { newDeadline: () => DEADLINE, refuseCrowd: () => OVERLOADED };

function newArrivals(ofSameName: 'waits' | 'goes-alone'): Arrivals<Call, string> {
  const record = <T>(names: string[], toAnswer: (undecided: readonly string[]) => T): Promise<T | null> =>
    new Promise((resolve, reject) => {
      sent.push({
        names,
        answer: (undecided = []) => resolve(toAnswer(undecided)),
        refuse: () => resolve(null),
        fail: reject,
      });
    });
  return new Arrivals<Call, string>(
    {
      nameOf: ({ name }) => name,
      bytesOf: ({ bytes = 1 }) => bytes,
      maxBytes: 64 * 1024,
      ofSameName,
      alone: async ({ name }, deadline) => (await record([name], () => `${name} alone by ${deadline}`))!,
      together: (calls) => {
        const names = calls.map(({ name }) => name);
        return record(names, (undecided) => {
          const decided = names.filter((name) => !undecided.includes(name));
          return new Map(decided.map((name) => [name, `${name} together`]));
        });
      },
    },
    database,
  );
}

beforeEach(() => {
  // A statement that takes 200 ms keeps nobody waiting any more: a standstill of the machine must not look like one.
  jest.useFakeTimers({ doNotFake: ['setImmediate'] });
  sent = [];
  arrivals = newArrivals('goes-alone');
});
afterEach(() => jest.useRealTimers());

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const send = (...calls: (string | Call)[]): Promise<string>[] =>
  calls.map((call) => arrivals.send(typeof call === 'string' ? { name: call } : call));
const outcomes = async (promises: readonly Promise<string>[]): Promise<unknown[]> =>
  (await Promise.allSettled(promises)).map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as unknown)));
const names = (): (readonly string[])[] => sent.map((one) => one.names);

it('sends a call that comes alone by itself', async () => {
  const answers = send('a');
  await turn();
  expect(names()).toEqual([['a']]);
  sent[0]!.answer();
  expect(await outcomes(answers)).toEqual(['a alone by 42']);
});

it('sends calls that arrive together as one, at most 64', async () => {
  const many = Array.from({ length: 70 }, (_, index) => `n${index}`);
  const answers = send(...many);
  await turn();
  await turn();
  expect(names()).toEqual([many.slice(0, 64), many.slice(64)]);
  sent.forEach(({ answer }) => answer());
  expect(await outcomes(answers)).toEqual(many.map((name) => `${name} together`));
});

it('collects what arrives while two statements are under way', async () => {
  void send('a');
  await turn();
  void send('b');
  await turn();
  const answers = send('c', 'd');
  await turn();
  expect(names()).toEqual([['a'], ['b']]);
  sent[0]!.answer();
  await turn();
  await turn();
  expect(names()).toEqual([['a'], ['b'], ['c', 'd']]);
  sent[2]!.answer();
  expect(await outcomes(answers)).toEqual(['c together', 'd together']);
});

it('does not let two statements that hang keep others waiting', async () => {
  void send('a');
  await turn();
  void send('b');
  await turn();
  void send('c');
  await turn();
  expect(names()).toEqual([['a'], ['b']]);
  jest.advanceTimersByTime(200);
  await turn();
  expect(names()).toEqual([['a'], ['b'], ['c']]);
});

it('never puts two calls of one name in a statement', async () => {
  void send('a', 'b', 'a');
  await turn();
  expect(names()).toEqual([['a'], ['a', 'b']]);
});

it('lets calls of one name wait for each other, in their order, where that is asked for', async () => {
  arrivals = newArrivals('waits');
  void send('a', 'b', { name: 'a', bytes: 2 }, 'c', 'a');
  await turn();
  await turn();
  expect(names()).toEqual([['a', 'b', 'c']]);
  sent[0]!.answer();
  await turn();
  await turn();
  expect(names()).toEqual([['a', 'b', 'c'], ['a']]);
  sent[1]!.answer();
  await turn();
  await turn();
  expect(names()).toEqual([['a', 'b', 'c'], ['a'], ['a']]);
});

it('sends a call that is too big for a statement by itself', async () => {
  void send('a', { name: 'big', bytes: 100_000 }, 'b');
  await turn();
  await turn();
  expect(names()).toEqual([['a', 'b'], ['big']]);
});

it('keeps a statement to 64 KiB', async () => {
  void send({ name: 'a', bytes: 40_000 }, { name: 'b', bytes: 40_000 }, { name: 'c', bytes: 20_000 });
  await turn();
  await turn();
  expect(names()).toEqual([['a', 'c'], ['b']]);
});

it('sends by itself what the statement did not decide', async () => {
  const answers = send('a', 'b', 'c');
  await turn();
  sent[0]!.answer(['b']);
  await turn();
  expect(names()).toEqual([['a', 'b', 'c'], ['b']]);
  sent[1]!.answer();
  expect(await outcomes(answers)).toEqual(['a together', 'b alone by 42', 'c together']);
});

it('sends each by itself when the server refused the statement', async () => {
  const answers = send('a', 'b');
  await turn();
  sent[0]!.refuse();
  await turn();
  expect(names()).toEqual([['a', 'b'], ['a'], ['b']]);
  sent.slice(1).forEach(({ answer }) => answer());
  expect(await outcomes(answers)).toEqual(['a alone by 42', 'b alone by 42']);
});

it.each([
  ['the outcome is unknown', outcomeUnknown(new Error('lost'))],
  ['something of ours failed, perhaps after the commit', new TypeError('defect')],
])('repeats nothing when %s', async (_what, error) => {
  const answers = send('a', 'b');
  await turn();
  sent[0]!.fail(error);
  expect(await outcomes(answers)).toEqual([error, error]);
  expect(names()).toEqual([['a', 'b']]);
});

it('refuses those that wait with those that the database is away for', async () => {
  const first = send('a', 'b');
  await turn();
  const second = send('c', 'd');
  await turn();
  const waiting = send('e');
  const error = unavailable();
  sent[0]!.fail(error);
  expect(await outcomes([...first, ...waiting])).toEqual([error, error, error]);
  sent[1]!.answer();
  expect(await outcomes(second)).toEqual(['c together', 'd together']);
  expect(names()).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
});

it('refuses a call when a thousand wait', async () => {
  void send(...Array.from({ length: 1000 }, (_, index) => `n${index}`));
  expect(await outcomes(send('one too many'))).toEqual([OVERLOADED]);
});
