/**
 * Least time of many runs, in milliseconds. Only for telling linear work from worse on hostile input: other processes can slow down
 * single runs by any amount, but not all of them, and quadratic work is slow every time.
 */
export function leastTimeMs(work: () => unknown, runs = 20): number {
  let least = Infinity;
  for (let run = 0; run < runs; run++) {
    const startedAt = performance.now();
    work();
    least = Math.min(least, performance.now() - startedAt);
  }
  return least;
}
