import { randomUUID } from 'node:crypto';
import { formatDuration } from './duration.js';
import { EXIT, Refusal } from './exit-codes.js';
import { ANSWER_LIMIT_MS, HeldLock } from './held-lock.js';
import { describeAnswer, type LockClient, NoAnswer, type ServiceAnswer } from './lock-client.js';
import { pause } from './pause.js';

/** Longest `waitMs` of one call (native-api.md section 1). */
const MAX_WAIT_PER_CALL_MS = 60_000;
/** A call without an answer is repeated at least this often in all, also when no waiting was asked for. */
const MIN_ATTEMPTS = 3;
const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 2_000;
/** Who waits longer than this is told for whom. In milliseconds. */
const NOTICE_AFTER_MS = 1_000;

export interface AcquireRequest {
  readonly resource: string;
  readonly owner: string;
  readonly ttlMs: number;
  readonly waitMs: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly conflictExitCode: number;
}

/**
 * Gets the lock, waiting in line as long as asked. A wait longer than one call may last is made of several, one after the other.
 *
 * @param signal gives it up
 * @returns null when it was given up
 * @throws Refusal when the lock was not got
 */
export async function acquire(
  client: LockClient,
  request: AcquireRequest,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<HeldLock | null> {
  const giveUpAt = performance.now() + request.waitMs;
  const notice = request.waitMs > NOTICE_AFTER_MS ? setTimeout(() => void tell(), NOTICE_AFTER_MS) : undefined;
  const tell = async (): Promise<void> => {
    const answer = await client.find(request.resource, { timeoutMs: ANSWER_LIMIT_MS, signal }).catch(() => null);
    if (signal.aborted || answer?.status !== 200) return;
    const left = formatDuration(Math.max(0, giveUpAt - performance.now()));
    say(`waiting for ${request.resource}${holderOf(answer.json)} (for at most ${left} more)`);
  };
  try {
    while (!signal.aborted) {
      const lock = await ask(client, request, giveUpAt, signal, say);
      const whyNot = await lock?.makeSure(signal);
      if (lock === null || whyNot === null) return lock;
      if (performance.now() >= giveUpAt) throw notGot(request, `: it was granted, but ${whyNot}`);
      say(`${request.resource} ${whyNot}; asking again`);
    }
    return null;
  } finally {
    clearTimeout(notice);
  }
}

/** Calls until there is a grant. */
async function ask(
  client: LockClient,
  { conflictExitCode, ...request }: AcquireRequest,
  giveUpAt: number,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<HeldLock | null> {
  const { resource, owner, ttlMs, metadata } = request;
  const idempotencyKey = randomUUID();
  /** Since when one of our calls may stand in line, or be granted, without our knowing: the lease may be that old. */
  let unansweredSince: number | null = null;
  let failures = 0;
  while (!signal.aborted) {
    const sentAt = performance.now();
    const waitMs = Math.min(Math.max(0, Math.ceil(giveUpAt - sentAt)), MAX_WAIT_PER_CALL_MS);
    const answer = await client
      .acquire(resource, { owner, ttlMs, waitMs, metadata }, idempotencyKey, {
        timeoutMs: waitMs + ANSWER_LIMIT_MS,
        signal,
      })
      .catch((error: unknown) => {
        if (error instanceof NoAnswer) return error;
        throw error;
      });
    if (signal.aborted && answer instanceof NoAnswer) return null;
    const now = performance.now();
    let pauseMs: number;
    if (answer instanceof NoAnswer || answer.status >= 500) {
      unansweredSince ??= sentAt;
      const why = answer instanceof NoAnswer ? answer.message : describeAnswer(answer);
      if (++failures >= MIN_ATTEMPTS && now >= giveUpAt)
        throw new Refusal(EXIT.failure, `no lock from the service: ${why}`);
      if (failures === MIN_ATTEMPTS)
        say(`no lock from the service, trying for ${formatDuration(giveUpAt - now)} more: ${why}`);
      pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), MAX_PAUSE_MS);
    } else if (answer.status === 201 || answer.status === 200) {
      const { fence } = answer.json;
      if (typeof fence !== 'string') throw new Refusal(EXIT.failure, 'what answers there is not the lock service');
      return new HeldLock(client, resource, owner, fence, ttlMs, unansweredSince ?? sentAt, say);
    } else if (answer.status === 409 || answer.status === 429) {
      failures = 0;
      const isFull = answer.status === 429;
      pauseMs = isFull ? (answer.retryAfterMs ?? NOTICE_AFTER_MS) : pauseAfter(now - sentAt, waitMs);
      // Calling once more before the time that a full line asked for would only make it fuller.
      const isLast = isFull ? now + pauseMs >= giveUpAt : now >= giveUpAt - 1;
      if (isLast) throw notGot({ ...request, conflictExitCode }, causeOf(answer));
    } else throw refusalOf(answer);
    await pause(pauseMs, signal);
  }
  return null;
}

/** A service that sends callers away before their time would be called without end. */
const pauseAfter = (tookMs: number, waitMs: number): number => (tookMs < waitMs ? FIRST_PAUSE_MS : 0);

function notGot({ resource, waitMs, conflictExitCode }: Omit<AcquireRequest, 'metadata'>, cause: string): Refusal {
  const time = waitMs === 0 ? '' : ` within ${formatDuration(waitMs)}`;
  return new Refusal(conflictExitCode, `${resource} was not got${time}${cause}`);
}

function causeOf(answer: ServiceAnswer): string {
  const { lock } = answer.json;
  if (answer.status === 409) return typeof lock === 'object' && lock !== null ? `,${holderOf(lock)}` : '';
  const after = answer.retryAfterMs === null ? '' : `, try again in ${formatDuration(answer.retryAfterMs)}`;
  return `: ${describeAnswer(answer)}${after}`;
}

function holderOf({ owner, grantedAt }: { owner?: unknown; grantedAt?: unknown }): string {
  if (typeof owner !== 'string') return '';
  return ` held by ${owner}${typeof grantedAt === 'string' ? ` since ${grantedAt}` : ''}`;
}

/** For answers that no repeating can change. */
export function refusalOf(answer: ServiceAnswer): Refusal {
  const said = describeAnswer(answer);
  if (answer.status === 401 || answer.status === 403) return new Refusal(EXIT.forbidden, `not allowed: ${said}`);
  return new Refusal(answer.status === 400 ? EXIT.usage : EXIT.failure, `refused by the service: ${said}`);
}
