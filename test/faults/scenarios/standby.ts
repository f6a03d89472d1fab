import { checkMutex } from '../checkers/mutex';
import { checkRegisters } from '../checkers/register';
import { checkVersionChain, STORED_REVISIONS, type StoredRevision } from '../checkers/version-chain';
import { type Context, type FaultTest } from '../harness/context';
import { Cluster } from '../harness/cluster';
import { Deployment } from '../harness/deployment';
import { type KeyValueOperation } from '../harness/history';
import { type JournalRow, READ_JOURNAL, toJournal } from '../harness/journal';
import { KeyValueClient } from '../harness/key-value-client';
import { KeyValueLoad } from '../harness/key-value-load';
import { LockLoad } from '../harness/lock-load';
import { type Replica } from '../harness/replica';
import { type Target } from '../harness/target';
import { now, until } from '../harness/wait';

/** One server acknowledges a commit when the other one has applied it. */
const STRICT = { synchronous_standby_names: 'standby', synchronous_commit: 'remote_apply' };

/** Writes that are held back; one that slipped through would be a defect. */
const HELD_BACK = 10;

interface Totals {
  acknowledged: number;
  lost: number;
  undecided: number;
  grants: number;
  slowestFirstWrite: number;
  sentWhilePaused: number;
  acknowledgedWhilePaused: number;
  deniedWhilePaused: number;
  slowestWhilePaused: number;
  waitsCancelled: number;
  readOnlyTurns: number;
  ends: number;
  readonly violations: string[];
}

/** One pair of servers and three replicas, from the first write to what is left after the failover. */
async function failOver(context: Context, round: number, writes: number, totals: Totals): Promise<void> {
  const random = context.random.fork(round);
  const primary = await Cluster.create();
  const standby = await primary.makeStandby('standby', STRICT);
  // Both hosts, as an operator writes them: the writable one has to be found among them.
  const deployment = await Deployment.start(primary, context.build, {
    url: (database) => primary.url(database).replace(/@([^/]+)/, `@$1,127.0.0.1:${standby.port}`),
  });
  const { replicas, database } = deployment;
  const keys = Array.from({ length: Math.max(8, Math.ceil(writes / 1_500)) }, (_, index) => `failover-${index}`);
  const load = new KeyValueLoad(replicas, keys, random.fork('load'), 0);
  const locks = new LockLoad(replicas, ['failover-0', 'failover-1'], 4, random.fork('locks'), {
    ttlMs: 1_000,
    holdMs: 20,
  });
  const goOn = async (what: string, count: number): Promise<void> => {
    const goal = load.acknowledgedWrites + count;
    await load.whileRunning(until(what, () => load.acknowledgedWrites >= goal, { timeoutMs: 600_000 }));
  };
  load.start();
  locks.start();
  const paused: KeyValueOperation[] = [];
  try {
    await goOn('writes go on', writes / 2);
    await stopStandby(primary, standby, replicas[0]!, paused, totals);
    await goOn('writes go on behind the pause', 100);

    await primary.kill();
    await standby.promote();
    const promotedAt = now();
    await goOn('the first write', 1);
    totals.slowestFirstWrite = Math.max(totals.slowestFirstWrite, now() - promotedAt);

    // The old primary comes back as a server that takes no writes; connections made anew must pass it by.
    await primary.follow(standby, 'standby');
    await primary.start();
    await standby.sql(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()',
      [database],
    );
    await goOn('writes pass the old primary by', 100);

    await turnReadOnly(standby, replicas);
    totals.readOnlyTurns++;
    const left = writes - load.acknowledgedWrites;
    if (left > 0) await goOn('enough writes', left);
  } finally {
    standby.signalAll('SIGCONT');
    await load.stop();
    await locks.stop();
  }
  context.history = [...load.history, ...locks.grants];
  const stored = await standby.sql<StoredRevision>(STORED_REVISIONS, [], database);
  const journal = toJournal(await standby.sql<JournalRow>(READ_JOURNAL, [], database), locks.resources);
  totals.ends += deployment.unexpectedEnds;
  await Promise.all(replicas.map((replica) => replica.kill()));
  await standby.kill();
  await primary.kill();

  const chain = checkVersionChain([...load.history, ...paused], stored);
  const verdicts = checkRegisters(load.history);
  totals.acknowledged += chain.acknowledged;
  totals.lost += chain.lost;
  totals.grants += locks.grants.length;
  totals.undecided += verdicts.filter(({ verdict }) => verdict === 'undecided').length;
  totals.violations.push(
    ...chain.violations,
    ...verdicts.filter(({ verdict }) => verdict === 'violation').map(({ key, at }) => `${key}: ${at}`),
    ...checkMutex(journal.grants, locks.grants),
  );
}

/** Sends writes while the standby confirms nothing. None may be acknowledged, none be denied. */
async function stopStandby(
  primary: Cluster,
  standby: Cluster,
  replica: Target,
  history: KeyValueOperation[],
  totals: Totals,
): Promise<void> {
  standby.signalAll('SIGSTOP');
  const cancelling = cancelWaits(primary, totals);
  await Promise.all(
    Array.from({ length: HELD_BACK }, async (_, index) => {
      const client = new KeyValueClient(1_000 + index, (operation) => history.push(operation));
      const startedAt = now();
      const { outcome } = await client.put(replica, `paused-${index}`, `paused-${index}-${startedAt}`);
      totals.slowestWhilePaused = Math.max(totals.slowestWhilePaused, now() - startedAt);
      totals.sentWhilePaused++;
      if (outcome === 'ok') totals.acknowledgedWhilePaused++;
      if (outcome === 'fail') totals.deniedWhilePaused++;
      client.close();
    }),
  );
  await cancelling;
  standby.signalAll('SIGCONT');
}

/** An impatient administrator's doing: the server then calls a success what the standby has not confirmed. */
async function cancelWaits(primary: Cluster, totals: Totals): Promise<void> {
  await until('commits that wait for the standby were cancelled', async () => {
    const cancelled = await primary.sql<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pg_cancel_backend(pid) LIMIT 3`,
    );
    totals.waitsCancelled += cancelled.length;
    return cancelled.length > 0;
  });
}

/** A server that turns read-only answers 25006: nothing is ready then, and everything once it takes writes again. */
async function turnReadOnly(server: Cluster, replicas: readonly Replica[]): Promise<void> {
  const admin = await server.connect();
  await admin.query('SET default_transaction_read_only = off');
  await admin.query('ALTER SYSTEM SET default_transaction_read_only = on');
  await admin.query('SELECT pg_reload_conf()');
  await until('no replica is ready', async () => {
    const statuses = await Promise.all(replicas.map((replica) => replica.status('/readyz')));
    return statuses.every((status) => status === 503);
  });
  await admin.query('ALTER SYSTEM RESET default_transaction_read_only');
  await admin.query('SELECT pg_reload_conf()');
  await admin.end();
  await Promise.all(replicas.map((replica) => replica.ready()));
}

export const failover: FaultTest = {
  faults: ['F3', 'F4'],
  title: 'synchronous standby stopped for a while, then promoted after the primary was killed',
  promises: ['P2', 'P3', 'P9', 'P13', 'P16'],
  lane: 'light',
  async run(context) {
    const { findings } = context;
    const rounds = context.times(1, 10);
    const writes = 10_000;
    const totals: Totals = {
      acknowledged: 0,
      lost: 0,
      undecided: 0,
      grants: 0,
      slowestFirstWrite: 0,
      sentWhilePaused: 0,
      acknowledgedWhilePaused: 0,
      deniedWhilePaused: 0,
      slowestWhilePaused: 0,
      waitsCancelled: 0,
      readOnlyTurns: 0,
      ends: 0,
      violations: [],
    };
    for (let round = 0; round < rounds; round++) await failOver(context, round, writes, totals);
    findings.atLeast('primaries killed and standbys promoted', rounds, rounds);
    findings.atLeast('acknowledged writes', totals.acknowledged, rounds * writes);
    findings.none('acknowledged writes lost', totals.lost);
    findings.none('keys undecided', totals.undecided);
    findings.violated('fences back, broken chains, keys whose history no register has', totals.violations);
    findings.atLeast('grants of locks', totals.grants, rounds * 50);
    findings.atMost('slowest first write behind the promotion, ms', totals.slowestFirstWrite, 5_000);
    findings.atLeast('writes sent while the standby was stopped', totals.sentWhilePaused, rounds * HELD_BACK);
    findings.atLeast('waits for it that were cancelled', totals.waitsCancelled, rounds);
    findings.none('of these acknowledged', totals.acknowledgedWhilePaused);
    // Those that found no connection free; that they did nothing is looked up in the stored history.
    findings.tell('of these refused before they were sent', totals.deniedWhilePaused);
    findings.atLeast(
      'of these told that the outcome is unknown',
      totals.sentWhilePaused - totals.deniedWhilePaused - totals.acknowledgedWhilePaused,
      1,
    );
    findings.atMost('slowest of these, ms', totals.slowestWhilePaused, 10_000);
    findings.atLeast('servers that turned read-only, and back', totals.readOnlyTurns, rounds);
    findings.none('replicas that ended by themselves', totals.ends);
  },
};
