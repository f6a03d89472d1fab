// Runs the load generators, each measurement in a process of its own on the generator's core.
import { json } from 'node:stream/consumers';
import { OTHER_CORE, start } from './machine.mjs';

/** Time for connections, plans and compiled code to settle before anything is counted; no longer than the counting itself. */
const WARM_UP_MS = 1000;

/** @param job see `generator/operations.mjs` @returns `{ perSecond, p50, p99, generatorBusy, failed }`, times in ms */
export const load = (job) => generate('operations', job);

/** @param job see `generator/hot-lock.mjs` */
export const loadHotLock = (job) => generate('hot-lock', job);

async function generate(program, job) {
  const child = start(OTHER_CORE, [process.execPath, `bench/generator/${program}.mjs`]);
  child.stdin.end(JSON.stringify({ warmUpMs: Math.min(WARM_UP_MS, job.seconds * 1000), ...job }));
  return json(child.stdout);
}
