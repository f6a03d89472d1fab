import fc from 'fast-check';
import { leastTimeMs } from '../../../test/support/least-time.js';
import { parseAcceptDatetime } from './accept-datetime.js';

const NOW = Date.UTC(2026, 0, 1);
const parse = (header: string): string | null => {
  const asOf = parseAcceptDatetime(header, NOW);
  return asOf === null ? null : new Date(asOf.exclusiveEndMs - 1000).toISOString();
};

describe('parseAcceptDatetime', () => {
  it.each([
    ['Sat, 12 May 2018 02:10:00 GMT', '2018-05-12T02:10:00.000Z'],
    ['sat, 12 MAY 2018 02:10:00 gmt', '2018-05-12T02:10:00.000Z'],
    ['12 May 2018 02:10:00 GMT', '2018-05-12T02:10:00.000Z'],
    ['Fri, 1 Jan 2021 00:00:00 UTC', '2021-01-01T00:00:00.000Z'],
    [' Sat, 12 May 2018 02:10:00 GMT ', '2018-05-12T02:10:00.000Z'],
    ['Mon, 12 May 2018 02:10:00 GMT', '2018-05-12T02:10:00.000Z'],
    ['2022-10-21T22:48:29.000Z', '2022-10-21T22:48:29.000Z'],
    ['2022-10-21T22:48:29Z', '2022-10-21T22:48:29.000Z'],
    ['2022-10-21t22:48:29z', '2022-10-21T22:48:29.000Z'],
    ['2022-10-21T22:48Z', '2022-10-21T22:48:00.000Z'],
    ['2022-10-21T22:48:29.9999999Z', '2022-10-21T22:48:29.000Z'],
    ['2022-10-21T22:48:29+00:00', '2022-10-21T22:48:29.000Z'],
    ['2022-10-21T22:48:29+02:00', '2022-10-21T20:48:29.000Z'],
    ['2022-10-21T22:48:29-0530', '2022-10-22T04:18:29.000Z'],
    ['2022-10-21T22:48:29+02', '2022-10-21T20:48:29.000Z'],
    ['2022-10-21', '2022-10-21T00:00:00.000Z'],
    // Python's str(datetime), with and without a time zone
    ['2022-10-21 22:48:29.123456+00:00', '2022-10-21T22:48:29.000Z'],
    ['2022-10-21 22:48:29', '2022-10-21T22:48:29.000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['1969-12-31T23:59:59.500Z', '1969-12-31T23:59:59.000Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
    ['0099-06-01', '0099-06-01T00:00:00.000Z'],
  ])('reads %j', (header, instant) => {
    expect(parse(header)).toBe(instant);
  });

  it.each([
    '',
    ' ',
    '5',
    '0',
    'yesterday',
    'now',
    '2018',
    '2018-05',
    '1526091000',
    '1526091000000',
    '05/12/2018',
    '20180512',
    '2018-5-12',
    '2018-05-12T',
    '2018-05-12Z',
    '2018-05-12T02',
    '2018-05-12T02:10:00.Z',
    '2018-05-12T02:10:00.5.5Z',
    '2018-05-12T02:10:00ZZ',
    '2018-05-12T02:10:00+',
    '2018-05-12T02:10:00+2',
    '2018-05-12T02:10:00+02:',
    '2018-05-12T02:10:00+24:00',
    '2018-05-12T02:10:00+02:60',
    '2018-05-12T02:10:00 GMT',
    '2018-13-12',
    '2018-00-12',
    '2018-05-00',
    '2018-05-32',
    '2018-04-31',
    '2023-02-29',
    '2018-05-12T24:00:00Z',
    '2018-05-12T23:60:00Z',
    '2018-05-12T23:59:60Z',
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00+00:01',
    '+002018-05-12T00:00:00Z',
    '-000001-05-12T00:00:00Z',
    'Sat, 12 May 2018',
    'Sat, 12 May 2018 02:10 GMT',
    'Sat, 12 May 2018 02:10:00',
    'Sat, 12 May 2018 02:10:00 PST',
    'Sat, 12 May 18 02:10:00 GMT',
    'Sat, 32 May 2018 02:10:00 GMT',
    'Sat, 12 Mai 2018 02:10:00 GMT',
    'Sat 12 May 2018 02:10:00 GMT',
    'Xyz, 12 May 2018 02:10:00 GMT',
    'Sat, 12 May 2018 02:10:00 GMT x',
    'Sat,  12 May 2018 02:10:00 GMT',
    'Sat, 12 May 2018 2:10:00 GMT',
    'Sat, 12 May 2018 02:10:000 GMT',
    'Saturday, 12-May-18 02:10:00 GMT',
    'Sat May 12 02:10:00 2018',
    "2018-05-12T02:10:00Z'; DROP TABLE key_value; --",
    'infinity',
    '2018-05-12T02:10:00\u0660Z',
  ])('ignores %j', (header) => {
    expect(parse(header)).toBeNull();
  });

  it('ignores an absent header', () => {
    expect(parseAcceptDatetime(undefined, NOW)).toBeNull();
  });

  it.each([
    ['2026-01-01T00:00:00.000Z', true],
    ['2025-12-31T23:00:00-01:00', true],
    ['2026-01-01T00:00:00.001Z', false],
    ['2026-01-01T00:00:01Z', false],
    ['9999-12-31T23:59:59Z', false],
    ['Thu, 01 Jan 2026 00:00:01 GMT', false],
  ])('takes the present and ignores the future: %s is used: %j', (header, isUsed) => {
    expect(parse(header) !== null).toBe(isUsed);
  });

  it('sees the whole requested second', () => {
    const asOf = parseAcceptDatetime('2022-10-21T22:48:29.700Z', NOW);
    expect(asOf).toEqual({
      exclusiveEndMs: Date.UTC(2022, 9, 21, 22, 48, 30),
      memento: 'Fri, 21 Oct 2022 22:48:29 GMT',
    });
  });

  it('names even early years with four digits', () => {
    expect(parseAcceptDatetime('0001-01-01', NOW)?.memento).toBe('Mon, 01 Jan 0001 00:00:00 GMT');
  });

  it('reads every instant in both forms', () => {
    const instants = fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date(NOW), noInvalidDate: true });
    fc.assert(
      fc.property(instants, (instant) => {
        const expected = {
          exclusiveEndMs: Math.floor(instant.getTime() / 1000) * 1000 + 1000,
          memento: instant.toUTCString(),
        };
        expect(parseAcceptDatetime(instant.toISOString(), NOW)).toEqual(expected);
        expect(parseAcceptDatetime(instant.toUTCString(), NOW)).toEqual(expected);
      }),
    );
  });

  it.each(['9', ' ', '2022-10-21T22:48:29.9', ','])('takes linear time for a long run of %j', (unit) => {
    const text = unit.repeat(500_000);
    expect(leastTimeMs(() => expect(parse(text)).toBeNull(), 3)).toBeLessThan(3000);
  });
});
