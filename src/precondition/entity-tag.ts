/**
 * What an `If-Match` or `If-None-Match` header says: the wildcard, or the opaque text of its first entity tag (without quotes and
 * without `W/`). A header that says nothing valid is `null` and counts as absent.
 */
export type EntityTags = { readonly kind: 'any' } | { readonly kind: 'tag'; readonly tag: string };

const ANY: EntityTags = Object.freeze({ kind: 'any' });

const TAB = 0x09;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const SLASH = 0x2f;
const CAPITAL_W = 0x57;
const DELETE = 0x7f;

/**
 * Reads a header of the form `*` or `#entity-tag` (RFC 9110 §8.8.3, §13.1.1), as Azure's contract section 5 wants it:
 * - an unquoted tag, or anything else wrong anywhere in the list, makes the whole header invalid, and it is ignored;
 * - only the first tag counts;
 * - weak tags compare like strong ones, so the mark is dropped;
 * - `"*"` in quotes is the wildcard too, because the published examples write it so;
 * - a tag may have blanks in it, as for the real service: no tag of ours has, and so the condition fails instead of being ignored.
 *
 * The whole list is read in one pass without going back: callers choose its length, so nothing here may be worse than linear.
 *
 * @param header field value; several lines are joined by `, ` before (as node:http does)
 */
export function parseEntityTags(header: string | undefined): EntityTags | null {
  if (header === undefined) return null;
  const end = header.length;
  let first: string | null = null;
  let position = skipBlanks(header, 0);

  if (header[position] === '*' && skipBlanks(header, position + 1) === end) return ANY;

  while (position < end) {
    // RFC 9110 §5.6.1.2: empty list members are to be read over.
    if (header.charCodeAt(position) === COMMA) {
      position = skipBlanks(header, position + 1);
      continue;
    }
    // The weakness mark is case-sensitive and stands right before the quote.
    if (header.charCodeAt(position) === CAPITAL_W && header.charCodeAt(position + 1) === SLASH) position += 2;
    const close = closingQuote(header, position);
    if (close < 0) return null;
    first ??= header.slice(position + 1, close);
    position = skipBlanks(header, close + 1);
    if (position < end && header.charCodeAt(position) !== COMMA) return null;
  }
  if (first === null) return null;
  return first === '*' ? ANY : { kind: 'tag', tag: first };
}

/** Index of the quote that closes the tag opened at `open`, or -1 when no well-formed tag stands there. */
function closingQuote(text: string, open: number): number {
  if (text.charCodeAt(open) !== QUOTE) return -1;
  for (let at = open + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if ((code < SPACE && code !== TAB) || code === DELETE) return -1;
  }
  return -1;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && (text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB)) at++;
  return at;
}
