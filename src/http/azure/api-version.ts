import { type QueryString } from '../query-string.js';
import { invalidArgument } from '../../problem/catalogue.js';
import { type Problem } from '../../problem/problem.js';

/** What a version may add, each with the first version that has it (Azure contract section 1). */
const SINCE = {
  /** Entity tags of pages, in header and body. */
  pageEtags: '2023-10-01',
  /** `/snapshots`, `/operations` and `GET /kv?snapshot=`. */
  snapshots: '2023-10-01',
  /** `tags` on `/kv` and `/revisions`, and inside the filters of a snapshot. */
  tagFilterOnLists: '2023-11-01',
  /** `tags` on `/kv/{key}`. */
  tagFilterOnKeyValue: '2024-09-01',
  /** `description` on key-values and snapshots. */
  description: '2026-04-01',
} as const;

export type Capability = keyof typeof SINCE;

const SUPPORTED = ['1.0', '2023-10-01', '2023-11-01', '2024-09-01', '2026-04-01'] as const;

/** A supported version of the Azure surface. There is one shared instance of each. */
export class ApiVersion {
  private readonly capabilities: Readonly<Record<Capability, boolean>>;

  constructor(readonly text: string) {
    // "1.0" sorts before every date, so that text order is the order of the versions.
    this.capabilities = {
      pageEtags: text >= SINCE.pageEtags,
      snapshots: text >= SINCE.snapshots,
      tagFilterOnLists: text >= SINCE.tagFilterOnLists,
      tagFilterOnKeyValue: text >= SINCE.tagFilterOnKeyValue,
      description: text >= SINCE.description,
    };
  }

  /** Parameters newer than the version are ignored, never refused. */
  has(capability: Capability): boolean {
    return this.capabilities[capability];
  }
}

const VERSIONS: ReadonlyMap<string, ApiVersion> = new Map(SUPPORTED.map((text) => [text, new ApiVersion(text)]));

/** Texts of the supported versions, oldest first. */
export const SUPPORTED_API_VERSIONS: readonly string[] = SUPPORTED;

/**
 * The version that a request asks for (Azure contract section 1).
 *
 * @param defaultVersion version of requests that name none; undefined refuses them, as the real service does
 * @param resourceUri gives the absolute request URI without its query, for the problem's detail; asked only for a refusal
 * @throws Problem `invalid-argument` for `api-version`, in one of its four wordings
 */
export function negotiateApiVersion(
  query: QueryString,
  defaultVersion: string | undefined,
  resourceUri: () => string,
): ApiVersion {
  const requested = requestedVersions(query);
  if (requested.length > 1) throw ambiguous(requested);
  const text = requested[0] ?? defaultVersion;
  if (text === undefined) throw notSpecified();
  const version = VERSIONS.get(text);
  if (version !== undefined) return version;
  throw isWellFormedVersion(text) ? unsupportedApiVersion(resourceUri(), text) : invalid(resourceUri(), text);
}

/** The refusal of a version that is well-formed but does not have the resource: snapshots in `1.0`, for example. */
export const unsupportedApiVersion = (resourceUri: string, version: string): Problem =>
  invalidArgument('api-version', doesNotSupport(resourceUri, version), 'Unsupported API version');

const invalid = (resourceUri: string, version: string): Problem =>
  invalidArgument('api-version', doesNotSupport(resourceUri, version), 'Invalid API version');

const doesNotSupport = (resourceUri: string, version: string): string =>
  `The HTTP resource that matches the request URI '${resourceUri}' does not support the API version '${version}'.`;

const notSpecified = (): Problem =>
  invalidArgument('api-version', 'An API version is required, but was not specified.', 'API version is not specified');

const ambiguous = (versions: readonly string[]): Problem =>
  invalidArgument(
    'api-version',
    `The following API versions were requested: ${versions.join(', ')}. At most, only a single API version may be specified. ` +
      'Please update the intended API version and retry the request.',
    'Ambiguous API version',
  );

/** The different values; repeating the same one is no contradiction, and an empty one counts as absent. */
function requestedVersions(query: QueryString): string[] {
  const values = query.all('api-version');
  // Nearly every request names its version once.
  if (values.length === 1 && values[0] !== '') return values;
  return [...new Set(values)].filter((value) => value !== '');
}

/** `n.n` or a calendar date, either with a suffix such as `-preview`. */
function isWellFormedVersion(text: string): boolean {
  const digits = countDigits(text, 0);
  if (text.charAt(digits) === '.') {
    const minor = countDigits(text, digits + 1);
    return isShortNumber(digits) && isShortNumber(minor) && isSuffix(text, digits + 1 + minor);
  }
  return isCalendarDate(text.slice(0, 10)) && isSuffix(text, 10);
}

/** The real service keeps both numbers in 32 bits. */
const isShortNumber = (digits: number): boolean => digits > 0 && digits <= 9;

function countDigits(text: string, start: number): number {
  let end = start;
  while (isDigit(text.charCodeAt(end))) end++;
  return end - start;
}

function isCalendarDate(text: string): boolean {
  if (text.length !== 10 || text.charAt(4) !== '-' || text.charAt(7) !== '-') return false;
  if (countDigits(text, 0) !== 4 || countDigits(text, 5) !== 2 || countDigits(text, 8) !== 2) return false;
  // Date rolls 31 February over to March, and then the text differs.
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

function isSuffix(text: string, start: number): boolean {
  if (start === text.length) return true;
  if (text.charAt(start) !== '-' || !isLetter(text.charCodeAt(start + 1))) return false;
  for (let i = start + 2; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (!isLetter(code) && !isDigit(code)) return false;
  }
  return true;
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
const isLetter = (code: number): boolean => (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
