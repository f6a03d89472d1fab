import { httpDate, isoSeconds } from './utc-time.js';

describe('times in UTC', () => {
  const DAY = 86_400;
  const seconds = [
    0,
    1,
    59,
    60,
    3599,
    3600,
    DAY - 1,
    DAY,
    -1,
    -DAY,
    -DAY - 1,
    951_782_400,
    1_670_626_081,
    4_102_444_799,
  ];

  it.each(seconds)('are those of Date for %i', (given) => {
    const date = new Date(given * 1000);
    expect(isoSeconds(given)).toBe(`${date.toISOString().slice(0, 19)}+00:00`);
    expect(httpDate(given)).toBe(date.toUTCString());
  });

  it('are right when more days were asked for than are kept', () => {
    for (let day = 0; day < 3000; day++) {
      expect(httpDate(day * DAY + 5)).toBe(new Date((day * DAY + 5) * 1000).toUTCString());
    }
  });
});
