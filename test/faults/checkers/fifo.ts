/** What the database wrote down about a line, in the order in which it happened; one key's events happen under one row lock. */
export interface LineEvent {
  readonly key: string;
  readonly kind: 'ticket' | 'gone' | 'grant';
  /** Of a grant: null when it went to a caller that did not wait. */
  readonly ticket: string | null;
}

/**
 * What is wrong with the order in which waiters were served (promise P11): a ticket granted while an older one stood, and a grant to
 * somebody who had not waited while anybody did.
 */
export function checkFifo(events: readonly LineEvent[]): { violations: string[]; inLine: number } {
  const violations: string[] = [];
  const lines = new Map<string, Set<string>>();
  let inLine = 0;
  for (const { key, kind, ticket } of events) {
    const line = lines.get(key) ?? new Set<string>();
    lines.set(key, line);
    if (kind === 'ticket') line.add(ticket!);
    else if (kind === 'gone') line.delete(ticket!);
    else {
      if (ticket !== null) inLine++;
      const older = [...line].filter((standing) => ticket === null || BigInt(standing) < BigInt(ticket));
      if (older.length > 0) violations.push(`${key}: ${ticket ?? 'a try'} was served before ${older.join(', ')}`);
      if (ticket !== null) line.delete(ticket);
    }
  }
  return { violations, inLine };
}
