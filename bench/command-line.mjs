// The command line of `npm run bench`, as plain values.
import { parseArgs } from 'node:util';

export const USAGE = `npm run bench -- [options]

  --only NAMES         cells or groups, separated by commas; what stands beside them is measured too
  --list               names all groups and cells, and measures nothing
  --connections LIST   clients at once, up to 256 each (default 1,16,64)
  --rounds N           how often each cell is measured (default 3)
  --seconds S          how long each time (default 4)
  --quick              one round of half a second: shows that everything runs, its figures mean nothing
  --growth             instead of the cells: reads of a store as it grows
  --sizes LIST         its numbers of key-values (default 1000,100000,1000000)
  --markdown           prints the tables as docs/performance.md holds them
  --from FILE          shows results that were written earlier, and measures nothing
`;

/** Content objects are made beforehand, one for each client. */
export const MAX_CONNECTIONS = 256;

/** More than ten million key-values are a hundred million revisions, and names that all have the same length. */
const MAX_SIZE = 10_000_000;

const QUICK = { rounds: '1', seconds: '0.5' };
const USUAL = { rounds: '3', seconds: '4' };

/** Something that was asked for and does not exist; its message is all there is to say. */
export class UsageError extends Error {}

/** @throws UsageError, or what node's own parser throws */
export function parseCommandLine(args) {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string' },
      list: { type: 'boolean', default: false },
      connections: { type: 'string', default: '1,16,64' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      growth: { type: 'boolean', default: false },
      sizes: { type: 'string', default: '1000,100000,1000000' },
      quick: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      from: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const lengths = values.quick ? QUICK : USUAL;
  return {
    ...values,
    only: values.only?.split(',') ?? null,
    connections: connectionCounts(values.connections),
    sizes: storeSizes(values.sizes),
    rounds: wholeNumber('--rounds', values.rounds ?? lengths.rounds),
    seconds: positive('--seconds', values.seconds ?? lengths.seconds),
  };
}

function connectionCounts(list) {
  const counts = list.split(',').map((text) => wholeNumber('--connections', text));
  if (Math.max(...counts) > MAX_CONNECTIONS) throw new UsageError(`--connections takes up to ${MAX_CONNECTIONS}`);
  return counts;
}

function storeSizes(list) {
  const sizes = list.split(',').map((text) => wholeNumber('--sizes', text));
  if (sizes.every((size) => size % 1000 === 0 && size <= MAX_SIZE)) return sizes.sort((a, b) => a - b);
  throw new UsageError(`--sizes takes multiples of 1000 up to ${MAX_SIZE}`);
}

function positive(name, text) {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number) && number > 0) return number;
  throw new UsageError(`${name} takes numbers above 0`);
}

function wholeNumber(name, text) {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new UsageError(`${name} takes whole numbers above 0`);
}

/**
 * The cells to measure: those named, by themselves or by their group, and whatever stands beside them.
 *
 * @throws UsageError when a name is none
 */
export function chooseCells(cells, only) {
  if (only === null) return cells;
  for (const name of only) {
    if (!cells.some(({ id, group }) => id === name || group === name)) {
      throw new UsageError(`--only: there is no ${name}; --list names what there is`);
    }
  }
  const wanted = cells.filter(({ id, group }) => only.includes(id) || only.includes(group));
  const beside = new Set(wanted.flatMap((cell) => Object.values(cell.beside ?? {})));
  return cells.filter((cell) => wanted.includes(cell) || beside.has(cell.id));
}
