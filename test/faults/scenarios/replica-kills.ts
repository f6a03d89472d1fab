import { type Context, type FaultTest } from '../harness/context';
import { checkRegisters } from '../checkers/register';
import { checkVersionChain, STORED_REVISIONS, type StoredRevision } from '../checkers/version-chain';
import { Deployment } from '../harness/deployment';
import { type KeyValueOperation } from '../harness/history';
import { KeyValueLoad } from '../harness/key-value-load';
import { TcpProxy } from '../harness/tcp-proxy';
import { momentOf, stoodStillBetween, until } from '../harness/wait';

/**
 * A history with one read made stale: it tells a value that was replaced before the read was asked for, which no register does.
 *
 * @param pick which of the reads that can be made so; null when there is none
 */
function withStaleRead(history: readonly KeyValueOperation[], pick: number): KeyValueOperation[] | null {
  const writes = new Map<string, KeyValueOperation[]>();
  for (const operation of history) {
    if (operation.op !== 'put' || operation.outcome !== 'ok') continue;
    const former = writes.get(operation.key);
    if (former) former.push(operation);
    else writes.set(operation.key, [operation]);
  }
  const reads = history.filter(({ op, outcome }) => op === 'get' && outcome === 'ok');
  for (let turn = 0; turn < reads.length; turn++) {
    const read = reads[(pick + turn) % reads.length]!;
    const before = (writes.get(read.key) ?? []).filter(({ ret_ns: ret }) => ret < read.call_ns);
    const old = before.find(({ ret_ns: ret }) => before.some(({ call_ns: call }) => call > ret));
    if (!old || old.args.value === read.value) continue;
    const stale: KeyValueOperation = { ...read, value: old.args.value!, etag: old.etag };
    return history.map((operation) => (operation === read ? stale : operation));
  }
  return null;
}

/** Twenty stale reads, one at a time, in a history of the service's own; each has to be found. */
export async function findInjectedReads(context: Context): Promise<void> {
  const { findings, random } = context;
  const INJECTED = 20;
  const deployment = await Deployment.start(await context.cluster(), context.build);
  const keys = ['register-0', 'register-1', 'register-2', 'register-3'];
  const load = new KeyValueLoad(deployment.replicas, keys, random.fork('load'));
  load.start();
  await load.whileRunning(until('enough operations', () => load.history.length >= 2_000, { timeoutMs: 120_000 }));
  await load.stop();
  await deployment.stop();
  const found: string[] = [];
  for (let round = 0; round < INJECTED; round++) {
    const history = withStaleRead(load.history, random.below(load.history.length));
    const violation = checkRegisters(history ?? []).find(({ verdict }) => verdict === 'violation');
    if (violation) found.push(`${violation.key}: ${violation.at}`);
  }
  // All or nothing: a checker that misses one cannot be relied on.
  findings.violated(`stale reads found of ${INJECTED}`, found.length === INJECTED ? found : []);
}

/** Replicas die under load and connections to the database break, and no client can tell from what it reads. */
export const replicaKills: FaultTest = {
  faults: ['F1', 'F5'],
  title: 'kill -9 of one of three replicas, and cut database connections, under a mixed load',
  promises: ['P1', 'P3', 'P4', 'P5', 'P13'],
  lane: 'load',
  async run(context) {
    const { findings, random } = context;
    const cluster = await context.cluster();
    const proxy = await TcpProxy.start('to the database', cluster.port);
    const deployment = await Deployment.start(cluster, context.build, {
      url: (database, index) => cluster.url(database, index === 2 ? proxy.port : cluster.port),
    });
    const { replicas } = deployment;
    const operations = context.times(20_000, 500_000);
    const kills = context.times(5, 50);
    // Some 1,500 operations for each key, however long the run.
    const keys = Array.from(
      { length: Math.max(8, Math.ceil((operations * 2.2) / 1_500)) },
      (_, index) => `register-${index}`,
    );
    const load = new KeyValueLoad(replicas, keys, random.fork('load'), operations);
    const faulty: { replica: string; from: number; to: number }[] = [];
    load.start();
    let cuts = 0;
    try {
      for (let kill = 0; kill < kills; kill++) {
        const wanted = (operations / (kills + 1)) * (kill + 1);
        await load.whileRunning(until('writes go on', () => load.acknowledgedWrites >= wanted, { timeoutMs: 600_000 }));
        const victim = replicas[kill % replicas.length]!;
        const from = Number(process.hrtime.bigint());
        await victim.kill();
        await load.whileRunning(victim.start());
        faulty.push({ replica: victim.name, from, to: Number(process.hrtime.bigint()) });
        await load.whileRunning(proxy.cutOnce({ direction: random.pick(['up', 'down']), after: random.below(2_000) }));
        cuts++;
      }
      await load.whileRunning(
        until('enough writes', () => load.acknowledgedWrites >= operations, { timeoutMs: 1_200_000 }),
      );
    } finally {
      await load.stop();
    }
    context.history = load.history;
    const stored = await deployment.sql<StoredRevision>(STORED_REVISIONS);
    await deployment.stop();
    proxy.close();

    const verdicts = checkRegisters(load.history);
    const chain = checkVersionChain(load.history, stored);
    const unasked = load.history.filter(
      ({ outcome, replica, call_ns: call, ret_ns: ret }) =>
        outcome !== 'ok' &&
        replica !== 'replica-3' &&
        // Where the whole machine did, whoever waited for the database waited too long.
        stoodStillBetween(momentOf(call), momentOf(ret)) === 0 &&
        !faulty.some((fault) => fault.replica === replica && ret >= fault.from && call <= fault.to),
    );
    findings.atLeast('replicas killed', kills, kills);
    findings.atLeast('database connections cut', cuts, kills);
    findings.atLeast('operations', load.history.length, operations);
    findings.atLeast('acknowledged writes', chain.acknowledged, operations);
    findings.none('acknowledged writes lost', chain.lost);
    findings.tell('unknown outcomes', load.history.filter(({ outcome }) => outcome === 'unknown').length);
    findings.violated(
      'errors of replicas that nothing happened to',
      unasked.map((operation) => JSON.stringify(operation)),
    );
    findings.tell('keys checked', verdicts.length);
    findings.none('keys undecided', verdicts.filter(({ verdict }) => verdict === 'undecided').length);
    findings.violated(
      'keys whose history no register has',
      verdicts.filter(({ verdict }) => verdict === 'violation').map(({ key, at }) => `${key}: ${at}`),
    );
    findings.violated('violations of the version chain', chain.violations);
    // The checker shows on this very history that it would have seen one.
    const injected = withStaleRead(load.history, random.below(load.history.length));
    const seen = checkRegisters(injected ?? []).filter(({ verdict }) => verdict === 'violation').length;
    findings.atLeast('stale reads found of one put into this history', seen, 1);
  },
};
