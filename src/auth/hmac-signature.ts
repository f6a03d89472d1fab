import { randomBytes } from 'node:crypto';
import type { AccessKey, AccessKeyStore } from './access-key.js';
import { SigningKey } from './signing-key.js';

/**
 * Azure's HMAC-SHA256 request signature (contract section 9.2): a pure function from a request as it came over the wire to the key
 * that signed it. It runs on every request of the configuration API, so it looks at each character once and uses no regular
 * expressions.
 */

/** Base64 SHA-256 of no bytes at all: what clients send with GET and DELETE. */
export const EMPTY_BODY_HASH = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';

/** A request as received. All texts are as node:http gives them: one character for each byte on the wire (latin1). */
export interface SignedRequest {
  readonly method: string;
  /** Path and query exactly as on the request line, before any decoding. */
  readonly target: string;
  /** Value of the `Authorization` header; `isHmacAuthorization` is true for it. */
  readonly authorization: string;
  /** Names and values in turn, as in `IncomingMessage.rawHeaders`. */
  readonly rawHeaders: readonly string[];
  /** Base64 SHA-256 of the raw body; asked only when everything else is right. `EMPTY_BODY_HASH` when there is no body. */
  bodyHash(): string;
}

export interface SignatureOptions {
  /**
   * Also try what two official clients sign over plain http instead of the Host that they send: Python's cuts `https://` off its
   * endpoint by length and signs `ocalhost:8080`; JavaScript's up to 1.3 leaves out the port. To be set for plain http only.
   */
  readonly hostQuirk: boolean;
}

/** The key that signed the request, with the signature in base64, or the `error_description` of the refusal (see `challenges`). */
export type SignatureVerdict =
  | { readonly ok: true; readonly key: AccessKey; readonly signature: string }
  | { readonly ok: false; readonly challenge: string };

const SCHEME = 'hmac-sha256';
/** Contract 9.2: the date may be off by 15 minutes either way. */
const WINDOW_MS = 15 * 60 * 1000;
/** Clients sign three to five headers. A bound keeps names times header lines small, whatever the 32 KB of headers hold. */
const MAX_SIGNED_HEADERS = 64;
/** Signs in place of the secret of an unknown id, so that the time taken does not tell which ids exist. */
const DUMMY_SECRET = new SigningKey(randomBytes(32));

const TAB = 0x09;
const SPACE = 0x20;
const AMPERSAND = 0x26;
const COMMA = 0x2c;
const EQUALS = 0x3d;

/** Whether the header uses this scheme at all; a request of another scheme is not ours to judge. RFC 9110 §11.1: case-insensitive. */
export function isHmacAuthorization(authorization: string): boolean {
  return schemeEnd(authorization) === SCHEME.length && authorization.slice(0, SCHEME.length).toLowerCase() === SCHEME;
}

/**
 * Judges a signed request. The refusals come in the order, and with the texts, of the table in contract 9.2 (its row 1, a scheme that
 * is switched off, does not exist here). Empty parts count as missing.
 *
 * @param nowMs current time, milliseconds since 1970; the caller corrects it by the database's clock
 */
export function verifySignature(
  request: SignedRequest,
  keys: AccessKeyStore,
  nowMs: number,
  options: SignatureOptions,
): SignatureVerdict {
  const { authorization } = request;
  const start = schemeEnd(authorization);
  if (isBlank(authorization, start)) return refuse('Invalid Credential');
  const { credential, signedHeaders, signature } = parseParameters(authorization, start);

  if (signedHeaders === '') return refuse('SignedHeaders parameter is required');
  const signed = readSignedHeaders(signedHeaders, request.rawHeaders);
  if (typeof signed === 'string') return refuse(signed);

  const dateText = signed.xMsDate ?? signed.date;
  if (dateText === undefined) return refuse(headerNotFound('Date'));
  if (signed.host === undefined) return refuse(headerNotFound('Host'));
  if (signed.contentHash === undefined) return refuse(headerNotFound('x-ms-content-sha256'));

  const dateMs = instantOf(dateText);
  if (Number.isNaN(dateMs)) return refuse('Invalid access token date');
  if (Math.abs(nowMs - dateMs) > WINDOW_MS) return refuse('The access token has expired');

  const key = credential === '' ? undefined : keys.find(credential);
  const isGenuine = isSignedWith(key?.secret ?? DUMMY_SECRET, request, signed, signature, options);
  if (key === undefined) return refuse('Invalid Credential');
  if (signature === '') return refuse('Signature is required');
  if (!isGenuine) return refuse('Invalid Signature');
  if (request.bodyHash() !== signed.contentHash) return refuse('Invalid request content hash');
  return { ok: true, key, signature };
}

let lastDate = '';
let lastInstant = NaN;

/**
 * Milliseconds since 1970; NaN for what is no date. `Date.parse` on purpose: Python sends "Dec, 09 2022 22:48:00.510559 GMT", which it
 * reads beside RFC 1123. Requests of one second mostly have one text.
 */
function instantOf(date: string): number {
  if (date !== lastDate) {
    lastDate = date;
    lastInstant = Date.parse(date);
  }
  return lastInstant;
}

/**
 * The values of the two `WWW-Authenticate` lines of a 401, one line each.
 * @param description what was wrong with the credentials; without it (none were given) the bare schemes are named
 */
export function challenges(description?: string): string[] {
  if (description === undefined) return ['HMAC-SHA256', 'Bearer'];
  return [`HMAC-SHA256 error="invalid_token", error_description="${quotable(description)}"`, 'Bearer'];
}

const refuse = (challenge: string): SignatureVerdict => ({ ok: false, challenge });
const headerNotFound = (name: string): string => `Required signing request header '${name}' not found`;

interface Parameters {
  credential: string;
  signedHeaders: string;
  signature: string;
}

/**
 * Splits `Credential=…&SignedHeaders=…&Signature=…`. Parts are separated by `&` or `,` (Go and Java send `, `), come in any order, and
 * the first of a name counts. Name and value part at the first `=`, since base64 ends in some. What is missing is the empty text.
 */
function parseParameters(text: string, start: number): Parameters {
  const found: Partial<Parameters> = {};
  let partStart = start;
  let equals = -1;
  for (let at = start; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : COMMA;
    if (code === EQUALS) {
      if (equals < 0) equals = at;
    } else if (code === AMPERSAND || code === COMMA) {
      if (equals >= 0) {
        const name = text.slice(partStart, equals).trim().toLowerCase();
        const value = text.slice(equals + 1, at).trim();
        if (name === 'credential') found.credential ??= value;
        else if (name === 'signedheaders') found.signedHeaders ??= value;
        else if (name === 'signature') found.signature ??= value;
      }
      partStart = at + 1;
      equals = -1;
    }
  }
  const { credential = '', signedHeaders = '', signature = '' } = found;
  return { credential, signedHeaders, signature };
}

interface SignedHeaders {
  /** Header values in the order in which they were listed. */
  values: string[];
  /** Where in `values` the Host stands. */
  hostIndex: number;
  date?: string;
  xMsDate?: string;
  host?: string;
  contentHash?: string;
}

/** Looks up the listed headers; a text is the reason for a refusal. */
function readSignedHeaders(list: string, rawHeaders: readonly string[]): SignedHeaders | string {
  const names = list.split(';', MAX_SIGNED_HEADERS + 1);
  if (names.length > MAX_SIGNED_HEADERS) return 'Invalid SignedHeaders parameter';
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!.trim();
    if (name === '') return 'Invalid SignedHeaders parameter';
    names[index] = name;
  }
  const signed: SignedHeaders = { values: [], hostIndex: -1 };
  for (const name of names) {
    const lowerName = name.toLowerCase();
    const value = onlyValueOf(lowerName, rawHeaders);
    if (value === undefined) return headerNotFound(name);
    if (lowerName === 'date') signed.date = value;
    else if (lowerName === 'x-ms-date') signed.xMsDate = value;
    else if (lowerName === 'x-ms-content-sha256') signed.contentHash = value;
    else if (lowerName === 'host') {
      signed.host = value;
      signed.hostIndex = signed.values.length;
    }
    signed.values.push(value);
  }
  return signed;
}

/**
 * The value of a header that occurs exactly once. Two lines of one name are taken for none: which of them was signed, and which of
 * them another part of the service reads, could differ.
 */
function onlyValueOf(lowerName: string, rawHeaders: readonly string[]): string | undefined {
  let value: string | undefined;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length !== lowerName.length || name.toLowerCase() !== lowerName) continue;
    if (value !== undefined) return undefined;
    value = rawHeaders[index + 1]!;
  }
  return value;
}

function isSignedWith(
  secret: SigningKey,
  request: SignedRequest,
  signed: SignedHeaders,
  signature: string,
  options: SignatureOptions,
): boolean {
  const opening = `${request.method}\n${request.target}\n`;
  if (isSame(secret.sign(opening + signed.values.join(';')), signature)) return true;
  if (!options.hostQuirk) return false;
  const host = signed.values[signed.hostIndex]!;
  return [host.slice(1), withoutPort(host)].some((quirk) =>
    isSame(secret.sign(opening + signed.values.with(signed.hostIndex, quirk).join(';')), signature),
  );
}

/**
 * Compares texts, in a time that does not tell where they differ. Base64 is one text for one digest here: a signature that a lenient
 * decoder would read as the same is refused.
 */
function isSame(expected: string, claimed: string): boolean {
  if (claimed.length !== expected.length) return false;
  let difference = 0;
  for (let at = 0; at < expected.length; at++) difference |= expected.charCodeAt(at) ^ claimed.charCodeAt(at);
  return difference === 0;
}

function withoutPort(host: string): string {
  const colon = host.lastIndexOf(':');
  return colon < 0 ? host : host.slice(0, colon);
}

/** Index of the first blank, which ends the scheme, or the length. */
function schemeEnd(authorization: string): number {
  let at = 0;
  while (at < authorization.length && !isBlankCode(authorization.charCodeAt(at))) at++;
  return at;
}

function isBlank(text: string, from: number): boolean {
  for (let at = from; at < text.length; at++) if (!isBlankCode(text.charCodeAt(at))) return false;
  return true;
}

function isBlankCode(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** Text for a quoted-string: a caller's header name may be part of it, and must neither end the string nor break the header. */
function quotable(text: string): string {
  let quoted = '';
  for (const char of text) {
    if (char === '"' || char === '\\') quoted += `\\${char}`;
    else quoted += char >= ' ' && char <= '~' ? char : '?';
  }
  return quoted;
}
