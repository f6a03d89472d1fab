import { type GrantOperation } from '../harness/history';
import { checkMutex, type JournalGrant } from './mutex';

const at = (second: number): string => `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000Z`;
const grant = (fence: number, from: number, to: number, releasedAt: number | null = null): JournalGrant => ({
  key: 'k',
  fence: String(fence),
  owner: `owner-${fence}`,
  grantedAt: at(from),
  expiresAt: at(to),
  releasedAt: releasedAt === null ? null : at(releasedAt),
});
const told = (fence: number, call: number, ret: number): GrantOperation => ({
  client: 0,
  replica: 'r',
  op: 'acquire',
  key: 'k',
  call_ns: call,
  ret_ns: ret,
  fence: String(fence),
  grantedAt: at(0),
  expiresAt: at(1),
  released_ns: null,
  isReleased: false,
});

it('is content with holds that end before the next begins, by release or by time', () => {
  const journal = [grant(1, 0, 30, 5), grant(9, 5, 10), grant(10, 10, 20)];
  expect(checkMutex(journal, [told(1, 0, 1), told(9, 2, 3), told(10, 4, 5)])).toEqual([]);
});

it.each([
  ['a hold that began before the lease was over', [grant(1, 0, 10), grant(2, 9, 20)], [], /had it until/],
  ['a hold that began before the release', [grant(1, 0, 10, 8), grant(2, 7, 20)], [], /had it until/],
  ['a fence that is lower', [grant(2, 0, 1), grant(1, 5, 6)], [], /was granted after/],
  ['a fence that is the same', [grant(2, 0, 1), grant(2, 5, 6)], [], /was granted after/],
  ['an answer that the database knows nothing of', [grant(1, 0, 1)], [told(2, 0, 1)], /never granted/],
  ['a fence told to two callers', [grant(1, 0, 1)], [told(1, 0, 1), told(1, 2, 3)], /two callers/],
  [
    'a higher fence that was answered before the lower one was asked for',
    [grant(1, 0, 1), grant(2, 5, 6)],
    [told(2, 0, 1), told(1, 2, 3)],
    /higher fence than 1/,
  ],
])('finds %s', (_, journal, observed, sign) => {
  expect(checkMutex(journal, observed).join('\n')).toMatch(sign);
});

it('does not compare one lock with another', () => {
  expect(checkMutex([grant(2, 0, 9), { ...grant(1, 1, 2), key: 'other' }], [])).toEqual([]);
});
