const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;
const UNDERSCORE = 0x5f;

/** More digits than the longest integer of 64 bits has; protobuf-go puts longer ones not even together. */
const MAX_DIGITS = 20;
const MAX_INT32 = 2_147_483_647;
const MIN_INT32 = -2_147_483_648;

const isDigit = (code: number | undefined): boolean => code !== undefined && code >= ZERO && code <= NINE;

/** Whether a word or number goes on with this byte. */
export function isWordPart(code: number | undefined): boolean {
  if (code === undefined) return false;
  const lower = code | 0x20;
  return (
    isDigit(code) ||
    (lower >= 0x61 && lower <= 0x7a) ||
    code === MINUS ||
    code === PLUS ||
    code === DOT ||
    code === UNDERSCORE
  );
}

/**
 * Index after the number that begins at `start`, or -1 where none does.
 *
 * As in protobuf-go, and unlike in JSON, the digits of an exponent may be missing unless the text ends there: `1e` is a number.
 */
export function endOfNumber(bytes: Buffer, start: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start;
  if (!isDigit(bytes[at])) return -1;
  at = bytes[at] === ZERO ? at + 1 : endOfDigits(bytes, at);
  if (bytes[at] === DOT && isDigit(bytes[at + 1])) at = endOfDigits(bytes, at + 1);
  if (at + 1 < bytes.length && (bytes[at]! | 0x20) === LOWER_E) {
    at++;
    if (bytes[at] === PLUS || bytes[at] === MINUS) {
      at++;
      if (at === bytes.length) return -1;
    }
    at = endOfDigits(bytes, at);
  }
  return isWordPart(bytes[at]) ? -1 : at;
}

function endOfDigits(bytes: Buffer, start: number): number {
  let at = start;
  while (isDigit(bytes[at])) at++;
  return at;
}

/**
 * The 32-bit integer that a number stands for, however it is written (`60`, `60.0`, `6e1`, `6000e-2`); undefined where it has a fraction
 * or is out of range. The digits are compared as text, because JavaScript's numbers would round a fraction away.
 *
 * @param raw as `endOfNumber` found it
 */
export function int32Of(raw: string): number | undefined {
  // Cut by its marks: a regular expression keeps a note for each of a million digits, and runs out of room for them.
  const exponentAt = raw.search(/e/i);
  const mantissa = exponentAt < 0 ? raw : raw.slice(0, exponentAt);
  const exponentText = exponentAt < 0 ? '' : raw.slice(exponentAt + 1);
  const isNegative = mantissa.startsWith('-');
  const [whole = '', fractionDigits = ''] = mantissa.slice(isNegative ? 1 : 0).split('.', 2);
  const digits = whole === '0' ? '' : whole;
  const fraction = withoutTrailingZeros(fractionDigits);
  if (digits === '' && fraction === '') return 0;
  if (exponentText === '+' || exponentText === '-') return undefined;
  const exponent = Number(exponentText);
  if (exponent > MAX_INT32 || exponent < MIN_INT32) return undefined;
  const magnitude = exponent >= 0 ? shiftLeft(digits, fraction, exponent) : shiftRight(digits, fraction, -exponent);
  if (magnitude === undefined) return undefined;
  const value = isNegative ? -Number(magnitude) : Number(magnitude);
  return value >= MIN_INT32 && value <= MAX_INT32 ? value : undefined;
}

function shiftLeft(digits: string, fraction: string, places: number): string | undefined {
  if (fraction.length > places || digits.length + places > MAX_DIGITS) return undefined;
  return digits + fraction.padEnd(places, '0');
}

function shiftRight(digits: string, fraction: string, places: number): string | undefined {
  const length = digits.length - places;
  if (fraction !== '' || length < 0 || withoutTrailingZeros(digits).length > length) return undefined;
  return digits.slice(0, length);
}

/** A loop, for the regular expression would try each of many zeros as the first of the last ones. */
function withoutTrailingZeros(digits: string): string {
  let length = digits.length;
  while (length > 0 && digits[length - 1] === '0') length--;
  return digits.slice(0, length);
}
