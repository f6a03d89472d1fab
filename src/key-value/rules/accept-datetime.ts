/** The instant at which a request wants to see the store (Azure contract section 6). */
export interface AsOf {
  /** A revision is visible when its last_modified lies before this: the requested second counts as a whole. */
  readonly exclusiveEndMs: number;
  /** The requested instant for `Memento-Datetime`, as RFC 1123. */
  readonly memento: string;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** 0001-01-01T00:00:00Z. PostgreSQL wants years before it spelled another way. */
const EARLIEST_MS = -62_135_596_800_000;

/** No form that is accepted is longer. */
const MAX_LENGTH = 64;

/**
 * Reads `Accept-Datetime`: RFC 1123 as .NET and Java send it, ISO 8601 as JavaScript sends it, or ISO 8601 with a space and perhaps
 * without an offset, as Python prints its datetimes (UTC is then meant).
 *
 * @returns null when the header is absent, unparsable or in the future, all of which mean the current state
 */
export function parseAcceptDatetime(header: string | undefined, nowMs: number): AsOf | null {
  if (header === undefined || header.length > MAX_LENGTH) return null;
  const text = header.trim();
  const instantMs = parseIso(text) ?? parseRfc1123(text);
  if (instantMs === undefined || instantMs > nowMs || instantMs < EARLIEST_MS) return null;
  const secondMs = Math.floor(instantMs / 1000) * 1000;
  return { exclusiveEndMs: secondMs + 1000, memento: new Date(secondMs).toUTCString() };
}

/** `[Sat, ]12 May 2018 02:10:00 GMT`. The weekday is not compared with the date: it adds nothing. */
function parseRfc1123(text: string): number | undefined {
  const words = text.toLowerCase().split(' ');
  if (words.length === 6) {
    const weekday = words.shift() ?? '';
    if (!weekday.endsWith(',') || !WEEKDAYS.includes(weekday.slice(0, -1))) return undefined;
  }
  const [day = '', month = '', year = '', time = '', zone = ''] = words;
  if (words.length !== 5) return undefined;
  if (zone !== 'gmt' && zone !== 'utc') return undefined;
  const scanner = new Scanner(time);
  const hour = scanner.digits(2);
  const minute = scanner.take(':') ? scanner.digits(2) : -1;
  const second = scanner.take(':') ? scanner.digits(2) : -1;
  if (!scanner.isAtEnd()) return undefined;
  const dayNumber = new Scanner(day.length === 1 ? `0${day}` : day).only(2);
  return instant(new Scanner(year).only(4), MONTHS.indexOf(month) + 1, dayNumber, hour, minute, second, 0);
}

/** `2022-10-21`, `2022-10-21T22:48Z`, `2022-10-21T22:48:29.000Z`, `2022-10-21 22:48:29.123456+02:00`, … */
function parseIso(text: string): number | undefined {
  const scanner = new Scanner(text);
  const year = scanner.digits(4);
  const month = scanner.take('-') ? scanner.digits(2) : -1;
  const day = scanner.take('-') ? scanner.digits(2) : -1;
  if (scanner.isAtEnd()) return instant(year, month, day, 0, 0, 0, 0);
  if (!scanner.take('T') && !scanner.take('t') && !scanner.take(' ')) return undefined;
  const hour = scanner.digits(2);
  const minute = scanner.take(':') ? scanner.digits(2) : -1;
  let second = 0;
  let millisecond = 0;
  if (scanner.take(':')) {
    second = scanner.digits(2);
    if (scanner.take('.') || scanner.take(',')) millisecond = scanner.fraction();
  }
  const offsetMinutes = scanner.offset();
  if (offsetMinutes === undefined || !scanner.isAtEnd()) return undefined;
  const utcMs = instant(year, month, day, hour, minute, second, millisecond);
  return utcMs === undefined ? undefined : utcMs - offsetMinutes * 60_000;
}

/** Undefined unless every part is in its range; a part that could not be read is -1. */
function instant(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  millisecond: number,
): number | undefined {
  if (year < 1 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59) {
    return undefined;
  }
  if (second < 0 || second > 59 || millisecond < 0) return undefined;
  const date = new Date(0);
  // Date.UTC would move the years 1 to 99 into the twentieth century.
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1) return undefined;
  return date.setUTCHours(hour, minute, second, millisecond);
}

/** Reads fixed forms from left to right; -1 stands for digits that are not there. */
class Scanner {
  private at = 0;

  constructor(private readonly text: string) {}

  isAtEnd(): boolean {
    return this.at === this.text.length;
  }

  take(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  digits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      const digit = this.text.charCodeAt(this.at + i) - 0x30;
      // Written this way round so that the NaN beyond the end fails too.
      if (!(digit >= 0 && digit <= 9)) return -1;
      value = value * 10 + digit;
    }
    this.at += count;
    return value;
  }

  only(count: number): number {
    const value = this.digits(count);
    return this.isAtEnd() ? value : -1;
  }

  /** One or more digits of a fraction of a second, in whole milliseconds. */
  fraction(): number {
    let milliseconds = 0;
    let weight = 100;
    let digit = this.digits(1);
    if (digit === -1) return -1;
    for (; digit !== -1; digit = this.digits(1)) {
      milliseconds += digit * Math.floor(weight);
      weight /= 10;
    }
    return milliseconds;
  }

  /** Minutes east of UTC; nothing at all means UTC. */
  offset(): number | undefined {
    if (this.isAtEnd() || this.take('Z') || this.take('z')) return 0;
    const isNegative = this.take('-');
    if (!isNegative && !this.take('+')) return undefined;
    const hours = this.digits(2);
    const minutes = this.take(':') || !this.isAtEnd() ? this.digits(2) : 0;
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return undefined;
    return (isNegative ? -1 : 1) * (hours * 60 + minutes);
  }
}
