import { setTimeout as pause } from 'node:timers/promises';
import { type Context, type FaultTest } from '../harness/context';
import { Deployment } from '../harness/deployment';
import { HttpConnection } from '../harness/http-connection';
import { KeyValueClient } from '../harness/key-value-client';
import { LockClient } from '../harness/lock-client';
import { TcpProxy } from '../harness/tcp-proxy';
import { now, until } from '../harness/wait';

/** Database connections of one process, as set by default. */
const POOL = 10;
const PUT_HEADERS = { 'content-type': 'application/vnd.microsoft.appconfig.kv+json' };
const put = (connection: HttpConnection, key: string): ReturnType<HttpConnection['send']> =>
  connection.send('PUT', `/kv/${key}?api-version=2023-11-01`, {
    headers: PUT_HEADERS,
    body: JSON.stringify({ value: `${now()}` }),
  });

/** A request that takes a connection for itself: puts that come together share one. */
const list = (connection: HttpConnection, key: string): ReturnType<HttpConnection['send']> =>
  connection.send('GET', `/kv?key=${key}&api-version=2023-11-01`);

/** What the load is made of; requests of a kind share statements. */
const KINDS = ['puts', 'gets', 'polls'] as const;
const kindOf = (index: number): (typeof KINDS)[number] => KINDS[index % KINDS.length]!;
const READ_KEY = 'read';

/** How often something happened to requests of each kind. */
class Tally {
  private readonly counts = { puts: 0, gets: 0, polls: 0 };

  add(index: number): void {
    this.counts[kindOf(index)]++;
  }

  of(kind: (typeof KINDS)[number]): number {
    return this.counts[kind];
  }
}

/**
 * The slowest of what happened in each two of ten seconds. A machine that stands still for a moment makes one of them slow, a service
 * that has slow ones has them all the time.
 */
class Slowest {
  private readonly beganAt = now();
  private readonly times = [0, 0, 0, 0, 0];

  add(startedAt: number): void {
    const time = Math.min(this.times.length - 1, Math.floor((startedAt - this.beganAt) / 2_000));
    this.times[time] = Math.max(this.times[time]!, now() - startedAt);
  }

  get usual(): number {
    return this.times.toSorted((a, b) => a - b)[2]!;
  }

  get ever(): number {
    return Math.max(...this.times);
  }
}

/** Makes what the load reads. @returns the entity tag of the page that is polled, which does not change */
async function prepareReads(connection: HttpConnection): Promise<string> {
  await put(connection, READ_KEY);
  const reply = await list(connection, READ_KEY);
  return (reply.kind === 'answer' && reply.headers.get('etag')) || 'none';
}

function sendOne(connection: HttpConnection, index: number, pageTag: string): ReturnType<HttpConnection['send']> {
  const kind = kindOf(index);
  if (kind === 'puts') return put(connection, `load-${index}`);
  return kind === 'gets'
    ? connection.send('GET', `/kv/${READ_KEY}?api-version=2023-11-01`)
    : connection.send('GET', `/kv?key=${READ_KEY}&api-version=2023-11-01`, { headers: { 'if-none-match': pageTag } });
}

/** The server ends all connections, again and again, while they are in use and while they rest. */
export async function endConnections(context: Context, rounds: number): Promise<void> {
  const { findings } = context;
  const cluster = await context.cluster();
  const deployment = await Deployment.start(cluster, context.build, { replicas: 2 });
  let isOver = false;
  let answers = 0;
  const drive = async (number: number): Promise<void> => {
    const client = new KeyValueClient(number, () => undefined);
    for (let turn = 0; !isOver; turn++) {
      const operation = await client.put(deployment.replica(number + turn), `ended-${number}`, `${number}-${turn}`);
      if (operation.outcome === 'ok') answers++;
    }
    client.close();
  };
  // A waiter, so that the connection that listens is among those that end.
  const locks = [0, 1].map((client) => new LockClient(client, () => undefined));
  const held = await locks[0]!.acquire(deployment.replica(0), 'ended', { ttlMs: 600_000 });
  let isReleased = false;
  // Asks again where the longest wait that there is was too short for what a busy machine took.
  const wait = async (): Promise<string> => {
    for (;;) {
      const isLast = isReleased;
      const { kind } = await locks[1]!.acquire(deployment.replica(1), 'ended', { ttlMs: 600_000, waitMs: 60_000 });
      if (kind !== 'held' || isLast) return kind;
    }
  };
  const waits = wait();
  const load = Promise.all(Array.from({ length: 8 }, (_, number) => drive(number)));
  let ended = 0;
  for (let round = 0; round < rounds; round++) {
    const goal = answers + 20;
    await until('requests are answered', () => answers >= goal);
    if (round === Math.floor(rounds / 2)) {
      isOver = true;
      // From here on all connections rest.
      await load;
      answers = Infinity;
    }
    const rows = await cluster.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()`,
      [deployment.database],
    );
    ended += rows.length;
    await until('ready again', async () => {
      const statuses = await Promise.all(deployment.replicas.map((replica) => replica.status('/readyz')));
      return statuses.every((status) => status === 200);
    });
  }
  if (held.kind === 'granted') await locks[0]!.release(deployment.replica(0), held.grant);
  isReleased = true;
  const served = await waits;
  locks.forEach((client) => client.close());
  const running = deployment.replicas.filter((replica) => replica.isRunning).length;
  const ends = deployment.unexpectedEnds;
  await deployment.stop();
  findings.atLeast('connections ended by the server', ended, rounds * 3);
  findings.violated(
    'processes that ended of it',
    Array.from({ length: ends }, () => 'a replica ended by itself'),
  );
  findings.atLeast('replicas that still run', running, 2);
  findings.atLeast('waiters that were served in the end', served === 'granted' ? 1 : 0, 1);
}

export const endedConnections: FaultTest = {
  faults: ['F22'],
  title: 'every database connection ended by the server, in use and at rest',
  promises: ['P11', 'P16'],
  lane: 'light',
  run: (context) => endConnections(context, context.times(20, 200)),
};

/** All connections of the pool are busy with statements that do not answer. */
export const fullPool: FaultTest = {
  faults: ['F10'],
  title: 'all database connections busy for 10 s',
  promises: ['P14', 'P16'],
  lane: 'light',
  async run(context) {
    const { findings } = context;
    const cluster = await context.cluster();
    const proxy = await TcpProxy.start('to the database', cluster.port);
    const deployment = await Deployment.start(cluster, context.build, {
      replicas: 1,
      url: (database) => cluster.url(database, proxy.port),
    });
    const replica = deployment.replica(0);
    const connections = Array.from({ length: 40 }, () => new HttpConnection(replica.port));
    await Promise.all(connections.map((connection, index) => put(connection, `warm-${index}`)));
    const pageTag = await prepareReads(connections[0]!);
    const [held] = await deployment.sql<{ at: string }>('SELECT clock_timestamp()::text AS at');
    proxy.hold('down');
    const busy = connections.slice(0, POOL).map((connection, index) => list(connection, `busy-${index}`));
    // Those that the pool has; any further one is not opened while nothing comes through.
    await until('no connection rests', async () => {
      const resting = await deployment.sql(
        `SELECT FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'latchkey' AND query_start <= $1`,
        [held!.at],
      );
      return resting.length === 0;
    });
    const refused = new Tally();
    const refusals = new Slowest();
    const health = new Slowest();
    const wrong: string[] = [];
    const untilMs = now() + 10_000;
    const hammer = async (connection: HttpConnection, index: number): Promise<void> => {
      for (let turn = 0; now() < untilMs; turn++) {
        const startedAt = now();
        const reply = await sendOne(connection, index, pageTag);
        if (now() > untilMs) return;
        const text = reply.kind === 'answer' ? `${reply.status}` : reply.reason;
        const isRefusal =
          reply.kind === 'answer' &&
          reply.status === 503 &&
          reply.headers.has('retry-after') &&
          reply.headers.has('retry-after-ms');
        // After 8 s the busy ones are given up, and a place in the pool gets free for one that then is as busy.
        const isUnknown = reply.kind === 'answer' && reply.text.includes('outcome-unknown');
        if (!isRefusal) wrong.push(`${kindOf(index)} while the pool was full: ${text}`);
        else {
          refused.add(index);
          if (!isUnknown) refusals.add(startedAt);
        }
      }
    };
    const alive = async (): Promise<void> => {
      while (now() < untilMs) {
        const startedAt = now();
        const status = await replica.status('/healthz');
        if (status !== 200) wrong.push(`/healthz answered ${status}`);
        health.add(startedAt);
        await pause(100);
      }
    };
    await Promise.all([...connections.slice(10, 20).map(hammer), alive()]);
    proxy.release();
    const releasedAt = now();
    const probe = new HttpConnection(replica.port);
    await until('it serves again', async () => {
      const reply = await put(probe, 'again');
      return reply.kind === 'answer' && reply.status === 200;
    });
    const recoveredMs = now() - releasedAt;
    const late = await Promise.all(busy);
    [...connections, probe].forEach((connection) => connection.close());
    const ends = deployment.unexpectedEnds;
    await deployment.stop();
    proxy.close();
    for (const kind of KINDS) findings.atLeast(`${kind} refused with 503 and when to come again`, refused.of(kind), 15);
    findings.violated('other answers', wrong);
    // 500 ms of waiting for a connection, and what a busy machine adds.
    findings.atMost('slowest refusal, ms (median of five times)', refusals.usual, 1_500);
    findings.tell('slowest refusal of all, ms', refusals.ever);
    findings.atMost('slowest /healthz, ms (median of five times)', health.usual, 1_000);
    findings.tell('slowest /healthz of all, ms', health.ever);
    findings.none('requests that hung', late.filter((reply) => reply.kind !== 'answer').length);
    findings.atMost('serves again after, ms', recoveredMs, 2_000);
    findings.none('replicas that ended by themselves', ends);
  },
};

/** Each packet from and to the database takes its time. */
export const slowDatabase: FaultTest = {
  faults: ['F9'],
  title: 'database slow by 200 ms, then by 2 s',
  promises: ['P14'],
  lane: 'light',
  async run(context) {
    const { findings } = context;
    const cluster = await context.cluster();
    const proxy = await TcpProxy.start('to the database', cluster.port);
    const deployment = await Deployment.start(cluster, context.build, {
      replicas: 1,
      url: (database) => cluster.url(database, proxy.port),
    });
    const replica = deployment.replica(0);
    const wrong: string[] = [];
    // A little more than the pool is to hold, and little of that is open: opening takes longer than a request may wait for a busy pool.
    proxy.delayMs = 100;
    const first = Array.from({ length: 16 }, () => new HttpConnection(replica.port));
    const openBefore = proxy.connections;
    const firstReplies = await Promise.all(first.map((connection, index) => list(connection, `first-${index}`)));
    first.forEach((connection) => connection.close());
    findings.tell('+200 ms, small pool: connections before', openBefore);
    findings.atLeast('+200 ms, small pool: connections it grew by', proxy.connections - openBefore, POOL - openBefore);
    findings.violated(
      '+200 ms, small pool: requests that were not served',
      firstReplies.flatMap((reply) =>
        reply.kind !== 'answer' ? [reply.reason] : reply.status === 200 ? [] : [`${reply.status} ${reply.text}`],
      ),
    );
    const reader = new HttpConnection(replica.port);
    const pageTag = await prepareReads(reader);
    reader.close();
    for (const delayMs of [200, 2_000]) {
      proxy.delayMs = delayMs / 2;
      await replica.vitals();
      const untilMs = now() + context.times(15_000, 30_000);
      const served = new Tally();
      const refused = new Tally();
      let slowest = 0;
      await Promise.all(
        Array.from({ length: 64 }, async (_, index) => {
          const connection = new HttpConnection(replica.port);
          while (now() < untilMs) {
            const startedAt = now();
            const reply = await sendOne(connection, index, pageTag);
            slowest = Math.max(slowest, now() - startedAt);
            if (reply.kind !== 'answer') wrong.push(`at +${delayMs} ms: ${reply.reason}`);
            else if (reply.status === (kindOf(index) === 'polls' ? 304 : 200)) served.add(index);
            else if (reply.status === 503 && reply.headers.has('retry-after')) {
              refused.add(index);
              await pause(Number(reply.headers.get('retry-after-ms') ?? 500));
            } else wrong.push(`at +${delayMs} ms, ${kindOf(index)}: ${reply.status} ${reply.text}`);
          }
          connection.close();
        }),
      );
      const { loopDelayP99Ms } = await replica.vitals();
      for (const kind of KINDS) {
        findings.atLeast(`+${delayMs} ms: ${kind} served`, served.of(kind), 10);
        findings.tell(`+${delayMs} ms: ${kind} refused with Retry-After`, refused.of(kind));
      }
      findings.atMost(`+${delayMs} ms: slowest answer, ms`, slowest, 10_000);
      findings.atMost(`+${delayMs} ms: event-loop delay p99, ms`, loopDelayP99Ms, 100);
    }
    const ends = deployment.unexpectedEnds;
    await deployment.stop();
    proxy.close();
    findings.violated('other answers', wrong);
    findings.none('replicas that ended by themselves', ends);
  },
};
