import { randomUUID } from 'node:crypto';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { type Logger } from 'pino';
import { Settings } from '../config/settings.js';
import { LOGGER } from '../logging/logger.js';
import { Metrics } from '../metrics/metrics.js';
import { tooManyWaiters, unavailable } from '../problem/catalogue.js';
import { Problem } from '../problem/problem.js';
import { type LeaseAuthor, type LeaseRequest } from './lease.js';
import { type Grant, type LeaseKey, LeaseRepository, type LineKey, type Turn } from './lease.repository.js';
import { WakeUpCalls } from './wake-up-calls.js';

/** Milliseconds between two looks at the line while anybody waits here; also how often the process says that it lives. */
const LOOK_EVERY_MS = 500;
/** For how long one such word counts. A dead process' waiters hold up others for this and one look: under the promised 3 s (P11). */
const ALIVE_MS = 2000;
/** Callers that may wait in one process, and for one lease (reliability §4.2). */
const MAX_WAITERS = 10_000;
const MAX_WAITERS_PER_LEASE = 1000;
/** How long the end of a ticket, or of a request for one, is remembered: longer than anything may be on its way to or from the database. */
const REMEMBER_MS = 30_000;
/** The longest time that a timer of Node's takes; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** A grant, and when the call that brought it was sent. */
interface Delivery {
  readonly grant: Grant;
  readonly sentAt: number;
}

/**
 * Why a waiter stopped waiting. A lost ticket was dropped because this process seemed dead: it may queue again. An own lease is held by
 * the grant of the same request, which was sent twice.
 */
type Ending = Delivery | 'own' | 'timed-out' | 'gone' | 'draining' | 'lost';

interface Waiter {
  readonly line: Line;
  readonly ticket: string;
  readonly end: (ending: Ending) => void;
  /** A grant that arrived, also while the place was just being given up. */
  grant: Delivery | null;
  /** Looks in a row that did not find the ticket. */
  missed: number;
}

/**
 * All that this process knows of the line for one key. It is forgotten as soon as nothing in it counts (`dropIfEmpty`), so whoever keeps
 * it over an `await` is counted in it.
 */
interface Line {
  readonly key: LineKey;
  readonly waiters: Set<Waiter>;
  /** Calls under way that may bring a ticket or a grant. */
  underWay: number;
  /** Grants of tickets that an enqueueing call has not told us yet. */
  readonly early: Map<string, Delivery>;
  isSettling: boolean;
  mustSettleAgain: boolean;
  /** Tickets that are being given up, together with those who ask for it. */
  readonly leaving: { ticket: string; done: (grant: Delivery | null) => void; failed: (error: unknown) => void }[];
  isLeaving: boolean;
  /** Tickets that nobody waits on any more and that could not be given up yet. */
  readonly abandoned: Set<string>;
  /** Fires when the present hold ends unless it is renewed: an expiry wakes nobody by itself. */
  timer: NodeJS.Timeout | undefined;
}

/**
 * The callers of this process that wait for leases. Order and grants are the database's; this class keeps the callers parked without a
 * connection, lets the line go on at each release and expiry, and takes those out who went away.
 */
@Injectable()
export class WaitingLine implements OnApplicationShutdown {
  private readonly replica = randomUUID();
  private readonly lines = new Map<string, Line>();
  private readonly byTicket = new Map<string, Waiter>();
  /** Tickets that came to an end here, and when: what still arrives for them is old. */
  private readonly ended = new Map<string, number>();
  /** Requests for a ticket whose answer got lost, by their ids, and when: the ticket may be there, or be there when they arrive late. */
  private readonly unanswered = new Map<string, { readonly key: LineKey; readonly failedAt: number }>();
  private readonly delayMs: number;
  private waiting = 0;
  private lastBeatAt = -Infinity;
  private isLooking = false;
  private isDraining = false;
  private lookTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly leases: LeaseRepository,
    private readonly wakeUpCalls: WakeUpCalls,
    @Inject(Settings) settings: Settings,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly metrics: Metrics,
  ) {
    this.delayMs = settings.lockDelayMs;
    metrics.lockWaiters.readFrom(() => this.waiting);
    wakeUpCalls.onCall(this.replica, (digest) => {
      // Called although nobody waits here: a ticket is ours that this process does not know of, and its grant is given back.
      this.settleSoon(this.lineOf({ digest: Buffer.from(digest, 'base64url') }));
    });
  }

  /** Whether anybody waits here for the key, so that a release is likely to have a next in line. */
  hasWaiters(key: LineKey): boolean {
    return this.lines.has(lineName(key));
  }

  /**
   * Waits for the lease. The grant is the caller's from then on; null when the time was over first, `own` when the lease is held by
   * the same owner with the same idempotency key.
   *
   * @param waitMs at most this long; at least 1
   * @throws 429 when too many wait, 503 while the process drains
   */
  async wait(
    key: LeaseKey,
    request: LeaseRequest,
    author: LeaseAuthor,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<Grant | 'own' | null> {
    if (this.isDraining) throw unavailable();
    if (this.waiting >= MAX_WAITERS) throw this.refused('waiters-of-process');
    const startedAt = performance.now();
    this.waiting++;
    this.wakeUpCalls.listen();
    try {
      const until = performance.now() + waitMs;
      await this.sayAlive();
      for (;;) {
        const ending = await this.waitOnce(key, request, author, until, signal);
        if (ending === 'lost') {
          this.metrics.lostTickets.inc();
          continue;
        }
        if (ending === 'draining') throw unavailable();
        if (ending === 'own') return 'own';
        if (ending === 'timed-out' || ending === 'gone') return null;
        // An answer that took longer than the lease lasts is no success (fault F7); the time to wait may go on. A look may have found
        // a grant of which most was over.
        if (performance.now() - ending.sentAt < Math.min(request.ttlMs, ending.grant.remainingMs)) return ending.grant;
        this.metrics.lateGrants.inc();
        if (performance.now() >= until) return null;
      }
    } finally {
      this.waiting--;
      this.metrics.lockWait.observe((performance.now() - startedAt) / 1000);
    }
  }

  /** Lets the line go on after something happened to the lease. @param sentAt when the call that brought the turn was sent */
  follow(key: LineKey, turn: Turn, sentAt: number): void {
    const line = this.lines.get(lineName(key));
    if (turn.state === 'granted') {
      if (turn.hadExpired) this.metrics.locksExpired.inc();
      this.deliver(key, turn.ticket, turn.grant, sentAt);
      if (line) this.settleAfter(line, turn.grant.remainingMs);
    } else if (turn.state === 'held') {
      if (line) this.settleAfter(line, turn.remainingMs);
    } else if (turn.state === 'waiting') {
      this.wakeUpCalls.call(turn.replica, lineName(key));
    }
  }

  /** Lets the line of a free lease go on. */
  async settle(key: LineKey): Promise<Turn> {
    const sentAt = performance.now();
    const turn = await this.leases.settle(key, this.replica, this.delayMs);
    this.follow(key, turn, sentAt);
    return turn;
  }

  /** Name of this process among those that wait. */
  get replicaId(): string {
    return this.replica;
  }

  /** Ends every wait; what is asked for from now on is refused. */
  drain(): void {
    this.isDraining = true;
    for (const waiter of this.byTicket.values()) waiter.end('draining');
  }

  async onApplicationShutdown(): Promise<void> {
    this.drain();
    clearTimeout(this.lookTimer);
    for (const line of this.lines.values()) clearTimeout(line.timer);
    await this.wakeUpCalls.close();
  }

  /** Takes a place, waits for what becomes of it, and leaves nothing of it behind unless it became a grant. */
  private async waitOnce(
    key: LeaseKey,
    request: LeaseRequest,
    author: LeaseAuthor,
    until: number,
    signal: AbortSignal,
  ): Promise<Ending> {
    if (signal.aborted) return 'gone';
    const line = this.lineOf(key);
    const sentAt = performance.now();
    const place = await this.underWay(line, () =>
      this.leases.enqueue(key, request, author, this.replica, this.delayMs, MAX_WAITERS_PER_LEASE),
    ).catch((error: unknown) => {
      if (error instanceof Problem && error.kind === 'outcome-unknown') this.searchFor(key, author.requestId);
      throw error;
    });
    if (place === null) throw this.refused('waiters-of-lock');
    const { ticket, turn } = place;
    if (turn.state === 'own') return 'own';
    return this.park(line, ticket!, turn, sentAt, until, signal);
  }

  private refused(reason: 'waiters-of-process' | 'waiters-of-lock'): Problem {
    this.metrics.throttled.inc({ reason });
    return tooManyWaiters();
  }

  private async park(
    line: Line,
    ticket: string,
    turn: Turn,
    sentAt: number,
    until: number,
    signal: AbortSignal,
  ): Promise<Ending> {
    let waiter!: Waiter;
    const ended = new Promise<Ending>((end) => {
      waiter = { line, ticket, end, grant: line.early.get(ticket) ?? null, missed: 0 };
    });
    line.early.delete(ticket);
    line.waiters.add(waiter);
    this.byTicket.set(ticket, waiter);
    const timer = setTimeout(() => waiter.end('timed-out'), Math.max(0, until - performance.now()));
    const onGone = (): void => waiter.end('gone');
    signal.addEventListener('abort', onGone);
    if (signal.aborted) onGone();
    if (this.isDraining) waiter.end('draining');
    if (waiter.grant) waiter.end(waiter.grant);
    this.follow(line.key, turn, sentAt);
    this.lookAgain();
    try {
      const ending = await ended;
      if (ending === 'lost') return 'lost';
      const grant = typeof ending === 'object' ? ending : await this.giveUp(waiter);
      if (!grant) return ending;
      // Nobody is there to take it, or shall any more.
      if (ending === 'gone' || ending === 'draining' || signal.aborted) {
        await this.releaseUnwanted(line.key, ticket, grant.grant.fence);
        return ending === 'draining' ? ending : 'gone';
      }
      return grant;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onGone);
      line.waiters.delete(waiter);
      this.byTicket.delete(ticket);
      if (!line.abandoned.has(ticket)) this.ended.set(ticket, performance.now());
      this.dropIfEmpty(line);
    }
  }

  /** Leaves the line. @returns the grant that came first, if one did */
  private async giveUp(waiter: Waiter): Promise<Delivery | null> {
    const { line, ticket } = waiter;
    try {
      return (await this.leave(line, ticket)) ?? waiter.grant;
    } catch (error) {
      this.logger.debug({ err: error, ticket }, 'a place in a line could not be given up; it is tried again');
      // The ticket may still stand, and even be granted: then nobody is there, and the lease is given back.
      line.abandoned.add(ticket);
      return waiter.grant;
    }
  }

  /** Gives a ticket up. Those of one line that go while a call is under way go together: a thousand may leave at once. */
  private leave(line: Line, ticket: string): Promise<Delivery | null> {
    return new Promise((done, failed) => {
      line.leaving.push({ ticket, done, failed });
      if (!line.isLeaving) void this.leaveTogether(line);
    });
  }

  private async leaveTogether(line: Line): Promise<void> {
    line.isLeaving = true;
    while (line.leaving.length > 0) {
      const leaving = line.leaving.splice(0);
      const tickets = leaving.map(({ ticket }) => ticket);
      const sentAt = performance.now();
      try {
        const { granted, turn } = await this.underWay(line, () =>
          this.leases.leave(line.key, tickets, this.replica, this.delayMs),
        );
        for (const { ticket, done } of leaving) {
          done(granted?.ticket === ticket ? { grant: granted.grant, sentAt } : null);
        }
        this.follow(line.key, turn, sentAt);
      } catch (error) {
        for (const { failed } of leaving) failed(error);
      }
    }
    line.isLeaving = false;
    this.dropIfEmpty(line);
  }

  /** Tries once more to give up what could not be given up when its caller went. Nobody's look at the line waits for that. */
  private clearAbandoned(line: Line): void {
    if (line.isLeaving) return;
    for (const ticket of line.abandoned) {
      this.leave(line, ticket)
        .then((granted) => {
          line.abandoned.delete(ticket);
          if (granted) void this.releaseUnwanted(line.key, ticket, granted.grant.fence);
          this.dropIfEmpty(line);
        })
        .catch((error: unknown) =>
          this.logger.debug({ err: error, ticket }, 'a place in a line is still not given up'),
        );
    }
  }

  /** Remembers a request that was answered without its ticket. Nobody waits on that, and it would hold up the line for good. */
  private searchFor(key: LineKey, requestId: string): void {
    if (this.unanswered.size >= MAX_WAITERS) this.unanswered.delete(this.unanswered.keys().next().value!);
    this.unanswered.set(requestId, { key, failedAt: performance.now() });
    this.lookAgain();
  }

  /** Looks for tickets of unanswered requests, until nothing of a request can be on its way any more and a look still found none. */
  private async findUnanswered(): Promise<void> {
    const before = performance.now() - REMEMBER_MS;
    const asked = new Map(this.unanswered);
    const requests = [...asked].map(([requestId, { key }]) => ({ key, requestId }));
    for (const { requestId, ticket } of await this.leases.findTickets(requests, this.replica)) {
      this.unanswered.delete(requestId);
      const line = this.lineOf(asked.get(requestId)!.key);
      line.abandoned.add(ticket);
      this.clearAbandoned(line);
    }
    for (const [requestId, { failedAt }] of this.unanswered) {
      if (failedAt < before) this.unanswered.delete(requestId);
    }
  }

  private deliver(key: LineKey, ticket: string, grant: Grant, sentAt: number): void {
    const waiter = this.byTicket.get(ticket);
    if (waiter) {
      waiter.grant ??= { grant, sentAt };
      return waiter.end(waiter.grant);
    }
    if (this.ended.has(ticket)) return;
    const line = this.lines.get(lineName(key));
    if (line?.abandoned.delete(ticket)) void this.releaseUnwanted(key, ticket, grant.fence);
    else if (line && line.underWay > 0) line.early.set(ticket, { grant, sentAt });
    else void this.releaseUnwanted(key, ticket, grant.fence);
  }

  /** Gives back a lease that was granted to a caller who is not there any more, unless it came back and repeated its request. */
  private async releaseUnwanted(key: LineKey, ticket: string, fence: string): Promise<void> {
    const author = { actor: 'latchkey', requestId: randomUUID() };
    const sentAt = performance.now();
    try {
      const claim = { owner: null, fence };
      const { turn } = await this.leases.releaseToNext(key, claim, null, author, this.replica, this.delayMs, ticket);
      this.follow(key, turn, sentAt);
    } catch (error) {
      this.logger.warn({ err: error, fence }, 'a lease granted to a caller that went away stays until it expires');
    }
  }

  /** Runs a call that may bring a ticket; grants that overtake it are kept for it, and given back if nobody claims them. */
  private async underWay<T>(line: Line, call: () => Promise<T>): Promise<T> {
    line.underWay++;
    try {
      return await call();
    } finally {
      // Some microtasks later the call's own ticket is claimed; until then it counts as under way, or the line could be dropped.
      setImmediate(() => {
        line.underWay--;
        this.releaseUnclaimed(line);
        this.dropIfEmpty(line);
      });
    }
  }

  private releaseUnclaimed(line: Line): void {
    if (line.underWay > 0) return;
    for (const [ticket, { grant }] of line.early) void this.releaseUnwanted(line.key, ticket, grant.fence);
    line.early.clear();
  }

  private settleSoon(line: Line): void {
    if (line.isSettling) {
      line.mustSettleAgain = true;
      return;
    }
    line.isSettling = true;
    line.mustSettleAgain = false;
    this.settle(line.key)
      .catch((error: unknown) => this.logger.debug({ err: error }, 'a line could not go on; it is looked at again'))
      .finally(() => {
        line.isSettling = false;
        if (line.mustSettleAgain) this.settleSoon(line);
        this.dropIfEmpty(line);
      });
  }

  private settleAfter(line: Line, ms: number): void {
    clearTimeout(line.timer);
    line.timer = setTimeout(
      () => {
        if (line.waiters.size > 0) this.settleSoon(line);
      },
      Math.min(Math.max(ms, 0) + 1, LONGEST_TIMER_MS),
    ).unref();
  }

  private async sayAlive(): Promise<void> {
    if (performance.now() - this.lastBeatAt < LOOK_EVERY_MS) return;
    const sentAt = performance.now();
    await this.leases.beat(this.replica, ALIVE_MS);
    this.lastBeatAt = sentAt;
  }

  private lookAgain(): void {
    if (this.isLooking || (this.lines.size === 0 && this.unanswered.size === 0)) return;
    this.isLooking = true;
    this.lookTimer = setTimeout(() => {
      this.look()
        .catch((error: unknown) => this.logger.debug({ err: error }, 'the lines could not be looked at'))
        .finally(() => {
          this.isLooking = false;
          this.lookAgain();
        });
    }, LOOK_EVERY_MS).unref();
  }

  /** What no event told: expiries elsewhere, calls that got lost, tickets dropped because this process seemed dead. */
  private async look(): Promise<void> {
    this.wakeUpCalls.listen();
    this.forgetEnded();
    for (const line of this.lines.values()) this.clearAbandoned(line);
    if (this.byTicket.size > 0) await this.lookAtTickets();
    if (this.unanswered.size > 0) await this.findUnanswered();
  }

  private async lookAtTickets(): Promise<void> {
    await this.sayAlive();
    const sentAt = performance.now();
    const tickets = [...this.byTicket.values()].map(({ line, ticket }) => ({ key: line.key, ticket }));
    for (const { ticket, isQueued, isFree, grant, isOwn } of await this.leases.look(tickets)) {
      const waiter = this.byTicket.get(ticket);
      if (!waiter) continue;
      if (grant) this.deliver(waiter.line.key, ticket, grant, sentAt);
      else if (isOwn) waiter.end('own');
      else if (isQueued) {
        waiter.missed = 0;
        if (isFree) this.settleSoon(waiter.line);
      } else if (!waiter.line.isSettling && waiter.line.underWay === 0 && ++waiter.missed >= 2) waiter.end('lost');
    }
  }

  private forgetEnded(): void {
    const before = performance.now() - REMEMBER_MS;
    for (const [ticket, endedAt] of this.ended) {
      if (endedAt > before) break;
      this.ended.delete(ticket);
    }
  }

  private lineOf(key: LineKey): Line {
    const name = lineName(key);
    let line = this.lines.get(name);
    if (!line) {
      line = {
        key,
        waiters: new Set(),
        underWay: 0,
        early: new Map(),
        isSettling: false,
        mustSettleAgain: false,
        leaving: [],
        isLeaving: false,
        abandoned: new Set(),
        timer: undefined,
      };
      this.lines.set(name, line);
    }
    return line;
  }

  private dropIfEmpty(line: Line): void {
    const isBusy = line.underWay > 0 || line.isSettling || line.isLeaving;
    if (isBusy || line.waiters.size > 0 || line.early.size > 0 || line.abandoned.size > 0) return;
    clearTimeout(line.timer);
    if (this.lines.get(lineName(line.key)) === line) this.lines.delete(lineName(line.key));
  }
}

const lineName = (key: LineKey): string => key.digest.toString('base64url');
