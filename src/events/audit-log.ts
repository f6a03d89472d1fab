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

/**
 * Writes the audit log, but for what was done by force: those statements write their own row. What was refused must cost the service
 * nothing, so it is limited, gathered and written behind the request's back.
 */
@Injectable()
export class AuditLog implements BeforeApplicationShutdown {
  private readonly limit = new RefusalLimit();
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
    this.note(request, surface, 'refused', `${request.method} ${request.path}`);
  }

  /**
   * Somebody gave a wrong password or token. Never fails and never waits.
   *
   * @param claimed who the caller said to be: text of a stranger's choice, hence the target and not the actor
   */
  loginFailed(request: ApiRequest, surface: string, claimed: string): void {
    this.note(request, surface, 'login-failed', claimed);
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

  private note(request: ApiRequest, surface: string, action: string, target: string): void {
    // Before its guard has decided, a request has no principal, whatever the type says.
    const actor = (request.principal as { readonly name: string } | undefined)?.name ?? 'anonymous';
    const address = request.remoteAddress;
    this.window ??= setTimeout(() => this.closeWindow(), WINDOW_MS).unref();
    if (!this.limit.admit(address, actor)) return this.metrics.droppedRefusals.inc();
    this.enqueue({ actor, address, requestId: request.id, surface, action, target, outcome: 'refused' });
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

  /** Starts a new window, and notes in one row what the last one left out. */
  private closeWindow(): void {
    clearTimeout(this.window);
    this.window = undefined;
    const summary = this.limit.close();
    if (!summary) return;
    this.logger.warn({ ...summary }, 'refusals beyond the limit of the audit log were only counted');
    this.enqueue({
      actor: 'latchkey',
      address: '',
      requestId: null,
      surface: 'audit',
      action: 'refusals-dropped',
      target: '',
      outcome: 'done',
      details: { ...summary },
    });
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

  private drop({ address, actor }: AuditEvent): void {
    this.limit.drop(address, actor);
    this.metrics.droppedRefusals.inc();
  }
}
