import { leastTimeMs } from '../../../test/support/least-time.js';
import { isNotModified, representationTag, versionsFrom } from './version-match.js';

describe('If-Match', () => {
  it.each<[string | undefined, string[] | null]>([
    [undefined, null],
    ['*', null],
    [' * ', null],
    ['"7"', ['7']],
    ['"7-abc_-"', ['7']],
    ['"7", "8-x" ,, "9"', ['7', '8', '9']],
    ['W/"7", "8"', ['8']],
    ['W/"7"', []],
    ['"other"', []],
    ['7', []],
    ['"7" "8"', []],
    ['"7', []],
    ['', []],
    ['"12345678901234567890"', []],
  ])('%j allows %j', (header, versions) => expect(versionsFrom(header)).toEqual(versions));

  it('is read in linear time', () => {
    for (const header of [
      '"'.repeat(10_001),
      ' '.repeat(30_000),
      '"a" '.repeat(8000),
      ','.repeat(30_000),
      'W/'.repeat(9000),
    ]) {
      expect(versionsFrom(header)).toEqual([]);
      expect(leastTimeMs(() => versionsFrom(header))).toBeLessThan(100);
    }
  });
});

it('If-None-Match compares the whole tag, weak or strong', () => {
  const etag = representationTag('7', 'body');
  expect(etag).toMatch(/^"7-[\w-]{22}"$/);
  expect(representationTag('7', 'other')).not.toBe(etag);
  for (const header of [etag, `W/${etag}`, `"x", ${etag}`, '*']) expect(isNotModified(header, etag)).toBe(true);
  for (const header of [undefined, '"7"', 'x', '', '"7-"']) expect(isNotModified(header, etag)).toBe(false);
});
