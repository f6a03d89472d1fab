import { decodeBase64 } from '../config/credential-lists.js';

/** What a `Basic` header says: who, and by which proof. */
export interface BasicCredentials {
  readonly name: string;
  readonly password: string;
}

const SCHEME = 'basic';
const CONTROL_CHARACTER = /\p{Cc}/u;

/** RFC 9110 §11.1: schemes are case-insensitive. */
export function isBasic(authorization: string): boolean {
  const [scheme = ''] = authorization.split(' ', 1);
  return scheme.length === SCHEME.length && scheme.toLowerCase() === SCHEME;
}

/**
 * Name and password of a `Basic` header, null where it is malformed. RFC 7617 §2: base64 of `name:password`, split at the first colon,
 * without control characters; UTF-8, which our challenge asks for.
 */
export function parseBasic(authorization: string): BasicCredentials | null {
  const bytes = isBasic(authorization) ? decodeBase64(authorization.slice(SCHEME.length).trim()) : null;
  const text = bytes && decodeUtf8(bytes);
  if (text === null || CONTROL_CHARACTER.test(text)) return null;
  const nameEnd = text.indexOf(':');
  return nameEnd < 0 ? null : { name: text.slice(0, nameEnd), password: text.slice(nameEnd + 1) };
}

function decodeUtf8(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
