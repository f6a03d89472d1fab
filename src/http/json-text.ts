/** Deeper values parse, but later overflow the stack of whoever serializes them. */
const MAX_DEPTH = 100;

const QUOTE = 0x22;
const COMMA = 0x2c;
const SLASH = 0x2f;
const ASTERISK = 0x2a;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Why a text was refused; the surfaces give it their own shape. */
export type JsonTextFault = 'encoding' | 'syntax' | 'depth' | 'prototype';

/** The bytes are no JSON text that the service reads. */
export class JsonTextError extends Error {
  constructor(readonly reason: JsonTextFault) {
    super(`Unreadable JSON text: ${reason}`);
    this.name = 'JsonTextError';
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a request body as JSON: strict UTF-8 (a byte order mark is dropped), at most 100 levels, no member named `__proto__`.
 * Comments and trailing commas are tolerated on a second try, as the real service does (Azure contract 2.9 and section 13, row 26).
 *
 * @param numbers `text` gives every number as a string with its digits as they were sent, which JavaScript's numbers do not keep
 * @throws JsonTextError
 */
export function parseJsonText(bytes: Buffer, numbers: 'number' | 'text' = 'number'): unknown {
  const text = decodeUtf8(bytes);
  let value: unknown;
  let source = text;
  const strict = tryParse(text);
  if (strict.isParsed) {
    value = strict.value;
  } else {
    const relaxed = withoutCommentsAndTrailingCommas(text);
    // Brackets inside a comment do not count, so the verdict "too deep" needs the second look as well.
    const lenient = relaxed === undefined || relaxed === text ? strict : tryParse(relaxed);
    if (!lenient.isParsed) throw new JsonTextError(lenient.reason);
    value = lenient.value;
    source = relaxed ?? text;
  }
  if (numbers === 'text') value = JSON.parse(withQuotedNumbers(source));
  refusePrototypeMember(text, value);
  return value;
}

/**
 * The same without tolerance, for the surfaces where JSON is JSON.
 *
 * @throws JsonTextError
 */
export function parseStrictJsonText(bytes: Buffer): unknown {
  const text = decodeUtf8(bytes);
  const attempt = tryParse(text);
  if (!attempt.isParsed) throw new JsonTextError(attempt.reason);
  refusePrototypeMember(text, attempt.value);
  return attempt.value;
}

function refusePrototypeMember(text: string, value: unknown): void {
  // Escapes of ASCII letters begin with \u00, so without either sign no member can have that name.
  if ((text.includes('__proto__') || text.includes('\\u00')) && hasPrototypeMember(value)) {
    throw new JsonTextError('prototype');
  }
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new JsonTextError('encoding');
  }
}

type Attempt = { isParsed: true; value: unknown } | { isParsed: false; reason: 'syntax' | 'depth' };

function tryParse(text: string): Attempt {
  if (isTooDeep(text)) return { isParsed: false, reason: 'depth' };
  try {
    return { isParsed: true, value: JSON.parse(text) };
  } catch {
    return { isParsed: false, reason: 'syntax' };
  }
}

function isTooDeep(text: string): boolean {
  if (!hasManyOpeners(text)) return false;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i);
    else if (code === OPEN_BRACKET || code === OPEN_BRACE) {
      if (++depth > MAX_DEPTH) return true;
    } else if (code === CLOSE_BRACKET || code === CLOSE_BRACE) depth--;
  }
  return false;
}

/** Whether the text has brackets enough to be too deep at all; usually it has not, and the scan is saved. */
function hasManyOpeners(text: string): boolean {
  if (text.length <= MAX_DEPTH) return false;
  let count = 0;
  for (const opener of ['[', '{']) {
    for (let at = text.indexOf(opener); at !== -1; at = text.indexOf(opener, at + 1)) {
      if (++count > MAX_DEPTH) return true;
    }
  }
  return false;
}

/** Index of the quote that ends the string which begins at `start`; the last index of the text if nothing ends it. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) return i;
    if (code === BACKSLASH) i++;
  }
  return text.length - 1;
}

/**
 * The text with each comment replaced by a space and without commas that only a closing bracket follows. A comma that follows no
 * value (`[,]`) stays, so that it remains an error. Undefined when a comment does not end.
 */
function withoutCommentsAndTrailingCommas(text: string): string | undefined {
  const pieces: string[] = [];
  let copied = 0;
  let previous = 0;
  let pendingComma = -1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d) continue;
    if (code === SLASH) {
      const end = endOfComment(text, i);
      if (end === undefined) return undefined;
      pieces.push(text.slice(copied, i), ' ');
      copied = end;
      i = end - 1;
      continue;
    }
    if (code === COMMA && isEndOfValue(previous)) {
      pieces.push(text.slice(copied, i), ',');
      pendingComma = pieces.length - 1;
      copied = i + 1;
    } else {
      if (pendingComma !== -1 && (code === CLOSE_BRACKET || code === CLOSE_BRACE)) pieces[pendingComma] = '';
      pendingComma = -1;
      if (code === QUOTE) i = endOfString(text, i);
    }
    previous = code;
  }
  if (copied === 0) return text;
  pieces.push(text.slice(copied));
  return pieces.join('');
}

/** Index after the comment that begins at `start`, or undefined if none does or it does not end. */
function endOfComment(text: string, start: number): number | undefined {
  const second = text.charCodeAt(start + 1);
  if (second === ASTERISK) {
    const end = text.indexOf('*/', start + 2);
    return end === -1 ? undefined : end + 2;
  }
  if (second !== SLASH) return undefined;
  for (let i = start + 2; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x0a || code === 0x0d) return i;
  }
  return text.length;
}

const isEndOfValue = (code: number): boolean =>
  code !== 0 && code !== COMMA && code !== COLON && code !== OPEN_BRACKET && code !== OPEN_BRACE;

/** Valid JSON text with every number turned into a string of the same characters. */
function withQuotedNumbers(text: string): string {
  const pieces: string[] = [];
  let copied = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      i = endOfString(text, i);
    } else if (code === 0x2d || isDigit(code)) {
      let end = i + 1;
      while (end < text.length && isNumberPart(text.charCodeAt(end))) end++;
      pieces.push(text.slice(copied, i), '"', text.slice(i, end), '"');
      copied = end;
      i = end - 1;
    }
  }
  pieces.push(text.slice(copied));
  return pieces.join('');
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
const isNumberPart = (code: number): boolean =>
  isDigit(code) || code === 0x2e || code === 0x2b || code === 0x2d || (code | 0x20) === 0x65;

function hasPrototypeMember(root: unknown): boolean {
  const open: unknown[] = [root];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node !== 'object' || node === null) continue;
    if (Object.hasOwn(node, '__proto__')) return true;
    for (const child of Object.values(node)) {
      if (typeof child === 'object' && child !== null) open.push(child);
    }
  }
  return false;
}
