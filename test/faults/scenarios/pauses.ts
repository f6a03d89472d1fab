import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { atTheEnd } from '../harness/clean-up';
import { type Context, type FaultTest } from '../harness/context';
import { Deployment } from '../harness/deployment';
import { digestOf } from '../harness/journal';
import { LockClient } from '../harness/lock-client';
import { TcpProxy } from '../harness/tcp-proxy';
import { until, within } from '../harness/wait';

const LOCKS = 10;

/** Waits until a lease is over, as the database sees it. */
const untilOver = (deployment: Deployment, resource: string): Promise<number> =>
  until(`${resource} is over`, async () => {
    const rows = await deployment.sql<{ over: boolean }>(
      `SELECT expires_at <= clock_timestamp() AS over FROM lease WHERE key_digest = decode($1, 'hex')`,
      [digestOf(resource)],
    );
    return rows[0]?.over === true;
  });

interface HolderAnswer {
  readonly kind: string;
  readonly statuses: number[];
  readonly fences: string[];
}

/** A holder as a process of its own, which can be stopped in the middle of its work as a long garbage collection would. */
class Holder {
  private constructor(private readonly child: ChildProcess) {}

  static start(): Holder {
    const child = fork(join(__dirname, '..', 'harness', 'lock-holder.cjs'), [], { execArgv: [] });
    atTheEnd(() => void child.kill('SIGKILL'));
    return new Holder(child);
  }

  async ask(message: object): Promise<HolderAnswer> {
    const answer = once(this.child, 'message');
    this.child.send(message);
    const [told] = (await within('the holder answers', 60_000, answer)) as [HolderAnswer];
    return told;
  }

  signal(name: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
    this.child.kill(name);
  }
}

/** Holders sleep through the end of their leases, and write as if nothing had happened. */
export async function staleHolders(context: Context, rounds: number): Promise<void> {
  const { findings } = context;
  const deployment = await Deployment.start(await context.cluster(), context.build, { replicas: 2 });
  const holder = Holder.start();
  const thief = new LockClient(1, () => undefined);
  const accepted: string[] = [];
  const falls: string[] = [];
  let tried = 0;
  for (let round = 0; round < rounds; round++) {
    const names = Array.from({ length: LOCKS }, (_, index) => `guarded-${round}-${index}`);
    const { statuses: taken, fences } = await holder.ask({
      kind: 'acquire',
      port: deployment.replica(round).port,
      names,
      // Longer than it takes on any machine to take all of them and write once.
      ttlMs: 60_000,
    });
    if (taken.some((status) => status !== 201)) throw new Error(`the holder got: ${taken.join()}`);
    const write = { kind: 'write', port: deployment.replica(round + 1).port, names, fences };
    const { statuses: timely } = await holder.ask({ ...write, value: 'timely' });
    timely.forEach((status, index) => status !== 200 && falls.push(`${names[index]}: a holder's write got ${status}`));
    holder.signal('SIGSTOP');
    // The rest of it goes by at once.
    await deployment.sql(
      `UPDATE lease SET expires_at = clock_timestamp() + interval '50 ms'
        WHERE key_digest IN (SELECT decode(digest, 'hex') FROM unnest($1::text[]) digest)`,
      [names.map(digestOf)],
    );
    for (const [index, name] of names.entries()) {
      await untilOver(deployment, name);
      // Every second lock has another holder by then, the others have none.
      if (index % 2 === 0) await thief.acquire(deployment.replica(index), name, { ttlMs: 60_000 });
    }
    holder.signal('SIGCONT');
    const { statuses: stale } = await holder.ask({ ...write, value: 'stale' });
    tried += stale.length;
    stale.forEach((status, index) => {
      if (status !== 409) accepted.push(`${names[index]}: a write with the fence of a lost lock got ${status}`);
    });
  }
  holder.signal('SIGKILL');
  thief.close();
  const written = await deployment.sql(`SELECT FROM key_value_revision WHERE value = 'stale'`);
  await deployment.stop();
  findings.atLeast('writes with the fence of a lost lock', tried, rounds * LOCKS);
  findings.violated('accepted', accepted);
  findings.none('of these in the history', written.length);
  findings.violated('writes of holders that were refused', falls);
}

export const pausedHolder: FaultTest = {
  faults: ['F6'],
  title: 'a lock holder stopped past the end of its lease writes with its old fence',
  promises: ['P9'],
  lane: 'light',
  run: (context) => staleHolders(context, context.times(2, 20)),
};

/** The database grants, and the replica sleeps before it can say so. */
export async function lateAnswers(context: Context, rounds: number): Promise<void> {
  const { findings } = context;
  const cluster = await context.cluster();
  const proxy = await TcpProxy.start('to the database', cluster.port);
  const deployment = await Deployment.start(cluster, context.build, {
    replicas: 1,
    url: (database) => cluster.url(database, proxy.port),
  });
  const replica = deployment.replica(0);
  const client = new LockClient(0, () => undefined);
  const late: string[] = [];
  let granted = 0;
  for (let round = 0; round < rounds; round++) {
    const resource = `late-${round}`;
    // The connections are open and the statement is known, so that nothing but the grant is on its way.
    await client.acquire(replica, `${resource}-before`, { ttlMs: 1_000 });
    proxy.hold('down');
    const waitMs = round % 2 === 0 ? 0 : 400;
    const answer = client.acquire(replica, resource, { ttlMs: 300, waitMs });
    await until(
      'the database has granted it',
      async () =>
        (
          await deployment.sql(`SELECT FROM lease WHERE key_digest = decode($1, 'hex') AND owner IS NOT NULL`, [
            digestOf(resource),
          ])
        ).length > 0,
    );
    replica.pause();
    proxy.release();
    await untilOver(deployment, resource);
    replica.resume();
    granted++;
    const { kind } = await answer;
    // With time left to wait it may have been granted anew, with a lease that runs.
    const grants = await deployment.sql<{ count: string }>(
      `SELECT count(*) FROM faults_journal WHERE kind = 'grant' AND digest = decode($1, 'hex')`,
      [digestOf(resource)],
    );
    if (kind === 'granted' && grants[0]!.count === '1') late.push(`${resource}: told as a success when it was over`);
  }
  client.close();
  await deployment.stop();
  proxy.close();
  findings.atLeast('grants whose answer came after their end', granted, rounds);
  findings.violated('late successes', late);
}

export const pausedReplica: FaultTest = {
  faults: ['F7'],
  title: 'a replica stopped between a grant and its answer',
  promises: ['P8'],
  lane: 'light',
  run: (context) => lateAnswers(context, context.times(10, 100)),
};
