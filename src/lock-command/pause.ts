import { setTimeout as sleep } from 'node:timers/promises';

/** Waits. False when the signal ended it early. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(Math.max(0, milliseconds), undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
