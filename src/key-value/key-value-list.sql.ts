import { type Statement } from '../database/database.js';
import { COLUMNS } from './key-value.sql.js';
import { type KeyValueCursor, type RevisionCursor } from './rules/continuation-token.js';
import { type ItemRange } from './rules/item-range.js';
import { prefixUpperBound, type StringFilter } from './rules/string-filter.js';
import { type TagCondition } from './rules/tag-filter.js';

/** Items of every page of every collection (contract section 4.5). */
export const PAGE_SIZE = 100;

/** Which key-values, now or at an instant. */
export interface KeyValueFilter {
  readonly key: StringFilter;
  readonly label: StringFilter;
  readonly tags: readonly TagCondition[];
  /** Milliseconds since 1970; only changes before it are visible. Null = now. */
  readonly before: number | null;
}

export interface Prepared {
  readonly statement: Statement;
  readonly values: readonly unknown[];
}

/** Collects the values of a statement while its text is put together. */
export class Values {
  readonly list: unknown[] = [];

  /** @returns the placeholder that stands for the value */
  add(value: unknown): string {
    this.list.push(value);
    return `$${this.list.length}`;
  }
}

/**
 * One statement per shape of filter, so that each keeps one prepared plan. The shapes are few: five kinds of filter for key and for
 * label, up to five tags, with or without cursor and instant.
 */
const statements = new Map<string, Statement>();

export function prepared(kind: string, text: string, values: Values): Prepared {
  let statement = statements.get(text);
  if (!statement) {
    statement = { name: `${kind}_${statements.size}`, text, isWrite: false };
    statements.set(text, statement);
  }
  return { statement, values: values.list };
}

/** The filter of contract section 4.1 on a column in which '' stands for null. Matching is ordinal, by the column's collation. */
export function matches(column: string, filter: StringFilter, values: Values): string[] {
  switch (filter.kind) {
    case 'any':
      return [];
    case 'null':
      return [`${column} = ''`];
    case 'exact':
      return [`${column} = ${values.add(filter.value)}`];
    case 'oneOf': {
      const alternatives = filter.values.filter((value) => value !== '').concat(filter.includesNull ? [''] : []);
      return [`${column} = ANY (${values.add(alternatives)}::text[])`];
    }
    case 'prefix': {
      // A range instead of LIKE: nothing to escape, and the index serves it under a generic plan too.
      const end = prefixUpperBound(filter.value);
      const from = `${column} >= ${values.add(filter.value)}`;
      return end === null ? [from] : [from, `${column} < ${values.add(end)}`];
    }
  }
}

/**
 * The filter on keys, and the position behind which a page begins, of a list ordered by key, then label. A prefix and a position are one
 * bound, for a scan of the index starts at the first bound it is given and would pass by every row between the two. It compares both
 * columns also where there is no position: a kept plan takes `>=` and `<` on one column for a narrow range, which it may read as a
 * whole and sort, however much begins with the prefix.
 */
export function keysAfter(table: string, filter: StringFilter, after: KeyValueCursor | null, values: Values): string[] {
  const position = (comparison: string, key: string, label: string): string =>
    `(${table}.key, ${table}.label) ${comparison} (${values.add(key)}, ${values.add(label)})`;
  const behind = after ? [position('>', after.key, after.label)] : [];
  if (filter.kind !== 'prefix') return [...matches(`${table}.key`, filter, values), ...behind];
  // A position from another list may lie before the prefix.
  const isWithin = after?.key.startsWith(filter.value) === true;
  const start = isWithin ? [] : [position('>=', filter.value, '')];
  const end = prefixUpperBound(filter.value);
  return [...start, ...behind, ...(end === null ? [] : [`${table}.key < ${values.add(end)}`])];
}

export function hasTags(column: string, tags: readonly TagCondition[], values: Values): string[] {
  if (tags.length === 0) return [];
  // The first comparison repeats the index's own condition.
  return [
    `${column} <> '{}'`,
    ...tags.map(({ name, value }) => `${column}::jsonb @> ${values.add(JSON.stringify({ [name]: value }))}::jsonb`),
  ];
}

export const where = (conditions: readonly string[]): string =>
  conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;

const instant = (ms: number, values: Values): string => `${values.add(new Date(ms).toISOString())}::timestamptz`;

/**
 * Whether there is any history from before an instant, which the plan asks once, before it walks past key-values without a state then.
 * From the instant backwards: the oldest entries of the index may be those that a purge has left dead.
 */
const hasHistoryBefore = (before: string): string =>
  `(SELECT true FROM key_value_revision e WHERE e.last_modified < ${before} ORDER BY e.last_modified DESC LIMIT 1)`;

/**
 * The state at an instant: one index probe per key-value, whatever the length of its history. Tombstoned rows of `key_value` are
 * walked too, for they may have been alive then.
 */
const stateBefore = (before: string): string => `
  CROSS JOIN LATERAL (
    SELECT * FROM key_value_revision r
     WHERE r.key = k.key AND r.label = k.label AND r.last_modified < ${before}
     ORDER BY r.last_modified DESC LIMIT 1
  ) v`;

/** A page of key-values after a position, in the order key, then label, none first. */
export function listPage(filter: KeyValueFilter, after: KeyValueCursor | null): Prepared {
  const values = new Values();
  const row = filter.before === null ? 'k' : 'v';
  const before = filter.before === null ? null : instant(filter.before, values);
  const source = before === null ? '' : stateBefore(before);
  const conditions = [
    `NOT ${row}.deleted`,
    ...(before === null ? [] : [hasHistoryBefore(before)]),
    ...keysAfter('k', filter.key, after, values),
    ...matches('k.label', filter.label, values),
    ...hasTags(`${row}.tags`, filter.tags, values),
  ];
  const text = `
    SELECT ${COLUMNS(row)} FROM key_value k ${source} ${where(conditions)}
     ORDER BY k.key, k.label LIMIT ${PAGE_SIZE}`;
  return prepared('key_value_page', text, values);
}

/**
 * Distinct keys or labels after a name. Each step asks the index for the next larger name that is visible, so the cost follows the
 * names found and not the rows passed.
 */
export function listNames(
  column: 'key' | 'label',
  filter: StringFilter,
  after: string | null,
  before: number | null,
): Prepared {
  const values = new Values();
  const conditions = matches(`k.${column}`, filter, values);
  if (before === null) conditions.push('NOT k.deleted');
  else {
    const end = instant(before, values);
    conditions.push(
      hasHistoryBefore(end),
      `(SELECT NOT r.deleted FROM key_value_revision r
         WHERE r.key = k.key AND r.label = k.label AND r.last_modified < ${end}
         ORDER BY r.last_modified DESC LIMIT 1)`,
    );
  }
  const next = (more: string[]): string => `
    SELECT k.${column} FROM key_value k ${where([...conditions, ...more])} ORDER BY k.${column} LIMIT 1`;
  const first = next(after === null ? [] : [`k.${column} > ${values.add(after)}`]);
  const text = `
    WITH RECURSIVE names (name) AS (
      (${first})
      UNION ALL
      SELECT (${next([`k.${column} > names.name`])}) FROM names WHERE names.name IS NOT NULL
    )
    SELECT name FROM names WHERE name IS NOT NULL LIMIT ${PAGE_SIZE}`;
  return prepared(`key_value_${column}s`, text, values);
}

function revisionConditions(filter: KeyValueFilter, after: KeyValueCursor | null, values: Values): string[] {
  const conditions = [
    'NOT r.deleted',
    ...keysAfter('r', filter.key, after, values),
    ...matches('r.label', filter.label, values),
    ...hasTags('r.tags', filter.tags, values),
  ];
  if (filter.before !== null) {
    const end = instant(filter.before, values);
    conditions.push(`r.last_modified < ${end}`, hasHistoryBefore(end));
  }
  return conditions;
}

const REVISION_ORDER = 'ORDER BY r.key, r.label, r.last_modified DESC';

/** A page of revisions after a position: by key, then label, newest first. */
export function listRevisions(filter: KeyValueFilter, after: RevisionCursor | null): Prepared {
  const values = new Values();
  const select = (conditions: string[], columns = 'r.*'): string => `
    SELECT ${columns} FROM key_value_revision r ${where(conditions)} ${REVISION_ORDER} LIMIT ${PAGE_SIZE}`;
  if (!after) {
    return prepared('key_value_revisions', select(revisionConditions(filter, null, values), COLUMNS('r')), values);
  }
  const key = values.add(after.key);
  const label = values.add(after.label);
  const revision = values.add(after.revision);
  // Two ranges of the index: what is left of this key-value's history, and everything behind it. The time of the position bounds
  // the first, so that a deep page of a long history does not pass by all that was shown before.
  const rest = select([
    ...revisionConditions(filter, null, values),
    `r.key = ${key}`,
    `r.label = ${label}`,
    `r.revision < ${revision}::bigint`,
    `r.last_modified <= coalesce((SELECT p.last_modified FROM key_value_revision p WHERE p.revision = ${revision}::bigint), 'infinity')`,
  ]);
  const behind = select(revisionConditions(filter, after, values));
  const text = `
    SELECT ${COLUMNS('r')} FROM ((${rest}) UNION ALL (${behind})) r ${REVISION_ORDER} LIMIT ${PAGE_SIZE}`;
  return prepared('key_value_revisions', text, values);
}

/** The items of `Range: items=a-b`, at most a page of them, each row led by the number of all items. */
export function listRevisionRange(filter: KeyValueFilter, range: ItemRange): Prepared {
  const values = new Values();
  const conditions = where(revisionConditions(filter, null, values));
  const wanted = range.last === null ? PAGE_SIZE : Math.min(PAGE_SIZE, range.last - range.first + 1);
  // One statement counts and reads, so that the total belongs to the items.
  const text = `
    SELECT t.total, i.*
      FROM (SELECT count(*) AS total FROM key_value_revision r ${conditions}) t
      LEFT JOIN (SELECT ${COLUMNS('r')} FROM key_value_revision r ${conditions} ${REVISION_ORDER}
                 OFFSET ${values.add(range.first)}::bigint LIMIT ${values.add(wanted)}::int) i ON true`;
  return prepared('key_value_revision_range', text, values);
}
