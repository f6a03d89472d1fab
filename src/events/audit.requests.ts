import { parseLimit } from '../http/native/page-query.js';
import { type QueryString } from '../http/query-string.js';
import { invalidArgument } from '../problem/catalogue.js';
import { decodePosition, type Position } from './audit-page.js';

/** What `GET /api/v1/audit` asks for. An empty parameter counts as absent, and of a repeated one the first counts. */
export interface AuditQuery {
  /** ISO 8601 for the database; null for everything that is kept. */
  readonly since: string | null;
  readonly actor: string | null;
  readonly surface: string | null;
  readonly target: TargetFilter;
  /** Null for the first page, and for what no `next` was (reliability §5). */
  readonly after: Position | null;
  readonly limit: number;
}

export type TargetFilter = { readonly kind: 'any' } | { readonly kind: 'exact' | 'prefix'; readonly text: string };

/** @throws Problem `invalid-argument` that names the parameter */
export function auditQueryFrom(query: QueryString): AuditQuery {
  const since = query.first('since');
  const after = query.first('after');
  return {
    since: since === undefined ? null : parseInstant('since', since),
    actor: query.first('actor') ?? null,
    surface: query.first('surface') ?? null,
    target: parseTarget(query.first('target')),
    after: after === undefined ? null : decodePosition(after),
    limit: parseLimit(query),
  };
}

/** A `*` at the end asks for every target that begins so; anywhere else it is itself. */
function parseTarget(text: string | undefined): TargetFilter {
  if (text === undefined) return { kind: 'any' };
  return text.endsWith('*') ? { kind: 'prefix', text: text.slice(0, -1) } : { kind: 'exact', text };
}

const DATE = /^([1-9]\d{3})-(\d\d)-(\d\d)$/;
const TIME = /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:[.,](\d{1,9}))?)?(Z|[+-](?:0\d|1[0-4]):[0-5]\d)$/;

/**
 * A day in UTC or an instant with `Z` or an offset, as ISO 8601 writes them. Checked here to the last digit, for what the database cannot
 * read would fail the whole statement. Digits beyond microseconds are dropped, not rounded up past the events asked for.
 */
function parseInstant(parameter: string, text: string): string {
  const [day = '', time, ...more] = text.split('T');
  const date = DATE.exec(day);
  const midnight = new Date(`${day}T00:00:00.000Z`);
  const exists = date !== null && !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
  const clock = TIME.exec(time ?? '00:00Z');
  if (!exists || !clock || more.length > 0) {
    throw invalidArgument(parameter, `${parameter}: ISO 8601 with a zone, such as 2026-01-31T08:30:00Z`);
  }
  const [, hour, minute, second = '00', fraction = '', zone] = clock;
  return `${day}T${hour}:${minute}:${second}.${fraction.slice(0, 6).padEnd(6, '0')}${zone}`;
}
