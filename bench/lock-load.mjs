// Clients that take a lock, hold it for nothing and give it back, over and over.
// Run as a process of its own: `node lock-load.mjs WAY PORT CLIENTS SECONDS own|hot|hot-waiting`. `own`: each client has a lock of its
// own; `hot`: all want the same one and ask again at once when refused; `hot-waiting`: all want the same one and wait for it.
import { randomUUID } from 'node:crypto';
import { LOCK_CLIENTS } from './lock-clients.mjs';
import { measure, percentiles } from './measure.mjs';

const [way, port, clients, seconds, contention] = process.argv.slice(2);
// A lock that the end of a run leaves behind must not be in the way of the next run.
const run = randomUUID();

const counts = { refused: 0, failed: 0 };
const failures = new Set();
const grants = new Array(Number(clients)).fill(0);
/** From asking the first time to being told that the lock was given back, in ms. */
const pairs = [];
/** From sending a release to the next grant's answer at whichever client, in ms; meaningful for a hot lock only. */
const handOffs = [];
let releasedAt = null;

function fail({ error }) {
  counts.failed++;
  if (failures.size < 3) failures.add(error);
}

function startClient(index, clock) {
  const client = LOCK_CLIENTS[way]({
    port: Number(port),
    owner: `client-${index}`,
    resource: contention === 'own' ? `bench/${run}/${index}` : `bench/${run}`,
    waits: contention === 'hot-waiting',
  });
  let askedAt;
  const begin = () => {
    if (clock.isOver) return;
    askedAt = performance.now();
    client.lock(onAnswer);
  };
  const onAnswer = (outcome) => {
    if (outcome.isGranted) return onGrant();
    if (clock.isOver) return;
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

const elapsed = await measure(Number(seconds), (clock) => {
  for (let index = 0; index < Number(clients); index++) startClient(index, clock);
});
if (failures.size > 0) process.stderr.write(`${way} ${contention}: ${[...failures].join('\n')}\n`);
process.stdout.write(
  JSON.stringify({
    perSecond: Math.round(pairs.length / elapsed.seconds),
    generatorBusy: elapsed.busy,
    ...counts,
    ...percentiles(pairs),
    ...(contention === 'own'
      ? {}
      : { handOff: percentiles(handOffs), fewestGrants: Math.min(...grants), mostGrants: Math.max(...grants) }),
  }),
);
process.exit(0);
