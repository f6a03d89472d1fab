import { formatDuration } from './duration.js';
import { describeAnswer, type LockClient, NoAnswer, problemOf } from './lock-client.js';
import { pause } from './pause.js';

/** One attempt to renew may take this part of the lease, so that several fit into what is left after a third of it. */
const ATTEMPTS_PER_LEASE = 6;
/** An answer that takes longer is not coming: the service itself gives up after less. In milliseconds. */
export const ANSWER_LIMIT_MS = 5_000;
/** Between attempts, in milliseconds: as long as the lease allows, so that a service that comes back is not run over. */
const MIN_PAUSE_MS = 50;
const MAX_PAUSE_MS = 10_000;
const RELEASE_ATTEMPTS = 3;

export type ReleaseOutcome = { kind: 'released' } | { kind: 'lost' } | { kind: 'failed'; why: string };

/**
 * A lock that was granted to us: renews and releases it by its fence, and knows until when it is surely held. That is the length of the
 * lease, by our own monotonic clock, from before the request was sent that began or extended it: the service's lease ends later than
 * that, never earlier, whatever the clocks of the two machines show.
 */
export class HeldLock {
  private provenUntil: number;

  /** @param askedAt `performance.now()` from before the earliest request that can have brought the grant */
  constructor(
    private readonly client: LockClient,
    readonly resource: string,
    private readonly owner: string,
    readonly fence: string,
    private readonly ttlMs: number,
    askedAt: number,
    private readonly say: (line: string) => void,
  ) {
    this.provenUntil = askedAt + ttlMs;
  }

  /**
   * A grant that came after a long wait, or that repeats one whose answer got lost, says little about how much of the lease is left. So
   * it is renewed before anybody relies on it.
   *
   * @returns null when surely held, or when the signal was aborted; else why it is not
   */
  async makeSure(signal: AbortSignal): Promise<string | null> {
    const now = performance.now();
    return this.provenUntil - now > (this.ttlMs * 2) / 3 ? null : this.renew(now + this.ttlMs, signal);
  }

  /** Renews at every third of the lease. Resolves with why the lock is lost, or with null when the signal was aborted. */
  async keep(signal: AbortSignal): Promise<string | null> {
    while (await pause(this.provenUntil - (this.ttlMs * 2) / 3 - performance.now(), signal)) {
      const whyLost = await this.renew(this.provenUntil, signal);
      if (whyLost !== null) return whyLost;
    }
    return null;
  }

  /** Never throws: whether it worked changes nothing for who had the lock. */
  async release(): Promise<ReleaseOutcome> {
    let why = '';
    for (let attempt = 1; attempt <= RELEASE_ATTEMPTS; attempt++) {
      try {
        const answer = await this.client.release(this.resource, this.fence, { timeoutMs: ANSWER_LIMIT_MS / 2 });
        if (answer.status === 204) return { kind: 'released' };
        if (['lock-not-held', 'lock-held-by-other'].includes(problemOf(answer) ?? '')) {
          // An attempt whose answer got lost may have released it.
          return { kind: attempt === 1 ? 'lost' : 'released' };
        }
        why = describeAnswer(answer);
        if (answer.status < 500 && answer.status !== 429) break;
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        why = error.message;
      }
      if (attempt < RELEASE_ATTEMPTS) await pause(MIN_PAUSE_MS * 4 ** attempt, new AbortController().signal);
    }
    return { kind: 'failed', why };
  }

  /** Tries until it works, the service says that the lock is gone, or the deadline (of `performance.now()`) passes. */
  private async renew(deadline: number, signal: AbortSignal): Promise<string | null> {
    let failure: string | null = null;
    while (!signal.aborted) {
      const sentAt = performance.now();
      const left = deadline - sentAt;
      if (left <= 0) {
        return `could not be renewed before its lease ended${failure === null ? '' : `: ${failure}`}`;
      }
      const timeoutMs = Math.ceil(
        Math.min(left, Math.max(this.ttlMs / ATTEMPTS_PER_LEASE, MIN_PAUSE_MS), ANSWER_LIMIT_MS),
      );
      let retryAfterMs: number | null = null;
      let why: string;
      try {
        const { resource, owner, fence, ttlMs } = this;
        const answer = await this.client.renew(resource, { owner, fence, ttlMs }, { timeoutMs, signal });
        // Anything may answer 200 at a wrong address; only the lock itself repeats the fence.
        if (answer.status === 200 && answer.json['fence'] === fence) {
          this.provenUntil = sentAt + ttlMs;
          if (failure !== null) this.say(`${resource} is renewed again`);
          return null;
        }
        if (answer.status === 409) return 'is lost: it expired, was released by force, or was taken';
        ({ retryAfterMs } = answer);
        why = describeAnswer(answer);
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        why = error.message;
      }
      if (signal.aborted) return null;
      const rest = deadline - performance.now();
      if (failure === null && rest > 0) {
        this.say(`${this.resource} could not be renewed, trying again for ${formatDuration(rest)}: ${why}`);
      }
      failure = why;
      const ordinary = Math.min(Math.max(this.ttlMs / 20, MIN_PAUSE_MS), MAX_PAUSE_MS);
      // A wait longer than the lease lasts would lose it unasked, so half of what is left is the most.
      await pause(Math.min(Math.max(retryAfterMs ?? 0, ordinary), Math.max(rest / 2, MIN_PAUSE_MS), rest), signal);
    }
    return null;
  }
}
