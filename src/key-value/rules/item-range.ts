/** Zero-based positions, both included; `last` null means "to the end". */
export interface ItemRange {
  readonly first: number;
  readonly last: number | null;
}

/** Beyond any list there is, and within what a SQL OFFSET of 64 bits holds. */
const MAX_POSITION = 2 ** 31;

/** Longer digits cannot be within the maximum. */
const MAX_DIGITS = 10;

const UNIT = 'items=';

/**
 * Reads `Range: items=0-2` of `/revisions` (Azure contract 4.7). Other units, suffix ranges, several ranges and anything malformed
 * are null: RFC 9110 §14.2 lets a server ignore a range it does not understand.
 */
export function parseItemRange(header: string | undefined): ItemRange | null {
  if (header === undefined) return null;
  const text = header.trim();
  // RFC 9110 §14.1: range units are case-insensitive.
  if (text.length > UNIT.length + 2 * MAX_DIGITS + 1 || !text.toLowerCase().startsWith(UNIT)) return null;
  const dash = text.indexOf('-');
  if (dash === -1) return null;
  const first = parsePosition(text.slice(UNIT.length, dash));
  if (first === null) return null;
  if (dash === text.length - 1) return { first, last: null };
  const last = parsePosition(text.slice(dash + 1));
  return last === null || last < first ? null : { first, last };
}

function parsePosition(text: string): number | null {
  if (text === '' || text.length > MAX_DIGITS) return null;
  let position = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return null;
    position = position * 10 + digit;
  }
  return position > MAX_POSITION ? null : position;
}
