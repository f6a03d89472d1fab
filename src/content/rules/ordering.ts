import { badRequest } from '../../http/content/content-problem.js';

/** Where a child goes among its siblings, as Plone's `ordering` says it. */
export interface Ordering {
  readonly child: string;
  /** Places towards the end, negative towards the beginning, or one of the two ends. */
  readonly delta: number | 'top' | 'bottom';
  /** The siblings among which places are counted, in the order in which the client sees them; null: all. */
  readonly subset: readonly string[] | null;
}

/** Beyond the number of any folder's children. */
const MAX_DELTA = 1_000_000_000;

/** @throws 400 */
export function parseOrdering(value: unknown): Ordering {
  if (typeof value !== 'object' || value === null) throw badRequest(`Property 'ordering' must be an object`);
  const { obj_id: child, delta, subset_ids: subset = null } = value as Record<string, unknown>;
  if (!isId(child)) throw badRequest(`Property 'ordering.obj_id' must be an id`);
  if (delta !== 'top' && delta !== 'bottom' && !(Number.isInteger(delta) && Math.abs(delta as number) <= MAX_DELTA)) {
    throw badRequest(`Property 'ordering.delta' must be a whole number, 'top' or 'bottom'`);
  }
  if (subset !== null && !(Array.isArray(subset) && subset.every(isId))) {
    throw badRequest(`Property 'ordering.subset_ids' must be a list of ids`);
  }
  return { child, delta: delta as Ordering['delta'], subset };
}

/** What cannot be an id cannot be among the children either, but PostgreSQL would not even take it for a text. */
const isId = (value: unknown): value is string => typeof value === 'string' && !value.includes('\0');
