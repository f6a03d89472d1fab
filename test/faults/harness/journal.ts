import { createHash } from 'node:crypto';
import { type LineEvent } from '../checkers/fifo';
import { type JournalGrant } from '../checkers/mutex';

/**
 * Has the scratch database itself write down every grant, release, renewal and ticket. The triggers run under the row lock of the lease,
 * so the numbers are in the order in which things happened to one lock, whatever clients were told.
 */
export const INSTALL_JOURNAL = `
  CREATE TABLE faults_journal (
    id bigint GENERATED ALWAYS AS IDENTITY, digest bytea, kind text, fence bigint, ticket bigint, owner text,
    idempotency_key text, granted_at timestamptz, expires_at timestamptz, at timestamptz DEFAULT clock_timestamp());
  CREATE FUNCTION faults_lease() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF NEW.owner IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.fence IS DISTINCT FROM OLD.fence) THEN
      INSERT INTO faults_journal (digest, kind, fence, ticket, owner, idempotency_key, granted_at, expires_at)
      VALUES (NEW.key_digest, 'grant', NEW.fence, NEW.ticket, convert_from(NEW.owner, 'UTF8'), NEW.idempotency_key,
              NEW.granted_at, NEW.expires_at);
    ELSIF TG_OP = 'UPDATE' AND OLD.owner IS NOT NULL AND NEW.owner IS NULL THEN
      INSERT INTO faults_journal (digest, kind, fence) VALUES (OLD.key_digest, 'release', OLD.fence);
    ELSIF TG_OP = 'UPDATE' AND NEW.expires_at IS DISTINCT FROM OLD.expires_at THEN
      INSERT INTO faults_journal (digest, kind, fence, expires_at)
      VALUES (NEW.key_digest, 'renewal', NEW.fence, NEW.expires_at);
    END IF;
    RETURN NULL;
  END $$;
  CREATE FUNCTION faults_ticket() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO faults_journal (digest, kind, ticket)
    VALUES (coalesce(NEW.key_digest, OLD.key_digest), CASE TG_OP WHEN 'INSERT' THEN 'ticket' ELSE 'gone' END,
            coalesce(NEW.id, OLD.id));
    RETURN NULL;
  END $$;
  CREATE TRIGGER faults_lease AFTER INSERT OR UPDATE ON lease FOR EACH ROW EXECUTE FUNCTION faults_lease();
  CREATE TRIGGER faults_ticket AFTER INSERT OR DELETE ON lease_ticket FOR EACH ROW EXECUTE FUNCTION faults_ticket()`;

const text = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** Reads what {@link toJournal} takes. */
export const READ_JOURNAL = `
  SELECT encode(digest, 'hex') AS digest, kind, fence, ticket, owner, idempotency_key, ${text('granted_at')} AS granted_at,
         ${text('expires_at')} AS expires_at, ${text('at')} AS at
    FROM faults_journal ORDER BY id`;

export interface JournalRow {
  readonly digest: string;
  readonly kind: 'grant' | 'release' | 'renewal' | 'ticket' | 'gone';
  readonly fence: string | null;
  readonly ticket: string | null;
  readonly owner: string | null;
  readonly idempotency_key: string | null;
  readonly granted_at: string | null;
  readonly expires_at: string | null;
  readonly at: string;
}

/** What the journal calls a lock of the default store. */
export const digestOf = (resource: string): string =>
  createHash('sha256').update(`lock||latchkey||${resource}`).digest('hex');

/** Grants with their ends, and the events of the lines. */
export function toJournal(
  rows: readonly JournalRow[],
  resources: readonly string[],
): { grants: JournalGrant[]; events: LineEvent[] } {
  const names = new Map(resources.map((resource) => [digestOf(resource), resource]));
  const grants: { -readonly [K in keyof JournalGrant]: JournalGrant[K] }[] = [];
  const events: LineEvent[] = [];
  const byFence = new Map<string, (typeof grants)[number]>();
  // A grant takes its ticket out of the line just before it, in the same statement.
  for (const { digest, kind, fence, ticket, owner, granted_at: grantedAt, expires_at: expiresAt, at } of rows) {
    const key = names.get(digest);
    if (key === undefined) continue;
    const hold = byFence.get(`${key} ${fence}`);
    if (kind === 'grant') {
      const grant = {
        key,
        fence: fence!,
        owner: owner!,
        grantedAt: grantedAt!,
        expiresAt: expiresAt!,
        releasedAt: null,
      };
      grants.push(grant);
      byFence.set(`${key} ${fence}`, grant);
      events.push({ key, kind, ticket });
    } else if (kind === 'release') {
      if (hold) hold.releasedAt = at;
    } else if (kind === 'renewal') {
      if (hold && hold.expiresAt < expiresAt!) hold.expiresAt = expiresAt!;
    } else {
      events.push({ key, kind, ticket });
    }
  }
  return { grants, events };
}
