import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { type Logger } from 'pino';
import { type ApiRequest } from '../http/api-request.js';
import { LOGGER } from '../logging/logger.js';
import { Metrics } from '../metrics/metrics.js';
import { Problem } from '../problem/problem.js';
import { type AuditEvent } from './audit-event.js';
import { AuditRepository } from './audit.repository.js';
import { RefusalLimit } from './refusal-limit.js';

/** Milliseconds over which refusals are counted; what is left out is noted once at their end. */
const WINDOW_MS = 60_000;
/** Milliseconds for which a refusal waits for others to be written with it. */
const GATHER_MS = 200;
/** Milliseconds until refusals that the database did not take are tried again. */
const RETRY_MS = 5000;
const BATCH_SIZE = 100;
/** Refusals held in memory while the database is away. */
const MAX_QUEUED = 1000;

interface Queued {
  readonly event: AuditEvent;
  /** By a clock that only runs forward; the database works out the time of day. */
  readonly happenedAtMs: number;
}

/** What is limited, each for itself, so that nobody who guesses passwords can hide what others are refused; and how the rest is told. */
const DROPPED = { refused: 'refusals-dropped', 'login-failed': 'logins-dropped', 'logins-limited': 'logins-dropped' };
type Limited = keyof typeof DROPPED;

/**
 * Writes the audit log, but for what was done by force: those statements write their own row. What was refused must cost the service
 * nothing, so it is limited, gathered and written behind the request's back.
 */
@Injectable()
export class AuditLog implements BeforeApplicationShutdown {
  private readonly limits: Readonly<Record<Limited, RefusalLimit>> = {
    refused: new RefusalLimit(),
    'login-failed': new RefusalLimit(),
    'logins-limited': new RefusalLimit(),
  };
  private readonly queue: Queued[] = [];
  private window: NodeJS.Timeout | undefined;
  private writer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly repository: AuditRepository,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly metrics: Metrics,
  ) {}

  /** For what must not go unrecorded and changes nothing; what ends a lock notes it in its own statement (`noteEvent`). Fails like any write. */
  async record(event: AuditEvent): Promise<void> {
    await this.repository.add([event], [0]);
  }

  /**
   * The request was refused for want of rights. Never fails and never waits.
   *
   * @param surface as `AuditEvent.surface`
   */
  refused(request: ApiRequest, surface: string): void {
    // Before its guard has decided, a request has no principal, whatever the type says.
    const actor = (request.principal as { readonly name: string } | undefined)?.name ?? 'anonymous';
    const target = `${request.method} ${request.path}`;
    this.note('refused', { ...outcomeOf(request), actor, surface, target });
  }

  /**
   * Somebody gave a wrong password or token. Never fails and never waits.
   *
   * @param action `logins-limited` for the first one that was too many: those behind it are not told
   */
  loginFailed(
    request: Pick<ApiRequest, 'id' | 'remoteAddress'>,
    { surface, credentials, user }: { surface: string; credentials: string; user?: string | undefined },
    action: 'login-failed' | 'logins-limited',
  ): void {
    this.note(action, {
      ...outcomeOf(request),
      actor: 'anonymous',
      surface,
      target: user ?? '',
      details: { credentials },
    });
  }

  /** Writes everything that waits, and what the limit left out so far; for the end of the process, and for tests. */
  async flush(): Promise<void> {
    this.closeWindow();
    clearTimeout(this.writer);
    this.writer = undefined;
    await this.write();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.flush();
  }

  private note(action: Limited, event: Omit<AuditEvent, 'action'>): void {
    this.window ??= setTimeout(() => this.closeWindow(), WINDOW_MS).unref();
    if (!this.limits[action].admit(event.address, event.actor)) return this.metrics.droppedRefusals.inc();
    this.enqueue({ ...event, action });
  }

  private enqueue(event: AuditEvent): void {
    if (this.queue.length >= MAX_QUEUED) return this.drop(event);
    this.queue.push({ event, happenedAtMs: performance.now() });
    this.schedule(GATHER_MS);
  }

  private schedule(delayMs: number): void {
    this.writer ??= setTimeout(() => {
      this.writer = undefined;
      void this.write();
    }, delayMs).unref();
  }

  /** Starts a new window, and notes in a row for each kind what the last one left out. */
  private closeWindow(): void {
    clearTimeout(this.window);
    this.window = undefined;
    for (const [kind, action] of Object.entries(DROPPED)) {
      const summary = this.limits[kind as Limited].close();
      if (!summary) continue;
      this.logger.warn({ kind, ...summary }, 'refusals beyond the limit of the audit log were only counted');
      this.enqueue({
        actor: 'latchkey',
        address: '',
        requestId: null,
        surface: 'audit',
        action,
        target: '',
        outcome: 'done',
        details: { ...summary },
      });
    }
  }

  /** One batch after the other, never two at once. */
  private write(): Promise<void> {
    return (this.writing = this.writing.then(() => this.writeQueued()));
  }

  private async writeQueued(): Promise<void> {
    while (this.queue.length > 0) {
      const batch = this.queue.splice(0, BATCH_SIZE);
      try {
        const now = performance.now();
        await this.repository.add(
          batch.map(({ event }) => event),
          batch.map(({ happenedAtMs }) => now - happenedAtMs),
        );
      } catch (error) {
        return this.failed(batch, error);
      }
    }
  }

  /** Only what was certainly not written is tried again; a refusal listed twice would be a lie of its own. */
  private failed(batch: readonly Queued[], error: unknown): void {
    const mayRepeat = error instanceof Problem && error.kind === 'unavailable';
    this.logger.warn({ err: error, events: batch.length, mayRepeat }, 'refusals could not be written to the audit log');
    if (mayRepeat) {
      this.queue.unshift(...batch);
      this.schedule(RETRY_MS);
      return;
    }
    // Counted in the window that is open now, which the next refusal closes in time even when this was the last one.
    this.window ??= setTimeout(() => this.closeWindow(), WINDOW_MS).unref();
    for (const { event } of batch) this.drop(event);
  }

  private drop({ action, address, actor }: AuditEvent): void {
    // A summary that is dropped counts as a refusal: somebody is to be told that there was something.
    this.limits[action in DROPPED ? (action as Limited) : 'refused'].drop(address, actor);
    this.metrics.droppedRefusals.inc();
  }
}

const outcomeOf = ({
  id,
  remoteAddress,
}: Pick<ApiRequest, 'id' | 'remoteAddress'>): Pick<AuditEvent, 'address' | 'requestId' | 'outcome'> => ({
  address: remoteAddress,
  requestId: id,
  outcome: 'refused',
});
