import { type KeyValueOperation } from '../harness/history';
import { checkRegisters } from './register';

let clock = 0;
const base = { client: 0, replica: 'r', key: 'k', outcome: 'ok', isDone: true, value: null, etag: null } as const;
type Part = Partial<KeyValueOperation>;

/** An operation that begins after all before it have ended, unless the times say otherwise. */
const operation = (
  op: KeyValueOperation['op'],
  args: KeyValueOperation['args'],
  part: Part = {},
): KeyValueOperation => {
  clock += 10;
  return { ...base, op, args, call_ns: clock, ret_ns: clock + 5, ...part };
};
const put = (value: string, part?: Part) => operation('put', { value }, part);
const get = (value: string | null, part?: Part) => operation('get', {}, { value, ...part });
const cas = (expected: string, value: string, part?: Part) => operation('cas', { expected, value }, part);
const create = (value: string, part?: Part) => operation('create', { value }, part);
const remove = (value: string | null, part?: Part) => operation('delete', {}, { value, ...part });
const unknown: Part = { outcome: 'unknown', isDone: false };
const refused: Part = { isDone: false };

const verdictOf = (...history: KeyValueOperation[]): string => checkRegisters(history)[0]!.verdict;

beforeEach(() => (clock = 0));

describe('a history one after the other', () => {
  it('is a register’s when each answer follows from the one before', () => {
    expect(
      verdictOf(get(null), create('a'), get('a'), cas('a', 'b'), cas('a', 'c', refused), remove('b'), get(null)),
    ).toBe('linearizable');
  });

  it.each([
    ['a value that was replaced', () => [put('a'), put('b'), get('a')]],
    ['a value that nobody wrote', () => [put('a'), get('x')]],
    ['nothing where something is', () => [put('a'), get(null)]],
    ['a condition that does not hold and succeeded', () => [put('a'), put('b'), cas('a', 'c')]],
    ['a condition that holds and was refused', () => [put('a'), cas('a', 'b', refused)]],
    ['two creations without a delete', () => [create('a'), create('b')]],
    ['a creation refused where nothing is', () => [put('a'), remove('a'), create('b', refused)]],
    ['a delete that tells another value', () => [put('a'), put('b'), remove('a')]],
  ])('is not with %s', (_, history) => {
    expect(verdictOf(...history())).toBe('violation');
  });
});

describe('operations that overlap', () => {
  it('may have happened in any order', () => {
    expect(
      verdictOf(put('a', { call_ns: 1, ret_ns: 100 }), put('b', { call_ns: 2, ret_ns: 99 }), get('a'), get('a')),
    ).toBe('linearizable');
  });

  it('may not have happened in two orders', () => {
    const early = { call_ns: 1, ret_ns: 100 };
    const later = { call_ns: 200, ret_ns: 210 };
    const last = { call_ns: 300, ret_ns: 310 };
    expect(verdictOf(put('a', early), put('b', early), get('a', later), get('b', last))).toBe('violation');
  });

  it('let one of two with the same condition succeed', () => {
    const both = { call_ns: 100, ret_ns: 200 };
    expect(verdictOf(put('a'), cas('a', 'b', both), cas('a', 'c', { ...both, ...refused }))).toBe('linearizable');
    expect(verdictOf(put('a'), cas('a', 'b', both), cas('a', 'c', both))).toBe('violation');
  });
});

describe('unknown outcomes', () => {
  it('may take effect late, or never', () => {
    expect(verdictOf(put('a'), put('b', unknown), get('a'), get('b'))).toBe('linearizable');
    expect(verdictOf(put('a'), put('b', unknown), get('a'), get('a'))).toBe('linearizable');
  });

  it('do not come and go', () => {
    expect(verdictOf(put('a'), put('b', unknown), get('b'), get('a'))).toBe('violation');
  });

  it('of a condition count only where it held', () => {
    expect(verdictOf(put('a'), put('c'), cas('a', 'b', unknown), get('b'))).toBe('violation');
    expect(verdictOf(put('a'), cas('a', 'b', unknown), get('b'))).toBe('linearizable');
  });

  it('explain why a later condition was refused', () => {
    expect(verdictOf(put('a'), put('b', unknown), cas('a', 'c', refused))).toBe('linearizable');
  });
});

it('takes no effect from what promised that nothing was done', () => {
  expect(verdictOf(put('a'), put('b', { outcome: 'fail', isDone: false }), get('b'))).toBe('violation');
});

it('decides thousands of operations of many clients, and finds the one stale read among them', () => {
  const history: KeyValueOperation[] = [];
  let value = 'v0';
  history.push(put(value));
  for (let turn = 1; turn < 4_000; turn++) {
    // Eight at a time overlap; every hundredth has no answer.
    const at = { call_ns: 1_000 + turn * 10, ret_ns: 1_000 + turn * 10 + 85 };
    if (turn % 100 === 0) history.push(put(`lost-${turn}`, { ...at, ...unknown }));
    else if (turn % 10 === 0) {
      history.push(cas(value, `v${turn}`, { call_ns: at.call_ns, ret_ns: at.call_ns + 5 }));
      value = `v${turn}`;
    } else history.push(get(value, { call_ns: at.call_ns, ret_ns: at.call_ns + 5 }));
  }
  expect(verdictOf(...history)).toBe('linearizable');
  const stale = history.findIndex((each, index) => index > 2_000 && each.op === 'get');
  history[stale] = { ...history[stale]!, value: 'v10' };
  expect(verdictOf(...history)).toBe('violation');
});

it('judges each key by itself', () => {
  const other = put('b', { key: 'other' });
  expect(checkRegisters([put('a'), other, get('b', { key: 'other' }), get('a')]).map(({ verdict }) => verdict)).toEqual(
    ['linearizable', 'linearizable'],
  );
});
