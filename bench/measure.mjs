// What the load generators share: when to count, and how to sum up.

/** Time for connections, plans and compiled code to settle before anything is counted. */
const WARM_UP_MS = 1000;

/**
 * Lets the given function start its clients, and says by `clock` when their answers count and when they are to end.
 *
 * @returns the seconds that were counted, and the part of them that this process was busy: near 1 the generator was the limit
 */
export async function measure(seconds, startClients) {
  const clock = { isCounting: false, isOver: false };
  startClients(clock);
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
  clock.isCounting = true;
  const startedAt = performance.now();
  const usedBefore = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  clock.isCounting = false;
  clock.isOver = true;
  const elapsed = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(usedBefore);
  return { seconds: elapsed, busy: Number(((user + system) / 1e6 / elapsed).toFixed(2)) };
}

/** Median and 99th percentile of milliseconds; 0 where there are none. Sorts what it gets. */
export function percentiles(milliseconds) {
  milliseconds.sort((a, b) => a - b);
  const at = (part) => Number((milliseconds[Math.floor(milliseconds.length * part)] ?? 0).toFixed(2));
  return { p50: at(0.5), p99: at(0.99) };
}
