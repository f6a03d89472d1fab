/** Two digits of each number below 60. */
const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'));
const SECONDS_A_DAY = 86_400;
/** Days whose texts are kept; a store is mostly asked for what changed on a few. */
const MAX_DAYS = 1000;

interface Day {
  /** `2022-12-09T` */
  readonly iso: string;
  /** `Fri, 09 Dec 2022 ` */
  readonly http: string;
}

const days = new Map<number, Day>();

/** Whole seconds and a numeric offset, as the real service writes it: `2022-12-09T22:48:01+00:00`. @param seconds since 1970 */
export const isoSeconds = (seconds: number): string => `${dayOf(seconds).iso}${clock(seconds)}+00:00`;

/** RFC 9110 §5.6.7: `Fri, 09 Dec 2022 22:48:01 GMT`. @param seconds since 1970 */
export const httpDate = (seconds: number): string => `${dayOf(seconds).http}${clock(seconds)} GMT`;

function clock(seconds: number): string {
  const time = seconds - Math.floor(seconds / SECONDS_A_DAY) * SECONDS_A_DAY;
  return `${TWO_DIGITS[Math.floor(time / 3600)]}:${TWO_DIGITS[Math.floor(time / 60) % 60]}:${TWO_DIGITS[time % 60]}`;
}

function dayOf(seconds: number): Day {
  const number = Math.floor(seconds / SECONDS_A_DAY);
  const known = days.get(number);
  if (known) return known;
  const date = new Date(number * SECONDS_A_DAY * 1000);
  const day = { iso: date.toISOString().slice(0, 11), http: date.toUTCString().slice(0, 17) };
  if (days.size >= MAX_DAYS) days.clear();
  days.set(number, day);
  return day;
}
