import { setTimeout as pause } from 'node:timers/promises';

/** Waits until the condition holds, looking every 20 ms; fails after the given time in milliseconds. */
export async function waitFor(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`still not so after ${timeoutMs} ms: ${condition.toString()}`);
    await pause(20);
  }
}
