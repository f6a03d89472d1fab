/** One grant as its holder saw it. Moments are those of this machine's clock, which is also the database's, in microseconds. */
export interface ObservedGrant {
  readonly client: number;
  readonly fence: bigint;
  /** Texts of the database, which order as they read. */
  readonly grantedAt: string;
  readonly expiresAt: string;
  readonly askedAt: number;
  readonly answeredAt: number;
  /** When the release was sent, by the wall clock; Infinity when the holder never released. */
  releasedAt: number;
}

/** Microseconds since 1970 by the machine's own clock. */
export const microseconds = (): number => Math.floor((performance.timeOrigin + performance.now()) * 1000);

/** The same by the clock that PostgreSQL reads too, to the millisecond below: node's own goes on from its start, whatever that one does. */
export const wallClock = (): number => Date.now() * 1000;

/** How far the clocks of two processes may differ, in microseconds. */
const CLOCK_TOLERANCE = 5_000;

const toMicroseconds = (text: string): number =>
  Date.parse(`${text.slice(0, 19)}Z`) * 1000 + Number(text.slice(20, 26));

/**
 * What is wrong with the grants of one lock (reliability section 2, mutex checker): two holds that overlap by the database's clock, or
 * fences that do not follow the order of the grants.
 */
export function violationsOf(grants: readonly ObservedGrant[]): string[] {
  const violations: string[] = [];
  const byFence = grants.toSorted((a, b) => (a.fence < b.fence ? -1 : 1));
  for (const [index, grant] of byFence.entries()) {
    const former = byFence[index - 1];
    if (!former) continue;
    const end = Math.min(toMicroseconds(former.expiresAt), former.releasedAt - CLOCK_TOLERANCE);
    if (grant.fence === former.fence) violations.push(`fence ${grant.fence} was granted twice`);
    else if (toMicroseconds(grant.grantedAt) < end) {
      violations.push(`fence ${grant.fence} was granted at ${grant.grantedAt} while ${former.fence} was held`);
    }
    if (grant.answeredAt < former.askedAt) {
      violations.push(`fence ${grant.fence} was answered before ${former.fence} was asked for`);
    }
  }
  return violations;
}
