// All cells in the order in which they are measured: each near what it is set beside.
//
// A cell is `{ id, group, name, on, run, prepare?, needs?, connections?, beside?, floor?, aim?, isYardstick? }`:
// - `on`: the part of the stage that it loads; `run(part, job)` gets that, and `{ connections, seconds, pid }`, and gives `{ perSecond, … }`;
// - `prepare`: what must be there first, done once for all cells that name the same function; gets the part, or what `needs` names;
// - `beside`: ids of the cells whose rates this one's is divided by; `floor` and `aim`: `{ beside, ratio }` at 64 connections;
// - `connections`: where they are others than those that were asked for; `isYardstick`: not ours, or measured for the sake of a ratio.
import { CONTENT_CELLS } from './content.mjs';
import { HOT_LOCK_CELLS } from './hot-lock.mjs';
import { KEY_VALUE_CELLS } from './key-values.mjs';
import { LOCK_CELLS } from './locks.mjs';
import { WORKER_CELLS } from './workers.mjs';
import { YARDSTICK_CELLS } from './yardsticks.mjs';

export const CELLS = [
  ...YARDSTICK_CELLS,
  ...KEY_VALUE_CELLS,
  ...LOCK_CELLS,
  ...HOT_LOCK_CELLS,
  ...CONTENT_CELLS,
  ...WORKER_CELLS,
];
