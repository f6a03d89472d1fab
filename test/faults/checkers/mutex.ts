import { type GrantOperation } from '../harness/history';

/** A grant as the database itself wrote it down, in the order in which they were made. */
export interface JournalGrant {
  readonly key: string;
  readonly fence: string;
  readonly owner: string;
  readonly grantedAt: string;
  readonly expiresAt: string;
  /** When the hold ended early, by a release or a force; null when nothing but time ended it. */
  readonly releasedAt: string | null;
}

/**
 * What is wrong with the grants of all locks (promises P8 and P9): holds of one lock that overlap by the database's clock, fences that do
 * not rise with the grants, and fences that contradict the order in which clients were answered.
 *
 * @param journal every grant, also those that no client was told of; renewals are seen in `expiresAt`
 * @param observed what clients were told
 */
export function checkMutex(journal: readonly JournalGrant[], observed: readonly GrantOperation[]): string[] {
  const violations: string[] = [];
  const last = new Map<string, JournalGrant>();
  const fences = new Set<string>();
  for (const grant of journal) {
    const former = last.get(grant.key);
    last.set(grant.key, grant);
    fences.add(`${grant.key} ${grant.fence}`);
    if (!former) continue;
    const end =
      former.releasedAt !== null && former.releasedAt < former.expiresAt ? former.releasedAt : former.expiresAt;
    if (BigInt(grant.fence) <= BigInt(former.fence)) {
      violations.push(`${grant.key}: fence ${grant.fence} was granted after ${former.fence}`);
    }
    if (grant.grantedAt < end) {
      violations.push(`${grant.key}: ${grant.owner} got it at ${grant.grantedAt}, ${former.owner} had it until ${end}`);
    }
  }
  for (const { key, fence } of observed) {
    if (!fences.has(`${key} ${fence}`)) violations.push(`${key}: fence ${fence} was answered and never granted`);
  }
  violations.push(...realTimeViolations(observed));
  return violations;
}

/** Answered before another was asked for, yet not the lower fence; and fences that two callers were told of. */
export function realTimeViolations(observed: readonly GrantOperation[]): string[] {
  const violations: string[] = [];
  const byKey = new Map<string, GrantOperation[]>();
  for (const grant of observed) {
    const grants = byKey.get(grant.key);
    if (grants) grants.push(grant);
    else byKey.set(grant.key, [grant]);
  }
  for (const [key, grants] of byKey) {
    const byFence = grants.toSorted((a, b) => (BigInt(a.fence) < BigInt(b.fence) ? -1 : 1));
    // From the highest fence down: none above may have been answered before this one was asked for.
    let firstAnswer = Infinity;
    for (const [index, grant] of byFence.reverse().entries()) {
      const above = byFence[index - 1];
      if (above?.fence === grant.fence) violations.push(`${key}: fence ${grant.fence} was told to two callers`);
      if (firstAnswer < grant.call_ns) {
        violations.push(`${key}: a higher fence than ${grant.fence} was answered before that was asked for`);
      }
      firstAnswer = Math.min(firstAnswer, grant.ret_ns);
    }
  }
  return violations;
}
