import { isUtf8 } from 'node:buffer';
import { goQuote } from './go-quote.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const LOWER_U = 0x75;
/** Bytes of `\n` and of `\u0000`. */
const SHORT = 2;
const LONG = 6;
const SHORT_ESCAPES: ReadonlyMap<number, number> = new Map(
  [...'""\\\\//b\bf\fn\nr\rt\t'.matchAll(/(.)(.)/gs)].map(([, letter, meaning]) => [
    letter!.charCodeAt(0),
    meaning!.charCodeAt(0),
  ]),
);

/** Why a string was refused, in protobuf-go's words; null when the text ends before the string does. */
export class JsonStringError extends Error {
  constructor(readonly detail: string | null) {
    super(detail ?? 'the text ends');
    this.name = 'JsonStringError';
  }
}

/** An escape that was understood, or what is wrong with it. */
type Escape = { readonly size: number; readonly codePoint: number } | { readonly fault: string | null };

/** Reads the strings of one JSON text: strict UTF-8, no control characters, surrogates only in pairs. Linear in time. */
export class JsonStringReader {
  /** Where strings with escapes are put together; made once, because a text can hold very many. */
  private scratch: Buffer | undefined;

  constructor(private readonly bytes: Buffer) {}

  /**
   * @param start index of the opening quote
   * @returns index after the closing quote, and the text between them
   * @throws JsonStringError
   */
  read(start: number): { end: number; text: string } {
    const { bytes } = this;
    let runStart = start + 1;
    let length = 0;
    let seen = 0;
    for (let at = runStart; ;) {
      const code = bytes[at];
      if (code !== undefined && code >= SPACE && code !== QUOTE && code !== BACKSLASH) {
        seen |= code;
        at++;
        continue;
      }
      if (code === QUOTE && runStart === start + 1) {
        // Most strings are short and plain ASCII, and need no check.
        const text = seen < 0x80 ? bytes.toString('latin1', runStart, at) : decode(bytes.subarray(runStart, at));
        return { end: at + 1, text };
      }
      this.scratch ??= Buffer.allocUnsafe(bytes.length);
      if (at > runStart) length += bytes.copy(this.scratch, length, runStart, at);
      if (code === QUOTE) return { end: at + 1, text: decode(this.scratch.subarray(0, length)) };
      const escape = readEscape(bytes, at);
      if ('fault' in escape) {
        // Bytes before it that are not UTF-8 are the first fault.
        decode(this.scratch.subarray(0, length));
        throw new JsonStringError(escape.fault);
      }
      length = writeUtf8(this.scratch, length, escape.codePoint);
      at += escape.size;
      runStart = at;
    }
  }
}

/** @returns index after the character; a loop over many would be several times slower with `Buffer.write` */
function writeUtf8(target: Buffer, start: number, codePoint: number): number {
  let at = start;
  if (codePoint < 0x80) target[at++] = codePoint;
  else {
    if (codePoint < 0x800) target[at++] = 0xc0 | (codePoint >> 6);
    else {
      if (codePoint < 0x10000) target[at++] = 0xe0 | (codePoint >> 12);
      else {
        target[at++] = 0xf0 | (codePoint >> 18);
        target[at++] = 0x80 | ((codePoint >> 12) & 0x3f);
      }
      target[at++] = 0x80 | ((codePoint >> 6) & 0x3f);
    }
    target[at++] = 0x80 | (codePoint & 0x3f);
  }
  return at;
}

function decode(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new JsonStringError('invalid UTF-8 in string');
  return bytes.toString('utf8');
}

/** What begins at `at`: an escape, or a byte that no string can hold, or the end of the text. */
function readEscape(bytes: Buffer, at: number): Escape {
  const code = bytes[at];
  if (code === undefined) return { fault: null };
  if (code !== BACKSLASH) return { fault: `invalid character ${goQuote(bytes.subarray(at, at + 1), "'")} in string` };
  const letter = bytes[at + 1];
  if (letter === undefined) return { fault: null };
  if (letter === LOWER_U) return readUnicodeEscape(bytes, at);
  const meaning = SHORT_ESCAPES.get(letter);
  return meaning === undefined ? invalidEscape(bytes, at, SHORT) : { size: SHORT, codePoint: meaning };
}

function readUnicodeEscape(bytes: Buffer, at: number): Escape {
  if (at + LONG > bytes.length) return { fault: null };
  const unit = codeUnit(bytes, at);
  if (unit === undefined) return invalidEscape(bytes, at, LONG);
  if (unit < 0xd800 || unit > 0xdfff) return { size: LONG, codePoint: unit };
  // One half of a pair; protobuf-go quotes what stands where the other should be.
  const other = at + LONG;
  if (other + LONG > bytes.length) return { fault: null };
  const low = bytes[other] === BACKSLASH && bytes[other + 1] === LOWER_U ? codeUnit(bytes, other) : undefined;
  if (unit > 0xdbff || low === undefined || low < 0xdc00 || low > 0xdfff) return invalidEscape(bytes, other, LONG);
  return { size: 2 * LONG, codePoint: 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00) };
}

/** The four digits of `\uXXXX`. */
function codeUnit(bytes: Buffer, at: number): number | undefined {
  let unit = 0;
  for (let index = at + 2; index < at + LONG; index++) {
    const code = bytes[index]!;
    const letter = code | 0x20;
    if (code >= 0x30 && code <= 0x39) unit = unit * 16 + code - 0x30;
    else if (letter >= 0x61 && letter <= 0x66) unit = unit * 16 + letter - 0x57;
    else return undefined;
  }
  return unit;
}

const invalidEscape = (bytes: Buffer, at: number, length: number): Escape => ({
  fault: `invalid escape code ${goQuote(bytes.subarray(at, at + length), '"')} in string`,
});
