import { isUtf8 } from 'node:buffer';
import { invalidArgument, malformedPath } from '../problem/catalogue.js';

/** One parameter as it was sent, decoded. */
export interface QueryPair {
  readonly name: string;
  readonly value: string;
}

const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;
const QUOTE = 0x22;
const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;

/**
 * The decoded query of a request, in the order in which it was sent. Names compare without regard to ASCII case, and an empty value
 * counts as absent, because both hold for every string parameter of the Azure contract (section 2.3).
 */
export class QueryString {
  constructor(readonly pairs: readonly QueryPair[]) {}

  /** The first value of the parameter that is not empty. */
  first(name: string): string | undefined {
    for (const pair of this.pairs) {
      if (pair.value !== '' && isSameName(pair.name, name)) return pair.value;
    }
    return undefined;
  }

  /** Every value of the parameter, empty ones included. */
  all(name: string): string[] {
    const values: string[] = [];
    for (const pair of this.pairs) {
      if (isSameName(pair.name, name)) values.push(pair.value);
    }
    return values;
  }
}

const EMPTY = new QueryString([]);

/**
 * Reads the raw text after `?`. `+` is a space and `%XX` is decoded once; a `%` that starts no escape stays as it is.
 *
 * @throws Problem `invalid-argument` that names the parameter whose bytes are not UTF-8
 */
export function parseQuery(raw: string): QueryString {
  if (raw === '') return EMPTY;
  const pairs: QueryPair[] = [];
  let start = 0;
  while (start <= raw.length) {
    let end = raw.indexOf('&', start);
    if (end === -1) end = raw.length;
    if (end > start) pairs.push(parsePair(raw.slice(start, end)));
    start = end + 1;
  }
  return new QueryString(pairs);
}

/**
 * One percent-decoding of a path segment as strict UTF-8; `+` is itself (Azure contract section 3). The result may contain `/`.
 *
 * @throws Problem `malformed-path` when an escape is incomplete or the bytes are not UTF-8
 */
export function decodePathSegment(raw: string): string {
  if (isPlain(raw, false)) return raw;
  const text = decode(raw, false, true);
  if (text === undefined) throw malformedPath();
  return text;
}

/**
 * The raw target as a `Link` header can hold it between angle brackets: bytes from 0x80 up, the brackets themselves and quotes become
 * escapes, everything else stays as the client sent it.
 */
export function encodeTarget(raw: string): string {
  let result = '';
  let copied = 0;
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i);
    if (code < 0x80 && code !== LESS_THAN && code !== GREATER_THAN && code !== QUOTE) continue;
    result += raw.slice(copied, i) + '%' + (code & 0xff).toString(16).toUpperCase();
    copied = i + 1;
  }
  return copied === 0 ? raw : result + raw.slice(copied);
}

function parsePair(text: string): QueryPair {
  const equals = text.indexOf('=');
  const name = decodeForm(equals === -1 ? text : text.slice(0, equals));
  if (name === undefined) throw invalidArgument('query');
  const value = equals === -1 ? '' : decodeForm(text.slice(equals + 1));
  if (value === undefined) throw invalidArgument(name.toLowerCase());
  return { name, value };
}

function decodeForm(raw: string): string | undefined {
  return isPlain(raw, true) ? raw : decode(raw, true, false);
}

/** Most parameters need no decoding at all, and finding that out allocates nothing. */
function isPlain(raw: string, plusIsSpace: boolean): boolean {
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i);
    if (code === PERCENT || code >= 0x80 || (plusIsSpace && code === PLUS)) return false;
  }
  return true;
}

/** Undefined when the bytes are not UTF-8 or, where `isStrict`, an escape is incomplete. */
function decode(raw: string, plusIsSpace: boolean, isStrict: boolean): string | undefined {
  const bytes = Buffer.allocUnsafe(raw.length);
  let length = 0;
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i);
    // Node hands over the bytes of the request line one per character, so anything above cannot have been received.
    if (code > 0xff) return undefined;
    if (code === PERCENT) {
      const high = hexDigit(raw.charCodeAt(i + 1));
      const low = hexDigit(raw.charCodeAt(i + 2));
      if (high !== -1 && low !== -1) {
        bytes[length++] = high * 16 + low;
        i += 2;
        continue;
      }
      if (isStrict) return undefined;
    }
    bytes[length++] = plusIsSpace && code === PLUS ? SPACE : code;
  }
  const decoded = bytes.subarray(0, length);
  // Buffer's own decoding would replace bad bytes, which could make two different keys equal. It keeps a leading U+FEFF, as it must.
  return isUtf8(decoded) ? decoded.toString('utf8') : undefined;
}

/** -1 for anything that is no hexadecimal digit, the NaN beyond the end of the text included. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function isSameName(left: string, right: string): boolean {
  if (left === right) return true;
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) {
    if (lowerAscii(left.charCodeAt(i)) !== lowerAscii(right.charCodeAt(i))) return false;
  }
  return true;
}

const lowerAscii = (code: number): number => (code >= 0x41 && code <= 0x5a ? code + 0x20 : code);
