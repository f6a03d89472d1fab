import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, Repository } from 'typeorm';
import { Arrivals, columnsOf } from '../database/arrivals.js';
import { Database, type Row } from '../database/database.js';
import { auditColumns, type AuditEvent } from '../events/audit-event.js';
import { Metrics } from '../metrics/metrics.js';
import { LeaseEntity } from './lease.entity.js';
import { type HolderClaim, type Lease, type LeaseAuthor, type LeaseRequest } from './lease.js';
import { RELEASE_MANY, TRY_MANY } from './lease-batch.sql.js';
import {
  BEAT,
  CONFIRM,
  COUNT_HELD,
  ENQUEUE,
  FIND,
  FIND_TICKETS,
  INDEXED_BYTES,
  LEAVE,
  listFor,
  LOOK,
  NOTIFY,
  PURGE,
  PURGE_REPLICAS,
  RELEASE,
  RELEASE_AND_NOTE,
  RELEASE_TO_NEXT,
  RENEW,
  SETTLE,
  toLease,
  TRY,
} from './lease.sql.js';

/** A stored key with what the table finds it by. */
export interface LeaseKey {
  readonly storedKey: string;
  /** SHA-256 of its UTF-8 bytes. */
  readonly digest: Buffer;
}

/** What is enough of a stored key to name its line. */
export type LineKey = Pick<LeaseKey, 'digest'>;

/** @param storedKey as `LockStore.storedKey` makes it */
export function leaseKey(storedKey: string): LeaseKey {
  return { storedKey, digest: createHash('sha256').update(storedKey).digest() };
}

/** A grant as a waiting caller gets it. */
export interface Grant {
  readonly fence: string;
  readonly grantedAt: string;
  readonly expiresAt: string;
  /** How long it lasts from now on, as the database saw it. */
  readonly remainingMs: number;
  /** Callers that wait behind it. */
  readonly waiters: number;
}

/**
 * How the line for a key stands after somebody looked: the lease went to one of our own tickets, is held, is free with nobody
 * waiting, or is free and the next in line waits at another process, which is to be woken.
 */
export type Turn =
  | { readonly state: 'granted'; readonly ticket: string; readonly grant: Grant; readonly hadExpired: boolean }
  /** Held with this very owner and idempotency key: the caller's own grant. */
  | { readonly state: 'own'; readonly grant: Grant }
  | { readonly state: 'held'; readonly remainingMs: number }
  | { readonly state: 'free' }
  | { readonly state: 'waiting'; readonly replica: string };

/** What `tryTake` found. */
export type Attempt =
  | { readonly kind: 'granted'; readonly lease: Lease; readonly hadExpired: boolean }
  | { readonly kind: 'refused'; readonly lease: Lease }
  /** Free, but others wait for it, alive or not: `settle` finds out. */
  | { readonly kind: 'has-waiters'; readonly lease: Lease };

/** What became of a ticket, as seen between two looks. */
export interface TicketState {
  readonly ticket: string;
  readonly isQueued: boolean;
  readonly isFree: boolean;
  /** Set when the lease is held by the grant that this very ticket got. */
  readonly grant: Grant | null;
  /** Held with the ticket's own owner and idempotency key: its twin got the lease. */
  readonly isOwn: boolean;
}

export type Verdict = 'released' | 'not-held' | 'held-by-other';

/** A principal that must be the holder's, where owners are bound to principals; null where the owner's text is proof enough. */
export type BoundTo = string | null;

interface Try {
  readonly key: LeaseKey;
  readonly request: LeaseRequest;
  readonly author: LeaseAuthor;
  readonly delayMs: number;
}

interface Release {
  readonly key: LeaseKey;
  readonly claim: HolderClaim;
  readonly boundTo: BoundTo;
  readonly author: LeaseAuthor;
}

/** Many callers may want one lock, and their order is that of the waiting line, not that of their tries. */
const ARRIVING = { maxBytes: 64 * 1024, ofSameName: 'goes-alone' } as const;

/** Edge to the lease tables. Each method is one statement or one function call, and so one decision. */
@Injectable()
export class LeaseRepository extends Repository<LeaseEntity> {
  private readonly tries: Arrivals<Try, Attempt | null>;
  private readonly releases: Arrivals<Release, Verdict | 'has-waiters'>;

  constructor(
    @InjectDataSource() dataSource: DataSource,
    private readonly database: Database,
    metrics: Metrics,
  ) {
    super(LeaseEntity, dataSource.createEntityManager());
    metrics.locksHeld.readFrom(() => this.countHeld(MAX_COUNTED));
    this.tries = new Arrivals<Try, Attempt | null>(
      {
        nameOf,
        bytesOf: ({ key, request }) =>
          2 * (key.storedKey.length + request.owner.length) + (request.metadata?.length ?? 0),
        ...ARRIVING,
        alone: (one, deadline) => this.tryAlone(one, deadline),
        together: (many) => this.tryTogether(many),
      },
      database,
    );
    this.releases = new Arrivals<Release, Verdict | 'has-waiters'>(
      {
        nameOf,
        bytesOf: ({ claim }) => 2 * (claim.owner?.length ?? 0),
        ...ARRIVING,
        alone: (one, deadline) => this.releaseAlone(one, deadline),
        together: (many) => this.releaseTogether(many),
      },
      database,
    );
  }

  /** @returns null where the row appeared or changed hands in the middle: the next attempt sees who has it */
  tryTake(key: LeaseKey, request: LeaseRequest, author: LeaseAuthor, delayMs: number): Promise<Attempt | null> {
    return this.tries.send({ key, request, author, delayMs });
  }

  private async tryAlone(one: Try, deadline: number): Promise<Attempt | null> {
    const [row] = await this.database.query(TRY, tryValues(one), deadline);
    return row ? toAttempt(row, 0, one.delayMs) : null;
  }

  private async tryTogether(many: readonly Try[]): Promise<Map<string, Attempt | null> | null> {
    const rows = await this.database.queryTogether(TRY_MANY, columnsOf(many.map(tryValues)), many.length);
    return rows && new Map(rows.map((row) => [digestName(row[0] as Buffer), toAttempt(row, 1, many[0]!.delayMs)]));
  }

  /** @returns `has-waiters` when the lease is the caller's but is to go to the next in line: see `releaseToNext` */
  release(key: LeaseKey, claim: HolderClaim, boundTo: BoundTo, author: LeaseAuthor): Promise<Verdict | 'has-waiters'> {
    return this.releases.send({ key, claim, boundTo, author });
  }

  private async releaseAlone(one: Release, deadline: number): Promise<Verdict | 'has-waiters'> {
    const [row] = await this.database.query(RELEASE, releaseValues(one), deadline);
    return row ? (row[0] as Verdict | 'has-waiters') : 'not-held';
  }

  private async releaseTogether(many: readonly Release[]): Promise<Map<string, Verdict | 'has-waiters'> | null> {
    const rows = await this.database.queryTogether(RELEASE_MANY, columnsOf(many.map(releaseValues)), many.length);
    return rows && new Map(rows.map((row) => [digestName(row[0] as Buffer), row[1] as Verdict | 'has-waiters']));
  }

  /**
   * Releases and lets the next in line have its turn, in one transaction. A claim of nothing ends whatever hold there is.
   *
   * @param ticket only the grant that this ticket got, and that was not confirmed to a repeated request since; null = any
   */
  async releaseToNext(
    key: LineKey,
    claim: HolderClaim,
    boundTo: BoundTo,
    author: LeaseAuthor,
    replica: string,
    delayMs: number,
    ticket: string | null = null,
  ): Promise<{ verdict: Verdict; turn: Turn }> {
    const [row] = await this.database.query(RELEASE_TO_NEXT, [
      key.digest,
      claim.owner === null ? null : Buffer.from(claim.owner),
      claim.fence,
      boundTo,
      author.actor,
      author.requestId,
      replica,
      delayMs,
      ticket,
    ]);
    return { verdict: row![TURN_LENGTH] as Verdict, turn: toTurn(row!) };
  }

  /** Ends one hold whoever has it, lets the next in line have its turn, and notes the event, all in one statement. */
  async force(
    key: LeaseKey,
    fence: string,
    author: LeaseAuthor,
    replica: string,
    delayMs: number,
    event: AuditEvent,
  ): Promise<{ verdict: Verdict; turn: Turn }> {
    const { actor, requestId } = author;
    const [row] = await this.database.query(RELEASE_AND_NOTE, [
      key.digest,
      null,
      fence,
      null,
      actor,
      requestId,
      replica,
      delayMs,
      null,
      ...auditColumns(event),
    ]);
    return { verdict: row![TURN_LENGTH] as Verdict, turn: toTurn(row!) };
  }

  /** @returns null when the lease is not, or no longer, the claimed one */
  async renew(key: LeaseKey, claim: HolderClaim, boundTo: BoundTo, ttlMs: number): Promise<Lease | null> {
    const [row] = await this.database.query(RENEW, [
      key.digest,
      claim.owner === null ? null : Buffer.from(claim.owner),
      claim.fence,
      boundTo,
      ttlMs,
    ]);
    return row ? toLease(row, 0) : null;
  }

  /** Tells a grant once more to the caller who repeats its request. @returns with how long it still lasts; null when it is over */
  async confirm(key: LeaseKey, fence: string): Promise<{ lease: Lease; remainingMs: number } | null> {
    const [row] = await this.database.query(CONFIRM, [key.digest, fence]);
    return row ? { lease: toLease(row, 0), remainingMs: row.at(-1) as number } : null;
  }

  async findLease(key: LeaseKey): Promise<Lease | null> {
    const [row] = await this.database.query(FIND, [key.digest]);
    return row ? toLease(row, 0) : null;
  }

  /**
   * @param storePrefix what all stored keys of the store start with
   * @param after position of the last lease of the page before; null, and a place outside the prefix, for the first page
   */
  async listPage(
    storePrefix: string,
    filter: { prefix: string; owner: string | null; state: 'held' | 'free' | null },
    after: LeasePosition | null,
    limit: number,
  ): Promise<{ lease: Lease; position: LeasePosition }[]> {
    const prefix = Buffer.from(storePrefix + filter.prefix);
    const start = prefix.subarray(0, INDEXED_BYTES);
    const isWithin = after?.start.subarray(0, start.length).equals(start) === true;
    // No digest is empty.
    const from = isWithin ? after : { start, digest: Buffer.alloc(0) };
    const rows = await this.database.query(listFor(limit), [
      from.start,
      from.digest,
      Buffer.concat([start, BEHIND_ALL]),
      prefix,
      Buffer.byteLength(storePrefix),
      filter.owner === null ? null : Buffer.from(filter.owner),
      filter.state,
      limit,
    ]);
    return rows.map((row) => ({
      position: { start: row[0] as Buffer, digest: row[1] as Buffer },
      lease: toLease(row, 2),
    }));
  }

  /** Lets the line go on if the lease is free; `replica` is whose tickets may be granted here. */
  async settle(key: LineKey, replica: string, delayMs: number): Promise<Turn> {
    const [row] = await this.database.query(SETTLE, [key.digest, replica, delayMs]);
    return toTurn(row!, row![TURN_LENGTH]);
  }

  /** Takes a place in the line, or the lease at once. @returns null when the line is full */
  async enqueue(
    key: LeaseKey,
    request: LeaseRequest,
    author: LeaseAuthor,
    replica: string,
    delayMs: number,
    maxWaiters: number,
  ): Promise<{ ticket: string | null; turn: Turn } | null> {
    const [row] = await this.database.query(ENQUEUE, [
      key.digest,
      Buffer.from(key.storedKey),
      replica,
      delayMs,
      Buffer.from(request.owner),
      request.ttlMs,
      request.metadata,
      request.idempotencyKey,
      author.actor,
      author.requestId,
      maxWaiters,
    ]);
    if (row![TURN_LENGTH + 1] === true) return null;
    return { ticket: row![TURN_LENGTH] as string | null, turn: toTurn(row!, row![TURN_LENGTH + 2]) };
  }

  /** Gives up places in the line. `granted` is the one of them that was granted already, with its grant. */
  async leave(
    key: LineKey,
    tickets: readonly string[],
    replica: string,
    delayMs: number,
  ): Promise<{ granted: { ticket: string; grant: Grant } | null; turn: Turn }> {
    const [row] = await this.database.query(LEAVE, [key.digest, tickets, replica, delayMs]);
    const ticket = row![TURN_LENGTH] as string | null;
    return { granted: ticket === null ? null : { ticket, grant: toGrant(row!, 2) }, turn: toTurn(row!) };
  }

  /** Says that the process lives, and with it its tickets. */
  async beat(replica: string, aliveMs: number): Promise<void> {
    await this.database.query(BEAT, [replica, aliveMs]);
  }

  /** What became of the given tickets. */
  async look(tickets: readonly { key: LineKey; ticket: string }[]): Promise<TicketState[]> {
    const rows = await this.database.query(LOOK, [
      tickets.map(({ key }) => key.digest),
      tickets.map(({ ticket }) => ticket),
    ]);
    return rows.map((row) => ({
      ticket: row[0] as string,
      isQueued: row[1] as boolean,
      isFree: row[2] as boolean,
      grant: row[3] === true ? toGrant(row, 4) : null,
      isOwn: row[10] === true,
    }));
  }

  /** The tickets that the given requests have at the replica; a request that has none is left out. */
  async findTickets(
    requests: readonly { key: LineKey; requestId: string }[],
    replica: string,
  ): Promise<{ requestId: string; ticket: string }[]> {
    const rows = await this.database.query(FIND_TICKETS, [
      requests.map(({ key }) => key.digest),
      requests.map(({ requestId }) => requestId),
      replica,
    ]);
    return rows.map((row) => ({ requestId: row[0] as string, ticket: row[1] as string }));
  }

  /** Tells other processes that a line of theirs may go on. A hint only: whoever waits looks by itself as well. */
  async notify(messages: readonly { channel: string; payload: string }[]): Promise<void> {
    await this.database.query(NOTIFY, [messages.map(({ channel }) => channel), messages.map(({ payload }) => payload)]);
  }

  /** Looks at up to `limit` leases after the given digest. @returns how many it forgot, and where to go on; null at the end */
  async purgeIdle(after: Buffer, limit: number): Promise<{ removed: number; last: Buffer | null }> {
    const [row] = await this.database.query(PURGE, [after, limit]);
    return { removed: Number(row![0]), last: row![1] as Buffer | null };
  }

  /** Leases held now; beyond `limit` known ones an estimate from that many. */
  async countHeld(limit: number): Promise<number> {
    const [row] = await this.database.query(COUNT_HELD, [limit]);
    const [held, seen, last] = row as readonly [string, string, Buffer | null];
    if (last === null || Number(seen) < limit) return Number(held);
    // Digests are spread evenly, so the first ones are a fair sample; how far they reach tells the share of all that they are.
    const share = (last.readUIntBE(0, SHARE_BYTES) + 1) / 2 ** (8 * SHARE_BYTES);
    return Math.round(Number(held) / share);
  }

  async purgeReplicas(): Promise<void> {
    await this.database.query(PURGE_REPLICAS, []);
  }
}

const digestName = (digest: Buffer): string => digest.toString('latin1');
const nameOf = ({ key }: { readonly key: LeaseKey }): string => digestName(key.digest);

/** The parameters of `TRY`. */
const tryValues = ({ key, request, author, delayMs }: Try): unknown[] => [
  key.digest,
  Buffer.from(key.storedKey),
  Buffer.from(request.owner),
  request.ttlMs,
  request.metadata,
  request.idempotencyKey,
  author.actor,
  author.requestId,
  delayMs,
];

/** The parameters of `RELEASE`. */
const releaseValues = ({ key, claim, boundTo, author }: Release): unknown[] => [
  key.digest,
  claim.owner === null ? null : Buffer.from(claim.owner),
  claim.fence,
  boundTo,
  author.actor,
  author.requestId,
];

/** @param from where the columns of `TRY` begin */
function toAttempt(row: Row, from: number, delayMs: number): Attempt | null {
  const lease = toLease(row, from + 2);
  if (row[from] === true) return { kind: 'granted', lease, hadExpired: row.at(-1) === true };
  if (row[from + 1] === true) return { kind: 'has-waiters', lease };
  // Seen as free, and yet not granted: somebody else came in between.
  return lease.isHeld || delayMs > 0 ? { kind: 'refused', lease } : null;
}

/** Where a lease stands in the order of `listPage`. */
export interface LeasePosition {
  /** Start of the stored key, as far as the index has it. */
  readonly start: Buffer;
  readonly digest: Buffer;
}

/** Behind whatever a stored key can go on with: UTF-8 has no such byte. */
const BEHIND_ALL = Buffer.of(0xff);

/** Leases that are looked at for one reading of the metrics: some milliseconds of the database's time. */
const MAX_COUNTED = 10_000;
/** Bytes of a digest that tell well enough where in the order it stands; as many as a number holds exactly. */
const SHARE_BYTES = 6;

/** Columns that every function answers about the line, before its own. */
const TURN_LENGTH = 8;

/** @param hadExpired whether the hold before a grant had run out, where the statement tells */
function toTurn(row: Row, hadExpired: unknown = false): Turn {
  switch (row[0]) {
    case 'granted':
      return { state: 'granted', ticket: row[1] as string, grant: toGrant(row, 2), hadExpired: hadExpired === true };
    case 'own':
      return { state: 'own', grant: toGrant(row, 2) };
    case 'held':
      return { state: 'held', remainingMs: row[5] as number };
    case 'waiting':
      return { state: 'waiting', replica: row[6] as string };
    default:
      return { state: 'free' };
  }
}

const toGrant = (row: Row, from: number): Grant => ({
  fence: row[from] as string,
  grantedAt: row[from + 1] as string,
  expiresAt: row[from + 2] as string,
  remainingMs: row[from + 3] as number,
  waiters: row[from + 5] as number,
});
