// How many measurements become one figure.

/** The middle one, or the mean of the two in the middle. */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Median and 99th percentile of milliseconds; 0 where there are none. Sorts what it gets. */
export function percentiles(milliseconds) {
  milliseconds.sort((a, b) => a - b);
  const at = (part) => Number((milliseconds[Math.floor(milliseconds.length * part)] ?? 0).toFixed(3));
  return { p50: at(0.5), p99: at(0.99) };
}
