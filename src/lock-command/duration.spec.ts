import { formatDuration, parseDuration } from './duration';

describe('parseDuration', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['0', 0],
    ['0ms', 0],
    ['24h', 86_400_000],
  ])('reads %s', (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds));

  it.each(['', '30', 's', '-1s', '1.5s', '1e3ms', ' 1s', '1S', '1d', '25h', '1441m', '99999999999999999999ms', '1s1s'])(
    'refuses "%s"',
    (text) => expect(parseDuration(text)).toBeUndefined(),
  );
});

describe('formatDuration', () => {
  it.each([
    [250, '250ms'],
    [1499, '1.5s'],
    [30_000, '30s'],
    [90_000, '90s'],
    [300_000, '5m'],
    [7_200_000, '2h'],
    [19_960.4, '20s'],
    [299_000.7, '299s'],
  ])('writes %d ms', (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text));
});
