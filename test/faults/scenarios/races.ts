import { setTimeout as pause } from 'node:timers/promises';
import { checkMutex } from '../checkers/mutex';
import { checkRegisters } from '../checkers/register';
import { checkVersionChain, STORED_REVISIONS, type StoredRevision } from '../checkers/version-chain';
import { type Context, type FaultTest } from '../harness/context';
import { Deployment } from '../harness/deployment';
import { type KeyValueOperation } from '../harness/history';
import { toJournal } from '../harness/journal';
import { KeyValueClient, type Known } from '../harness/key-value-client';
import { LockLoad } from '../harness/lock-load';

const CLIENTS = 64;
/** Tries for one key before the race goes on with the next, so that the search through its history stays short. */
const TRIES_PER_KEY = 2_000;

/**
 * All clients change one key at a time, each on condition of the newest state that any of them was told of, so that nearly all name the
 * same entity tag.
 */
async function raceForKeys(deployment: Deployment, tries: number): Promise<KeyValueOperation[]> {
  const history: KeyValueOperation[] = [];
  for (let round = 0; history.length < tries; round++) {
    const key = `raced-${round}`;
    const goal = Math.min(tries, history.length + TRIES_PER_KEY);
    let newest: Known | null = null;
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, number) => {
        const client = new KeyValueClient(number, (operation) => history.push(operation));
        for (let turn = 0; history.length < goal; turn++) {
          const value = `${number}-${round}-${turn}`;
          const replica = deployment.replica(number + turn);
          const { isDone, etag } =
            newest === null ? await client.create(replica, key, value) : await client.cas(replica, key, newest, value);
          if (isDone) newest = { value, etag: etag! };
          // Whoever made it has not been answered yet.
          else if (newest === null) await new Promise((resolve) => setImmediate(resolve));
        }
        client.close();
      }),
    );
  }
  return history;
}

/**
 * All clients try for one lock; whoever gets it gives it back through another replica.
 *
 * @param isCutShort ends when something is wrong already
 */
export async function raceForLock(context: Context, tries: number, isCutShort = false): Promise<void> {
  const { findings } = context;
  const deployment = await Deployment.start(await context.cluster(), context.build);
  const load = new LockLoad(deployment.replicas, ['raced-lock'], CLIENTS, context.random, {
    ttlMs: 30_000,
    holdMs: 0,
    tries,
  });
  const violationsSoFar = async (): Promise<string[]> =>
    checkMutex(toJournal(await deployment.journal(), load.resources).grants, []);
  let isDone = false;
  load.start();
  const done = load.done().finally(() => (isDone = true));
  while (isCutShort && !isDone && (await violationsSoFar()).length === 0) await pause(500);
  if (isCutShort) await load.stop();
  await done;
  context.history = load.grants;
  const { grants } = toJournal(await deployment.journal(), load.resources);
  await deployment.stop();
  if (!isCutShort) findings.atLeast('tries for one lock', load.tries, tries);
  findings.tell('grants', load.grants.length);
  findings.violated('fences back, holds that overlap', checkMutex(grants, load.grants));
  findings.violated('holders that lost it while they held it', load.lostHolds);
}

export const race: FaultTest = {
  faults: ['F15'],
  title: '64 clients race for one key, and for one lock, over three replicas',
  promises: ['P4', 'P8', 'P9'],
  lane: 'load',
  async run(context) {
    await raceForKey(context, context.times(40_000, 400_000));
    await raceForLock(context, context.times(60_000, 600_000));
  },
};

export async function raceForKey(context: Context, tries: number): Promise<void> {
  const { findings } = context;
  const deployment = await Deployment.start(await context.cluster(), context.build);
  const history = await raceForKeys(deployment, tries);
  const stored = await deployment.sql<StoredRevision>(STORED_REVISIONS);
  await deployment.stop();
  context.history = history;
  const chain = checkVersionChain(history, stored);
  const verdicts = checkRegisters(history);
  findings.atLeast('conditional writes of one key at a time', history.length, tries);
  findings.tell('of these succeeded', chain.acknowledged);
  findings.none('keys undecided', verdicts.filter(({ verdict }) => verdict === 'undecided').length);
  findings.violated('violations of the version chain', chain.violations);
  findings.violated(
    'keys whose history no register has',
    verdicts.filter(({ verdict }) => verdict === 'violation').map(({ key, at }) => `${key}: ${at}`),
  );
}

/** Nobody gives a lock back: it goes on when the lease is over, by the database's clock and not a microsecond before. */
export const expiry: FaultTest = {
  faults: ['F16'],
  title: 'leases of 15 to 50 ms that only time ends',
  promises: ['P8', 'P9', 'P10'],
  lane: 'load',
  async run(context) {
    const { findings } = context;
    const wanted = context.times(2_000, 20_000);
    const resources = Array.from({ length: 12 }, (_, index) => `expiring-${index}`);
    const deployment = await Deployment.start(await context.cluster(), context.build);
    const load = new LockLoad(deployment.replicas, resources, 24, context.random, {
      ttlMs: (random) => 15 + random.below(36),
      holdMs: null,
      grants: wanted,
    });
    load.start();
    await load.done();
    context.history = load.grants;
    const { grants } = toJournal(await deployment.journal(), resources);
    await deployment.stop();
    findings.atLeast('grants', grants.length, wanted);
    findings.violated('holds that overlap by [granted_at, expires_at), fences back', checkMutex(grants, load.grants));
  },
};
