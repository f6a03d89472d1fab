import { isUtf8 } from 'node:buffer';

/** No cursor of ours is longer: key and label together have 2,000 bytes at most. */
const MAX_TEXT_BYTES = 8192;
const MAX_TOKEN_LENGTH = Math.ceil(MAX_TEXT_BYTES / 3) * 4;

/** PostgreSQL's bigint. */
const MAX_REVISION = '9223372036854775807';

/**
 * Cursors of the collections (Azure contract 4.5). Keys and labels have no control characters, so a line feed separates the parts
 * without escaping. Whatever cannot be decoded is null, and the collection then begins at page one.
 */
export interface KeyValueCursor {
  readonly key: string;
  /** Empty for no label. */
  readonly label: string;
}

export interface RevisionCursor extends KeyValueCursor {
  /** Decimal, because it may exceed what a JavaScript number holds. */
  readonly revision: string;
}

export interface NameCursor {
  readonly name: string | null;
}

/** The decoded form of a key-value token; the page entity tag is computed over it (4.6). */
export const keyValueTokenText = (key: string, label: string): string => `${key}\n${label}`;

/** The decoded form of a revision token; the page entity tag is computed over it (4.6). */
export const revisionTokenText = (key: string, label: string, revision: string): string =>
  `${key}\n${label}\n${revision}`;

/** Turns the decoded form of a token into the one on the wire. */
export const encodeTokenText = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

export const encodeKeyValueToken = (key: string, label: string): string =>
  encodeTokenText(keyValueTokenText(key, label));

export const encodeRevisionToken = (key: string, label: string, revision: string): string =>
  encodeTokenText(revisionTokenText(key, label, revision));

/** `/keys` and `/labels`: a leading letter tells a name from the null name. */
export const encodeNameToken = (name: string | null): string => encodeTokenText(name === null ? 'n' : `t${name}`);

export function decodeKeyValueToken(token: string): KeyValueCursor | null {
  const parts = decodeTokenText(token)?.split('\n');
  if (parts?.length !== 2) return null;
  const [key = '', label = ''] = parts;
  return key === '' ? null : { key, label };
}

export function decodeRevisionToken(token: string): RevisionCursor | null {
  const parts = decodeTokenText(token)?.split('\n');
  if (parts?.length !== 3) return null;
  const [key = '', label = '', revision = ''] = parts;
  return key === '' || !isRevision(revision) ? null : { key, label, revision };
}

export function decodeNameToken(token: string): NameCursor | null {
  const text = decodeTokenText(token);
  if (text === null) return null;
  if (text === 'n') return { name: null };
  return text.length > 1 && text.startsWith('t') ? { name: text.slice(1) } : null;
}

/** JavaScript's client from 1.13 on sends a token's `+` as it is, which a query string has for a blank. */
function decodeTokenText(sent: string): string | null {
  if (sent.length > MAX_TOKEN_LENGTH) return null;
  const token = sent.replaceAll(' ', '+');
  if (!isBase64(token)) return null;
  const bytes = Buffer.from(token, 'base64');
  // PostgreSQL takes no U+0000 as a parameter.
  if (bytes.length > MAX_TEXT_BYTES || bytes.includes(0) || !isUtf8(bytes)) return null;
  return bytes.toString('utf8');
}

/** Standard or URL alphabet, padded or not. Buffer skips what it does not know, which would let junk through. */
function isBase64(token: string): boolean {
  let length = token.length;
  while (length > 0 && token.length - length < 2 && token.charCodeAt(length - 1) === 0x3d) length--;
  if (length === 0 || length % 4 === 1) return false;
  if (length < token.length && token.length % 4 !== 0) return false;
  for (let i = 0; i < length; i++) {
    if (!isBase64Character(token.charCodeAt(i))) return false;
  }
  return true;
}

const isBase64Character = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) ||
  (code >= 0x41 && code <= 0x5a) ||
  (code >= 0x30 && code <= 0x39) ||
  code === 0x2b ||
  code === 0x2f ||
  code === 0x2d ||
  code === 0x5f;

function isRevision(text: string): boolean {
  if (text === '' || text.length > MAX_REVISION.length) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x30 || code > 0x39) return false;
  }
  // Texts of digits that are equally long compare like the numbers.
  return text.length < MAX_REVISION.length || text <= MAX_REVISION;
}
