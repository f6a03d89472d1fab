import { setTimeout as pause } from 'node:timers/promises';
import { type Context, type FaultTest } from '../harness/context';
import { Deployment } from '../harness/deployment';
import { type KeyValueOperation } from '../harness/history';
import { KeyValueClient } from '../harness/key-value-client';
import { LockClient } from '../harness/lock-client';
import { Replica } from '../harness/replica';
import { now } from '../harness/wait';

const CLIENTS = 8;
/** Notice to load balancers, the grace time, and what a busy machine adds. */
const LONGEST_STOP_MS = 15_000;

/** One after the other gets SIGTERM under load; callers that try once more elsewhere notice nothing. */
export const rollingRestart: FaultTest = {
  faults: ['F18'],
  title: 'rolling SIGTERM of three replicas under load',
  promises: ['P13', 'P15'],
  lane: 'light',
  async run(context) {
    const { findings, random } = context;
    const restarts = context.times(6, 60);
    const deployment = await Deployment.start(await context.cluster(), context.build);
    const { replicas } = deployment;
    const failed: string[] = [];
    let requests = 0;
    let repeated = 0;
    let isOver = false;
    const drive = async (number: number): Promise<void> => {
      const draw = random.fork(number);
      const client = new KeyValueClient(number, () => undefined);
      const locks = new LockClient(number, () => undefined);
      for (let turn = 0; !isOver; turn++) {
        const isLock = number === 0;
        const attempt = async (index: number): Promise<string> => {
          const replica = replicas[index % replicas.length]!;
          if (isLock) {
            const options = { ttlMs: 30_000, idempotencyKey: `${number}-${turn}` };
            const acquired = await locks.acquire(replica, `rolling-${turn}`, options);
            return acquired.kind === 'granted' ? 'ok' : acquired.kind;
          }
          const key = `rolling-${number}`;
          const operation: KeyValueOperation =
            turn % 2 === 0 ? await client.put(replica, key, `${number}-${turn}`) : await client.get(replica, key);
          return operation.outcome;
        };
        const index = draw.below(replicas.length);
        requests++;
        let outcome = await attempt(index);
        if (outcome !== 'ok') {
          repeated++;
          outcome = await attempt(index + 1);
        }
        if (outcome !== 'ok') failed.push(`client ${number}, turn ${turn}: ${outcome}, also from another replica`);
        await pause(3);
      }
      client.close();
      locks.close();
    };
    const waiter = new LockClient(100, () => undefined);
    await waiter.acquire(replicas[0]!, 'held', { ttlMs: 3_600_000 });
    const load = Promise.all(Array.from({ length: CLIENTS }, (_, number) => drive(number)));
    const codes: (number | string)[] = [];
    const parked: string[] = [];
    let slowest = 0;
    for (let restart = 0; restart < restarts; restart++) {
      const victim = replicas[restart % replicas.length]!;
      const waiting = new LockClient(101 + restart, () => undefined);
      const answer = waiting.acquire(victim, 'held', { ttlMs: 1_000, waitMs: 60_000 });
      await pause(100);
      const startedAt = now();
      codes.push(await victim.terminate());
      slowest = Math.max(slowest, now() - startedAt);
      parked.push((await answer).kind);
      waiting.close();
      await victim.start();
      await victim.ready();
    }
    isOver = true;
    await load;
    waiter.close();
    const tickets = await deployment.sql('SELECT FROM lease_ticket');
    await deployment.stop();
    findings.atLeast('restarts', codes.length, restarts);
    findings.none('ends with another exit code than 0', codes.filter((code) => code !== 0).length);
    findings.atMost('slowest end, ms', slowest, LONGEST_STOP_MS);
    findings.atLeast('requests', requests, restarts * 200);
    findings.tell('sent to another replica once more', repeated);
    findings.violated('requests that failed all the same', failed);
    findings.none('parked waiters that were not told 503', parked.filter((kind) => kind !== 'refused').length);
    findings.none('tickets left behind', tickets.length);
  },
};

/**
 * An empty database, and three replicas that all find it so.
 *
 * @param isCutShort ends when something is wrong already
 */
export async function firstStart(context: Context, rounds: number, isCutShort = false): Promise<void> {
  const { findings } = context;
  const cluster = await context.cluster();
  let migrations = 0;
  const wrong: string[] = [];
  for (let round = 0; round < rounds && !(isCutShort && wrong.length > 0); round++) {
    const database = await cluster.newDatabase();
    const replicas = await Promise.all(
      [1, 2, 3].map((number) => Replica.create(`first-${number}`, context.build, cluster.url(database))),
    );
    const starts = await Promise.allSettled(replicas.map((replica) => replica.start()));
    for (const start of starts) {
      if (start.status === 'rejected') wrong.push(`round ${round}: ${String(start.reason).slice(0, 400)}`);
    }
    const statuses = await Promise.all(replicas.map((replica) => replica.status('/readyz')));
    if (statuses.some((status) => status !== 200)) wrong.push(`round ${round}: ready answers ${statuses.join()}`);
    const rows = await cluster
      .sql<{ name: string; times: string }>('SELECT name, count(*) AS times FROM migration GROUP BY name', [], database)
      .catch(() => []);
    migrations = rows.length;
    for (const { name, times } of rows) {
      if (times !== '1') wrong.push(`round ${round}: migration ${name} ran ${times} times`);
    }
    await Promise.all(replicas.map((replica) => replica.kill()));
    await cluster.sql(`DROP DATABASE ${database} WITH (FORCE)`);
  }
  findings.atLeast('rounds of three first starts at once', rounds, rounds);
  findings.atLeast('migrations, each of which ran once', migrations, 1);
  findings.violated('starts that failed, migrations that ran twice', wrong);
}

export const firstStarts: FaultTest = {
  faults: ['F19'],
  title: 'three replicas start at once on an empty database',
  promises: ['P16'],
  lane: 'light',
  run: (context) => firstStart(context, context.times(5, 20)),
};
