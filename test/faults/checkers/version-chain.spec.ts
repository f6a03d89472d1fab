import { type KeyValueOperation } from '../harness/history';
import { checkVersionChain, type StoredRevision } from './version-chain';

const row = (value: string | null, part: Partial<StoredRevision> = {}): StoredRevision => ({
  key: 'k',
  etag: value === null ? 'tombstone' : `tag-${value}`,
  value,
  deleted: value === null,
  is_later: true,
  ...part,
});
const write = (
  op: KeyValueOperation['op'],
  value: string,
  part: Partial<KeyValueOperation> = {},
): KeyValueOperation => ({
  client: 0,
  replica: 'r',
  op,
  key: 'k',
  args: { value, ...(op === 'cas' ? { expected: 'a', ifMatch: 'tag-a' } : {}) },
  call_ns: 0,
  ret_ns: 1,
  outcome: 'ok',
  isDone: true,
  value: null,
  etag: `tag-${value}`,
  ...part,
});
const removal = (value: string): KeyValueOperation => ({ ...write('delete', value), args: {}, value, etag: null });

const violationsOf = (history: KeyValueOperation[], stored: StoredRevision[]): string =>
  checkVersionChain(history, stored).violations.join('\n');

it('is content with a history that says what the clients were told', () => {
  const history = [write('put', 'a'), write('cas', 'b'), removal('b'), write('create', 'c')];
  const stored = [row('a', { is_later: null }), row('b'), row(null), row('c')];
  expect(checkVersionChain(history, stored)).toEqual({ violations: [], acknowledged: 4, lost: 0 });
});

it.each([
  ['an acknowledged write that is not there', [write('put', 'a')], [], /LOST/],
  ['an acknowledged delete that is not there', [removal('a')], [row('a')], /LOST/],
  [
    'a condition on another than the direct predecessor',
    [write('cas', 'c')],
    [row('a'), row('b'), row('c')],
    /followed tag-b/,
  ],
  ['a creation upon something', [write('create', 'b')], [row('a'), row('b')], /create of b/],
  ['a refused write that was made', [write('cas', 'b', { isDone: false })], [row('a'), row('b')], /made all the same/],
  [
    'a failed write that was made',
    [write('put', 'b', { outcome: 'fail', isDone: false })],
    [row('b')],
    /made all the same/,
  ],
  ['a write that was made twice', [write('put', 'a')], [row('a'), row('a', { etag: 'tag-2' })], /written 2 times/],
  ['an entity tag that was given twice', [], [row('a'), row('b', { etag: 'tag-a' })], /given twice/],
  ['time that stood still', [], [row('a'), row('b', { is_later: false })], /not later/],
  ['two deletes in a row', [], [row('a'), row(null), row(null, { etag: 'other' })], /deleted twice/],
])('finds %s', (_, history, stored, sign) => {
  expect(violationsOf(history, stored)).toMatch(sign);
});

it('accepts a repeated write that the first, unanswered request made', () => {
  const first = write('cas', 'b', { outcome: 'unknown', isDone: false, etag: null });
  const repeated = write('cas', 'b', { isDone: false, etag: null });
  expect(violationsOf([first, repeated], [row('a'), row('b')])).toBe('');
});
