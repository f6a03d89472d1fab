import { type KeyValueOperation } from '../harness/history';

/** A row of the history that the service keeps, in the order of `revision`. */
export interface StoredRevision {
  readonly key: string;
  readonly etag: string;
  readonly value: string | null;
  readonly deleted: boolean;
  /** Whether it is later than the one before it of the same key, by the database's own comparison; null for the first. */
  readonly is_later: boolean | null;
}

/** The rows that `checkVersionChain` reads; times are compared in SQL, for JavaScript's dates have no microseconds. */
export const STORED_REVISIONS = `
  SELECT key, etag, value, deleted,
         last_modified > lag(last_modified) OVER (PARTITION BY key ORDER BY revision) AS is_later
    FROM key_value_revision ORDER BY key, revision`;

/**
 * What the stored history says against the recorded one (promises P1, P4, P5, P13): acknowledged writes that are missing or that are
 * there twice, conditions that did not hold for the direct predecessor, refused writes that were made all the same, time that stood
 * still.
 */
export function checkVersionChain(
  history: readonly KeyValueOperation[],
  stored: readonly StoredRevision[],
): { violations: string[]; acknowledged: number; lost: number } {
  const violations: string[] = [];
  const byEtag = new Map<string, { row: StoredRevision; former: StoredRevision | undefined }>();
  const byValue = new Map<string, number>();
  let former: StoredRevision | undefined;
  for (const row of stored) {
    if (former?.key !== row.key) former = undefined;
    if (byEtag.has(row.etag)) violations.push(`entity tag ${row.etag} of ${row.key} was given twice`);
    byEtag.set(row.etag, { row, former });
    if (row.value !== null) byValue.set(row.value, (byValue.get(row.value) ?? 0) + 1);
    if (former && row.is_later !== true) violations.push(`${row.key}: ${row.etag} is not later than ${former.etag}`);
    if (former?.deleted === true && row.deleted) violations.push(`${row.key} was deleted twice in a row`);
    former = row;
  }
  for (const [value, count] of byValue) if (count > 1) violations.push(`${value} was written ${count} times`);

  // A write whose outcome was unknown may have been sent again: then any of the requests may have made it.
  const isExplained = new Set(
    history.filter(({ outcome, isDone }) => outcome === 'unknown' || isDone).map(({ args }) => args.value),
  );
  let acknowledged = 0;
  let lost = 0;
  for (const { op, key, args, outcome, isDone, etag, value } of history) {
    if (op === 'get') continue;
    if (op === 'delete') {
      if (outcome === 'ok' && isDone && value !== null) acknowledged++;
      continue;
    }
    const times = byValue.get(args.value!) ?? 0;
    if (outcome === 'unknown') continue;
    if (outcome === 'fail' || !isDone) {
      if (times > 0 && !isExplained.has(args.value))
        violations.push(`${op} of ${args.value} on ${key} was refused and made all the same`);
      continue;
    }
    acknowledged++;
    const found = byEtag.get(etag!);
    if (found === undefined || found.row.value !== args.value) {
      lost++;
      violations.push(`LOST: acknowledged ${op} of ${args.value} on ${key} is not in the history`);
      continue;
    }
    if (op === 'cas' && found.former?.etag !== args.ifMatch) {
      violations.push(`cas of ${args.value} on ${key} named ${args.ifMatch} and followed ${found.former?.etag}`);
    }
    if (op === 'create' && found.former !== undefined && !found.former.deleted) {
      violations.push(`create of ${args.value} on ${key} followed ${found.former.etag}`);
    }
  }
  // A delete has no entity tag of its own to be found by: as many tombstones as were acknowledged must be there.
  const deletes = history.filter(({ op, outcome, value }) => op === 'delete' && outcome === 'ok' && value !== null);
  const removed = new Set<string>();
  stored.forEach((row, index) => {
    const last = stored[index - 1];
    if (row.deleted && last?.key === row.key && last.value !== null) removed.add(last.value);
  });
  for (const { key, value } of deletes) {
    if (removed.has(value!)) continue;
    lost++;
    violations.push(`LOST: acknowledged delete of ${value} on ${key} is not in the history`);
  }
  return { violations, acknowledged, lost };
}
