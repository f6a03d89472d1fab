import { setTimeout as pause } from 'node:timers/promises';

/** How often this program looks whether it runs, in milliseconds. */
const LOOK_EVERY_MS = 20;
/** What it has to miss to have stood still: less is what a busy processor does. */
const STANDSTILL_MS = 250;

const standstills: { readonly from: number; readonly to: number }[] = [];
let lastLook = performance.now();
let stoodStillMs = 0;

function look(): number {
  const at = performance.now();
  if (at - lastLook > STANDSTILL_MS) {
    standstills.push({ from: lastLook, to: at });
    stoodStillMs += at - lastLook;
  }
  lastLook = at;
  return at;
}
setInterval(look, LOOK_EVERY_MS).unref();

/**
 * Milliseconds of the one clock by which this program measures; it never steps. It stands while this program does: a machine that is
 * taken away for a second makes no answer of the service late.
 */
export const now = (): number => look() - stoodStillMs;

const bootedAt = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** The moment of `performance.now()` that a history calls so. */
export const momentOf = (nanoseconds: number): number => nanoseconds / 1e6 - bootedAt;

/** For how long this program stood still between two moments of `performance.now()`. */
export function stoodStillBetween(from: number, to: number): number {
  return standstills.reduce((sum, each) => sum + Math.max(0, Math.min(to, each.to) - Math.max(from, each.from)), 0);
}

/**
 * Waits until the condition holds.
 *
 * @returns how long that took, in milliseconds
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { timeoutMs = 30_000, everyMs = 10 } = {},
): Promise<number> {
  const startedAt = now();
  while (!(await condition())) {
    if (now() - startedAt > timeoutMs) throw new Error(`not so after ${timeoutMs} ms: ${what}`);
    await pause(everyMs);
  }
  return now() - startedAt;
}

/** The promise's value, or an error when it takes longer. */
export async function within<T>(what: string, timeoutMs: number, promise: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = pause(timeoutMs, undefined, { signal: timer.signal }).then(
    () => Promise.reject(new Error(`${what}: not done within ${timeoutMs} ms`)),
    () => undefined as never,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
