// Clients that do one operation after the other, each as soon as the one before is over.
// Run as a process of its own: the job, `{ way, port, pid, connections, seconds, warmUpMs }` and what the way takes, comes as JSON on
// standard input, the result goes as JSON to standard output.
import { json } from 'node:stream/consumers';
import { percentiles } from '../statistics.mjs';
import { LOCK_CLIENTS, lockAndUnlock } from './lock-clients.mjs';
import { measure } from './measure.mjs';
import { REQUEST_CLIENTS } from './request-clients.mjs';

const job = await json(process.stdin);
const makeClient = REQUEST_CLIENTS[job.way]?.(job) ?? lockAndUnlock(LOCK_CLIENTS[job.way], job);

let failed = 0;
const failures = new Set();
/** Of each operation, in ms. */
const durations = [];

function startClient(index, clock) {
  const operate = makeClient(index);
  let startedAt;
  const begin = () => {
    if (clock.isOver) return;
    startedAt = performance.now();
    operate(onEnd);
  };
  const onEnd = (failure) => {
    if (failure === null) {
      if (clock.isCounting) durations.push(performance.now() - startedAt);
      return begin();
    }
    if (clock.isOver) return;
    failed++;
    if (failures.size < 3) failures.add(failure);
    // Where failures come without delay, a loop that never yields would starve the clock.
    setImmediate(begin);
  };
  begin();
}

const { seconds, ...busy } = await measure(job, (clock) => {
  for (let index = 0; index < job.connections; index++) startClient(index, clock);
});
if (failures.size > 0) process.stderr.write(`${job.way}: ${[...failures].join('\n')}\n`);
const perSecond = Math.round(durations.length / seconds);
process.stdout.write(JSON.stringify({ perSecond, ...percentiles(durations), ...busy, failed }));
process.exit(0);
