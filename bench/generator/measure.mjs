// What the load generators share: when to count, and how busy they were.

import { readFileSync } from 'node:fs';

/** What `/proc` counts processor time in. */
const TICKS_PER_SECOND = 100;

/**
 * Lets the given function start its clients, and says by `clock` when their answers count and when they are to end.
 *
 * @param job `warmUpMs`: for connections, plans and compiled code to settle before anything is counted; `pid`: the server's process
 * @returns the seconds that were counted, and the part of them that this process and the server's were busy: a generator near 1 was the
 *   limit itself; a server far from 1 waited, for its storage or for a core that others used
 */
export async function measure({ seconds, warmUpMs, pid }, startClients) {
  const clock = { isCounting: false, isOver: false };
  startClients(clock);
  await new Promise((resolve) => setTimeout(resolve, warmUpMs));
  clock.isCounting = true;
  const startedAt = performance.now();
  const usedBefore = process.cpuUsage();
  const serverBefore = processorSeconds(pid);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  clock.isCounting = false;
  clock.isOver = true;
  const elapsed = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(usedBefore);
  const server = processorSeconds(pid) - serverBefore;
  return {
    seconds: elapsed,
    generatorBusy: Number(((user + system) / 1e6 / elapsed).toFixed(2)),
    serverBusy: Number.isNaN(server) ? null : Number((server / elapsed).toFixed(3)),
  };
}

/** Processor time of a process so far, without its children's; NaN where the system does not tell. */
function processorSeconds(pid) {
  try {
    const [utime, stime] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13);
    return (Number(utime) + Number(stime)) / TICKS_PER_SECOND;
  } catch {
    return NaN;
  }
}
