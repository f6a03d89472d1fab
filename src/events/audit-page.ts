/**
 * The order of the audit log and the way its two sources become one: newest first; of the same microsecond events before revisions, and
 * then by number. Pure rules.
 */

/** Where in the log something stands. */
export interface Position {
  /** ISO 8601 in UTC with six decimals, so that texts compare as times do. */
  readonly at: string;
  readonly source: Source;
  /** Decimal text, within PostgreSQL's bigint. */
  readonly number: string;
}

/** `e` for rows of the audit log itself, `r` for revisions of key-values. */
export type Source = 'e' | 'r';

/** Positions of one source from which a statement reads on, exclusive. */
export interface Bound {
  readonly at: string;
  readonly number: string;
}

const MAX_NUMBER = '9223372036854775807';

/** What one statement found. */
export interface Found<T> {
  readonly items: readonly T[];
  /** The last row that was looked at, matching or not; null when there is nothing further. */
  readonly horizon: Position | null;
}

/** Negative when `a` is listed before `b`. */
export function comparePositions(a: Position, b: Position): number {
  if (a.at !== b.at) return a.at > b.at ? -1 : 1;
  if (a.source !== b.source) return a.source === 'e' ? -1 : 1;
  if (a.number === b.number) return 0;
  return BigInt(a.number) > BigInt(b.number) ? -1 : 1;
}

/** Where a source goes on after a position of either source; null begins with the newest. */
export function boundOf(source: Source, after: Position | null): Bound {
  if (after === null) return { at: 'infinity', number: MAX_NUMBER };
  if (source === after.source) return { at: after.at, number: after.number };
  // Of the same instant, revisions come after every event: all of them are left, and no event is.
  return { at: after.at, number: source === 'r' ? MAX_NUMBER : '0' };
}

/**
 * One page from what the sources gave, each with at least `limit + 1` matches where it has them above its horizon. Nothing behind the
 * nearest horizon is shown yet, for the source that stopped there may have something to put before it.
 */
export function mergePage<T extends { readonly position: Position }>(
  found: readonly Found<T>[],
  limit: number,
): { items: T[]; next: Position | null } {
  const horizons = found.flatMap(({ horizon }) => (horizon ? [horizon] : [])).sort(comparePositions);
  const horizon = horizons[0] ?? null;
  const known = found
    .flatMap(({ items }) => items)
    .filter(({ position }) => horizon === null || comparePositions(position, horizon) <= 0)
    .sort((a, b) => comparePositions(a.position, b.position));
  const items = known.slice(0, limit);
  return { items, next: known.length > limit ? items.at(-1)!.position : horizon };
}

export const encodePosition = ({ at, source, number }: Position): string =>
  Buffer.from(`${at} ${source} ${number}`, 'latin1').toString('base64url');

const POSITION = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([er]) (\d{1,19})$/;
/** Of the longest position. */
const MAX_TOKEN_LENGTH = 68;

/** Null for what `encodePosition` never wrote. */
export function decodePosition(token: string): Position | null {
  if (token.length > MAX_TOKEN_LENGTH) return null;
  const match = POSITION.exec(Buffer.from(token, 'base64url').toString('latin1'));
  if (!match) return null;
  const position: Position = { at: match[1]!, source: match[2] as Source, number: match[3]! };
  const { at, number } = position;
  // The day must exist and the number fit, or the database would refuse the statement.
  const milliseconds = `${at.slice(0, 23)}Z`;
  const time = new Date(milliseconds);
  if (at < '0001' || Number.isNaN(time.getTime()) || time.toISOString() !== milliseconds) return null;
  if (BigInt(number) > BigInt(MAX_NUMBER) || encodePosition(position) !== token) return null;
  return position;
}
