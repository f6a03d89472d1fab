import { JsonTextError, parseStrictJsonText } from '../../http/json-text.js';
import { invalidArgument } from '../../problem/catalogue.js';
import { parseFence } from './fence.js';
import { rawMember } from './json-member.js';
import { checkNewOwner, checkOwner } from './lock-names.js';

/** Native API contract section 1: a lease lasts a day at most, and nobody waits longer than a minute in one request. */
const MAX_TTL_MS = 86_400_000;
const MAX_WAIT_MS = 60_000;
/** Bytes of `metadata`: notes for whoever looks at the lock, copied at each grant and read with each page of locks. */
const MAX_METADATA_BYTES = 16_384;

/** Body of `PUT`. */
export interface AcquireInput {
  readonly owner: string;
  readonly ttlMs: number;
  readonly waitMs: number;
  /** JSON text of an object as it was sent; null for none. */
  readonly metadata: string | null;
}

/** Body of `PATCH`. At least one of owner and fence is there. */
export interface RenewInput {
  readonly owner: string | null;
  readonly fence: string | null;
  readonly ttlMs: number;
}

type Members = Readonly<Record<string, unknown>>;

/** Members of other names are ignored; null stands for a member that is not there. All three throw Problem `invalid-argument`. */
export function parseAcquireBody(body: Buffer): AcquireInput {
  const json = parseBody(body);
  return {
    owner: checkNewOwner(json['owner']),
    ttlMs: integerMember('ttlMs', json['ttlMs'], 1, MAX_TTL_MS),
    waitMs: integerMember('waitMs', json['waitMs'] ?? 0, 0, MAX_WAIT_MS),
    metadata: metadataMember(json['metadata'], body),
  };
}

export function parseRenewBody(body: Buffer): RenewInput {
  const { owner = null, fence = null, ttlMs } = parseBody(body);
  if (owner === null && fence === null) throw invalidArgument('fence', 'Name the holder by fence or by owner.');
  return {
    owner: owner === null ? null : checkOwner(owner),
    fence: fence === null ? null : parseFence('fence', fence),
    ttlMs: integerMember('ttlMs', ttlMs, 1, MAX_TTL_MS),
  };
}

/** @returns the fence to be checked */
export function parseCheckBody(body: Buffer): string {
  return parseFence('fence', parseBody(body)['fence']);
}

const FAULTS = {
  encoding: 'The body is not UTF-8.',
  syntax: 'The body is not JSON.',
  depth: 'The body has too many levels.',
  prototype: 'The body has a member named "__proto__".',
} as const;

function parseBody(body: Buffer): Members {
  if (body.length === 0) throw invalidArgument('body', 'A body is needed: a JSON object.');
  let json: unknown;
  try {
    json = parseStrictJsonText(body);
  } catch (error) {
    throw invalidArgument('body', FAULTS[error instanceof JsonTextError ? error.reason : 'syntax']);
  }
  if (!isObject(json)) throw invalidArgument('body', 'The body is not a JSON object.');
  return json;
}

/** Without a byte order mark. */
function textOf(body: Buffer): string {
  const text = body.toString('utf8');
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

function integerMember(name: string, json: unknown, min: number, max: number): number {
  if (typeof json === 'number' && Number.isInteger(json) && json >= min && json <= max) return json;
  throw invalidArgument(name, `A whole number of milliseconds from ${min} to ${max}.`);
}

function metadataMember(json: unknown, body: Buffer): string | null {
  if (json === undefined || json === null) return null;
  if (!isObject(json)) throw invalidArgument('metadata', 'A JSON object.');
  if (hasBrokenText(json)) throw invalidArgument('metadata', 'A text in it is not well-formed Unicode.');
  const text = rawMember(textOf(body), 'metadata')!;
  if (Buffer.byteLength(text) > MAX_METADATA_BYTES) {
    throw invalidArgument('metadata', `At most ${MAX_METADATA_BYTES} bytes of JSON.`);
  }
  return text;
}

/** Whether a name or text anywhere in it has half of a surrogate pair; other readers of JSON than ours fail on such. */
function hasBrokenText(json: unknown): boolean {
  if (typeof json === 'string') return !json.isWellFormed();
  if (typeof json !== 'object' || json === null) return false;
  return Object.entries(json).some(([name, value]) => !name.isWellFormed() || hasBrokenText(value));
}

const isObject = (json: unknown): json is Members => typeof json === 'object' && json !== null && !Array.isArray(json);
