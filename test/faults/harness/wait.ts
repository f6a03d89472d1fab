import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds of the one clock by which this program measures; it never steps. */
export const now = (): number => performance.now();

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
