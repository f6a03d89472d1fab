import { setTimeout as pause } from 'node:timers/promises';
import { OwnTime } from './own-time';

/**
 * Waits until the condition holds, looking every 20 ms; fails after the given time in milliseconds, in which this process really ran. Who
 * promises no time leaves it out: then it is far more than a busy machine needs.
 */
export async function waitFor(condition: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const time = new OwnTime();
  try {
    while (!(await condition())) {
      if (time.ownMs > timeoutMs) throw new Error(`still not so after ${timeoutMs} ms: ${condition.toString()}`);
      await pause(20);
    }
  } finally {
    time.stop();
  }
}
