import { Random } from '../harness/random';
import { type Point, slope } from './slope';

const SEEDS = Array.from({ length: 100 }, (_, seed) => seed);

/** Near enough to a normal distribution. */
const noise = (random: Random): number => Array.from({ length: 12 }, () => random.next()).reduce((a, b) => a + b) - 6;

/**
 * Memory in MB over minutes, as the long run of F21 samples it: every 5 s, for 6 minutes.
 *
 * @param lasting what part of a deviation is still there in the next sample
 */
function memory(seed: number, leak: number, deviation: number, lasting = 0): Point[] {
  const random = new Random(seed, 'memory');
  let off = 0;
  return Array.from({ length: 72 }, (_, index) => {
    off = lasting * off + Math.sqrt(1 - lasting ** 2) * noise(random);
    return [index / 12, 145 + (leak * index) / 12 + deviation * off];
  });
}

it('is that of a line', () => {
  expect(slope(memory(1, 2, 0))).toBeCloseTo(2);
  expect(slope(memory(1, -0.5, 0))).toBeCloseTo(-0.5);
});

it('finds a leak of 2 MB a minute in noise of 3 MB', () => {
  for (const seed of SEEDS) expect(slope(memory(seed, 2, 3))).toBeGreaterThan(1);
});

it('takes noise of 3 MB for no leak', () => {
  for (const seed of SEEDS) expect(slope(memory(seed, 0, 3))).toBeLessThan(1);
});

it('takes noise for no leak, nor hides one, that lasts for several samples', () => {
  for (const seed of SEEDS) {
    expect(slope(memory(seed, 0, 1, 0.8))).toBeLessThan(1);
    expect(slope(memory(seed, 2, 1, 0.8))).toBeGreaterThan(1);
  }
});

it('is not moved by a few wild samples', () => {
  const points = memory(1, 0, 0).map(([x, y], index): Point => [x, index > 65 ? y + 50 : y]);
  expect(slope(points)).toBeCloseTo(0);
});

it('is unknown, and so within no limit, where there are no two points', () => {
  expect(slope([])).toBeNaN();
  expect(slope([[1, 1]])).toBeNaN();
});
