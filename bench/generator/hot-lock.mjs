// Clients that all want one lock, hold it for nothing and give it back, over and over.
// Run as a process of its own: the job, `{ way, port, pid, connections, seconds, warmUpMs, waits }`, comes as JSON on standard input, the
// result goes as JSON to standard output. `waits`: they stand in line; else they ask again at once when refused.
import { randomUUID } from 'node:crypto';
import { json } from 'node:stream/consumers';
import { percentiles } from '../statistics.mjs';
import { LOCK_CLIENTS } from './lock-clients.mjs';
import { measure } from './measure.mjs';

const job = await json(process.stdin);
// A lock that the end of a run leaves behind must not be in the way of the next run.
const resource = `bench/${randomUUID()}`;

const counts = { refused: 0, failed: 0 };
const failures = new Set();
const grants = new Array(job.connections).fill(0);
/** From asking the first time to being told that the lock was given back, in ms. */
const pairs = [];
/** From sending a release to the next grant's answer at whichever client, in ms. */
const handOffs = [];
let releasedAt = null;

function fail({ error }) {
  counts.failed++;
  if (failures.size < 3) failures.add(error);
}

/**
 * Longest time for those who still stand in line to be granted the lock and give it back. etcd's gateway keeps the calls of clients that
 * went away and carries a hundred at once: what one run leaves there would block the next.
 */
const DRAIN_MS = 10_000;
let running = job.connections;
let allEnded;
const drained = new Promise((resolve) => (allEnded = resolve));
const end = () => {
  if (--running === 0) allEnded();
};

function startClient(index, clock) {
  const { port, waits } = job;
  const client = LOCK_CLIENTS[job.way]({ port, owner: `client-${index}`, resource, waits });
  let askedAt;
  const begin = () => {
    if (clock.isOver) return end();
    askedAt = performance.now();
    client.lock(onAnswer);
  };
  const onAnswer = (outcome) => {
    if (outcome.isGranted) return onGrant();
    if (clock.isOver) return end();
    if (outcome.error) fail(outcome);
    else if (clock.isCounting) counts.refused++;
    // Where errors come without delay, a loop that never yields would starve the clock.
    if (outcome.error) setImmediate(() => client.lock(onAnswer));
    else client.lock(onAnswer);
  };
  const onGrant = () => {
    const now = performance.now();
    if (clock.isCounting) {
      grants[index]++;
      if (releasedAt !== null) handOffs.push(now - releasedAt);
    }
    releasedAt = now;
    client.unlock((failure) => {
      if (failure) fail(failure);
      else if (clock.isCounting) pairs.push(performance.now() - askedAt);
      begin();
    });
  };
  begin();
}

const { seconds, ...busy } = await measure(job, (clock) => {
  for (let index = 0; index < job.connections; index++) startClient(index, clock);
});
await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, DRAIN_MS))]);
if (failures.size > 0) process.stderr.write(`${job.way}: ${[...failures].join('\n')}\n`);
process.stdout.write(
  JSON.stringify({
    perSecond: Math.round(pairs.length / seconds),
    ...percentiles(pairs),
    ...busy,
    ...counts,
    handOff: percentiles(handOffs),
    fewestGrants: Math.min(...grants),
    mostGrants: Math.max(...grants),
  }),
);
process.exit(0);
