import { type Metrics } from '../metrics/metrics.js';
import { outcomeUnknown, unavailable } from '../problem/catalogue.js';
import { Arrivals } from './arrivals.js';

interface Call {
  readonly name: string;
  readonly bytes?: number;
}

/** Statements that were sent and not answered yet: names of their calls, and how to answer them. */
interface Sent {
  readonly names: readonly string[];
  answer(this: void, undecided?: readonly string[]): void;
  fail(this: void, error: unknown): void;
}

let sent: Sent[];
let arrivals: Arrivals<Call, string>;
const counter = { inc: jest.fn() };
beforeEach(() => {
  sent = [];
  counter.inc.mockReset();
  const record = <T>(names: string[], toAnswer: (undecided: readonly string[]) => T): Promise<T> =>
    new Promise((resolve, reject) => {
      sent.push({ names, answer: (undecided = []) => resolve(toAnswer(undecided)), fail: reject });
    });
  arrivals = new Arrivals<Call, string>(
    {
      nameOf: ({ name }) => name,
      bytesOf: ({ bytes = 1 }) => bytes,
      alone: ({ name }) => record([name], () => `${name} alone`),
      together: (calls) => {
        const names = calls.map(({ name }) => name);
        return record(names, (undecided) => {
          const decided = names.filter((name) => !undecided.includes(name));
          return new Map(decided.map((name) => [name, `${name} together`]));
        });
      },
    },
    { outcomeUnknown: counter, throttled: counter } as unknown as Metrics,
  );
});

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
  expect(await outcomes(answers)).toEqual(['a alone']);
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
  jest.useFakeTimers({ doNotFake: ['setImmediate'] });
  try {
    void send('a');
    await turn();
    void send('b');
    await turn();
    void send('c');
    await turn();
    expect(names()).toEqual([['a'], ['b']]);
    jest.advanceTimersByTime(100);
    await turn();
    expect(names()).toEqual([['a'], ['b'], ['c']]);
  } finally {
    jest.useRealTimers();
  }
});

it('never puts two calls of one name in a statement, nor a big one with others', async () => {
  void send('a', 'b', 'a', { name: 'big', bytes: 100_000 });
  await turn();
  expect(names()).toEqual([['a'], ['big'], ['a', 'b']]);
});

it('keeps a statement to 64 KiB', async () => {
  void send({ name: 'a', bytes: 40_000 }, { name: 'b', bytes: 40_000 }, { name: 'c', bytes: 20_000 });
  await turn();
  await turn();
  expect(names()).toEqual([['a'], ['b', 'c']]);
});

it('sends by itself what the statement did not decide', async () => {
  const answers = send('a', 'b', 'c');
  await turn();
  sent[0]!.answer(['b']);
  await turn();
  expect(names()).toEqual([['a', 'b', 'c'], ['b']]);
  sent[1]!.answer();
  expect(await outcomes(answers)).toEqual(['a together', 'b alone', 'c together']);
});

const serverError = (code: string): Error => Object.assign(new Error(code), { code });

it.each([
  ['for bad input', serverError('22P02')],
  ['for a deadlock', unavailable(500, { cause: serverError('40P01') })],
])('sends each by itself when the server refused the statement %s', async (_why, error) => {
  const answers = send('a', 'b');
  await turn();
  sent[0]!.fail(error);
  await turn();
  expect(names()).toEqual([['a', 'b'], ['a'], ['b']]);
  sent.slice(1).forEach(({ answer }) => answer());
  expect(await outcomes(answers)).toEqual(['a alone', 'b alone']);
});

it.each([
  ['the outcome is unknown', outcomeUnknown(new Error('lost')), 1],
  ['there is no connection', unavailable(), 0],
  ['something of ours failed, perhaps after the commit', new TypeError('defect'), 0],
])('repeats nothing when %s', async (_what, error, counted) => {
  const answers = send('a', 'b');
  await turn();
  sent[0]!.fail(error);
  expect(await outcomes(answers)).toEqual([error, error]);
  expect(names()).toEqual([['a', 'b']]);
  // One of the two was counted by who ran the statement.
  expect(counter.inc.mock.calls).toEqual(counted === 0 ? [] : [[counted]]);
});

it('refuses a call when a thousand wait', async () => {
  void send(...Array.from({ length: 1000 }, (_, index) => `n${index}`));
  const [refused] = await outcomes(send('one too many'));
  expect(refused).toMatchObject({ kind: 'unavailable' });
});
