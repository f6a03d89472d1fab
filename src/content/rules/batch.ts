import { badRequest } from '../../http/content/content-problem.js';
import { type QueryString } from '../../http/query-string.js';

/** Which of a folder's items an answer shows. */
export interface Batch {
  readonly start: number;
  readonly size: number;
  /** Whether with everything that they have. */
  readonly isFull: boolean;
}

/** Plone's. */
const DEFAULT_SIZE = 25;
/** Larger ones are cut to these; the links in `batching` go on from where the answer ends. */
const MAX_SIZE = 1_000;
/** Of objects in full, which may have megabytes each. */
const MAX_FULL_SIZE = 25;

/** `b_start`, `b_size`, `fullobjects`; null for no items at all: `include_items=false`. @throws 400 */
export function parseBatch(query: QueryString): Batch | null {
  if (isFalse(query.first('include_items') ?? '')) return null;
  const isFull = isSet(query, 'fullobjects');
  const size = wholeNumber(query, 'b_size') ?? DEFAULT_SIZE;
  return { start: wholeNumber(query, 'b_start') ?? 0, size: Math.min(size, isFull ? MAX_FULL_SIZE : MAX_SIZE), isFull };
}

/** Whether a flag of the query is set: `fullobjects`, `fullobjects=1`, but not `fullobjects=false`. */
function isSet(query: QueryString, name: string): boolean {
  const [value] = query.all(name);
  return value !== undefined && !isFalse(value);
}

/** Plone's `batching`; undefined where one answer has everything. Without the two parameters the address is the same for each link. */
export function batchingOf(url: string, query: QueryString, { start, size }: Batch, total: number): object | undefined {
  if (start === 0 && total <= size) return undefined;
  const rest = query.pairs.filter(({ name }) => !['b_start', 'b_size'].includes(name.toLowerCase()));
  const address = (from: number): string => {
    const pairs = [...rest, { name: 'b_start', value: String(from) }, { name: 'b_size', value: String(size) }];
    return `${url}?${pairs.map(({ name, value }) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')}`;
  };
  const step = Math.max(1, size);
  const lastStart = total === 0 ? 0 : Math.floor((total - 1) / step) * step;
  return {
    '@id': address(start),
    first: address(0),
    last: address(lastStart),
    ...(start > 0 ? { prev: address(Math.max(0, start - size)) } : {}),
    ...(start + size < total && size > 0 ? { next: address(start + size) } : {}),
  };
}

const isFalse = (value: string): boolean => ['false', '0', 'no', 'off'].includes(value.toLowerCase());

function wholeNumber(query: QueryString, name: string): number | undefined {
  const text = query.first(name);
  if (text === undefined) return undefined;
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw badRequest(`Query parameter '${name}' must be a whole number.`);
}
