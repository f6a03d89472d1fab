export type Point = readonly [x: number, y: number];

/**
 * By how much the second of each pair grows for one of the first: the median of what every two points say (Theil and Sen), which a few
 * wild ones do not move.
 */
export function slope(points: readonly Point[]): number {
  const slopes = points
    .flatMap(([x, y], index) => points.slice(index + 1).map((other) => (other[1] - y) / (other[0] - x)))
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const middle = slopes.length / 2;
  return (slopes[Math.ceil(middle) - 1]! + slopes[Math.floor(middle)]!) / 2;
}
