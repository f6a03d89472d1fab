/** Told now and then how far a transfer is: a verb, the rows done and the rows in all. */
export type Progress = (step: 'compared' | 'written' | 'read', done: number, total: number | null) => void;

/** Runs of this many rows are announced from the start. */
const MANY_ROWS = 10_000;
/** Others once they take this long, and then as often, in milliseconds. */
const QUIET_MS = 2000;

/**
 * Lines for people on a long run, and none on a short one.
 *
 * @param now milliseconds that only go forward
 */
export function progressLines(write: (line: string) => void, now: () => number = () => performance.now()): Progress {
  let last = now();
  let lastStep = '';
  return (step, done, total) => {
    const isNewBigStep = step !== lastStep && (total ?? done) >= MANY_ROWS;
    const isEnd = total !== null && done === total && total >= MANY_ROWS;
    if (!isNewBigStep && !isEnd && now() - last < QUIET_MS) return;
    last = now();
    lastStep = step;
    write(total === null ? `${step} ${done}` : `${step} ${done} of ${total}`);
  };
}
