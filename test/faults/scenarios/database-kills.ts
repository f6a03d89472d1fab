import { type FaultTest } from '../harness/context';
import { checkMutex } from '../checkers/mutex';
import { checkRegisters } from '../checkers/register';
import { checkVersionChain, STORED_REVISIONS, type StoredRevision } from '../checkers/version-chain';
import { Cluster } from '../harness/cluster';
import { Deployment } from '../harness/deployment';
import { toJournal } from '../harness/journal';
import { KeyValueLoad } from '../harness/key-value-load';
import { LockLoad } from '../harness/lock-load';
import { now, until } from '../harness/wait';

/** Every process of PostgreSQL dies at once under load; what it had acknowledged is there when it comes back. */
export const databaseKills: FaultTest = {
  faults: ['F2'],
  title: 'kill -9 of all PostgreSQL processes under load, and restart',
  promises: ['P1', 'P3', 'P9', 'P13', 'P16'],
  lane: 'load',
  async run(context) {
    const { findings, random } = context;
    const cluster = await Cluster.create();
    const deployment = await Deployment.start(cluster, context.build);
    const { replicas } = deployment;
    const writes = context.times(20_000, 200_000);
    const kills = context.times(3, 20);
    const keys = Array.from({ length: Math.max(8, Math.ceil(writes / 1_500)) }, (_, index) => `crash-${index}`);
    const load = new KeyValueLoad(replicas, keys, random.fork('load'), 0);
    const locks = new LockLoad(replicas, ['crash-lock-0', 'crash-lock-1'], 4, random.fork('locks'), {
      ttlMs: 2_000,
      holdMs: 20,
    });
    load.start();
    locks.start();
    let slowestReady = 0;
    try {
      for (let kill = 0; kill < kills; kill++) {
        const wanted = (writes / (kills + 1)) * (kill + 1);
        await load.whileRunning(until('writes go on', () => load.acknowledgedWrites >= wanted, { timeoutMs: 600_000 }));
        await cluster.kill();
        await cluster.start();
        const startedAt = now();
        await Promise.all(replicas.map((replica) => replica.ready()));
        slowestReady = Math.max(slowestReady, now() - startedAt);
      }
      await load.whileRunning(
        until('enough writes', () => load.acknowledgedWrites >= writes, { timeoutMs: 1_200_000 }),
      );
    } finally {
      await load.stop();
      await locks.stop();
    }
    context.history = [...load.history, ...locks.grants];
    const stored = await deployment.sql<StoredRevision>(STORED_REVISIONS);
    const { grants } = toJournal(await deployment.journal(), locks.resources);
    const ends = deployment.unexpectedEnds;
    await deployment.stop();
    await cluster.kill();

    const chain = checkVersionChain(load.history, stored);
    const verdicts = checkRegisters(load.history);
    findings.atLeast('kills of PostgreSQL', kills, kills);
    findings.atLeast('acknowledged writes', chain.acknowledged, writes);
    findings.none('acknowledged writes lost', chain.lost);
    findings.tell('unknown outcomes', load.history.filter(({ outcome }) => outcome === 'unknown').length);
    findings.none('keys undecided', verdicts.filter(({ verdict }) => verdict === 'undecided').length);
    findings.violated(
      'keys whose history no register has',
      verdicts.filter(({ verdict }) => verdict === 'violation').map(({ key, at }) => `${key}: ${at}`),
    );
    findings.violated('violations of the version chain', chain.violations);
    findings.atLeast('grants of locks', locks.grants.length, context.times(100, 1_000));
    findings.violated('fences back, holds that overlap', checkMutex(grants, locks.grants));
    findings.atMost('slowest way back to ready, ms after PostgreSQL took connections', slowestReady, 5_000);
    findings.none('replicas that ended by themselves', ends);
  },
};
