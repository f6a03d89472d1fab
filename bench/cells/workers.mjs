// Two serving processes against one, both free to use all cores. Where those are two, the load and PostgreSQL need them as well.
import { getCell, putCell, unchangedPageCell } from './key-values.mjs';
import { daprHttpPairCell } from './locks.mjs';

const PATHS = [
  ['get', 'signed GET of one key', getCell],
  ['page-unchanged', 'unchanged page (304)', unchangedPageCell],
  ['put', 'PUT of a new value', putCell],
  ['lock-dapr-http', 'lock + unlock, Dapr HTTP', daprHttpPairCell],
];

export const WORKER_CELLS = PATHS.flatMap(([id, name, cell]) => [
  { ...cell, id: `${id}-workers-1`, name: `${name}, WORKERS=1`, on: 'oneWorker', isYardstick: true },
  {
    ...cell,
    id: `${id}-workers-2`,
    name: `${name}, WORKERS=2`,
    on: 'twoWorkers',
    beside: { oneWorker: `${id}-workers-1` },
  },
]).map((cell) => ({ ...cell, group: 'workers', connections: [64] }));
