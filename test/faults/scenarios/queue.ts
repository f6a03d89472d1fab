import { checkFifo } from '../checkers/fifo';
import { checkMutex } from '../checkers/mutex';
import { type Context, type FaultTest } from '../harness/context';
import { Deployment } from '../harness/deployment';
import { type JournalRow, digestOf, toJournal } from '../harness/journal';
import { LockClient } from '../harness/lock-client';
import { LockLoad } from '../harness/lock-load';
import { stoodStillBetween, until } from '../harness/wait';

const microseconds = (text: string): number => Date.parse(`${text.slice(0, 19)}Z`) * 1000 + Number(text.slice(20, 26));

/** How long it is from one moment of the database's clock, which is this machine's, to another, but for when all stood still. */
const awake = (from: number, to: number): number => {
  const here = (at: number): number => at / 1000 - performance.timeOrigin;
  return to - from - 1000 * stoodStillBetween(here(from), here(to));
};

/** The longest that a lock was free while somebody waited for it, by the database's clock, in milliseconds. */
function longestIdle(rows: readonly JournalRow[], resource: string): number {
  const digest = digestOf(resource);
  const line = new Set<string>();
  let freeSince: number | null = null;
  let longest = 0;
  for (const { digest: of, kind, ticket, at, granted_at: grantedAt } of rows) {
    if (of !== digest) continue;
    if (kind === 'ticket') line.add(ticket!);
    if (kind === 'gone') line.delete(ticket!);
    // A line that formed on a free lock, or one that was left by all, starts the clock anew.
    if (kind === 'release') freeSince = line.size > 0 ? microseconds(at) : null;
    if (kind === 'grant') {
      if (freeSince !== null) longest = Math.max(longest, awake(freeSince, microseconds(grantedAt!)));
      freeSince = null;
    }
  }
  return longest / 1000;
}

interface Crowd {
  readonly waiters: number;
  /** Clients that only try. */
  readonly triers: number;
  /** Rest of a waiter after each turn; 0 keeps the line full, more lets it form and dissolve. */
  readonly restMs: number;
  /** How long whoever gets it keeps it. */
  readonly holdMs: number;
}

const FULL_LINE: Crowd = { waiters: 64, triers: 4, restMs: 0, holdMs: 0 };
const CHANGING_LINE: Crowd = { waiters: 4, triers: 12, restMs: 40, holdMs: 8 };

/** Waiters in line over three replicas, and others beside them that only try. */
async function crowd(
  context: Context,
  grantsWanted: number,
  { waiters: count, triers, restMs, holdMs }: Crowd,
): Promise<void> {
  const { findings, random } = context;
  const deployment = await Deployment.start(await context.cluster(), context.build);
  const resource = 'queued';
  const waiters = new LockLoad(deployment.replicas, [resource], count, random.fork('waiters'), {
    ttlMs: 30_000,
    holdMs,
    waitMs: 60_000,
    grants: grantsWanted,
    restMs,
  });
  const tries = new LockLoad(
    deployment.replicas,
    [resource],
    triers,
    random.fork('triers'),
    { ttlMs: 30_000, holdMs, pauseMs: 2 },
    count,
  );
  waiters.start();
  tries.start();
  // A line that is out of order already needs no more proof.
  const isWrong = async (): Promise<boolean> =>
    checkFifo(toJournal(await deployment.journal(), [resource]).events).violations.length > 0;
  let isDone = false;
  const served = waiters.done().finally(() => (isDone = true));
  await until('the line is done', async () => isDone || (restMs > 0 && (await isWrong())), {
    timeoutMs: 1_200_000,
    everyMs: 500,
  });
  const isCutShort = !isDone;
  await Promise.all([waiters.stop(), tries.stop(), served]);
  context.history = [...waiters.grants, ...tries.grants];
  const rows = await deployment.journal();
  await until('no ticket is left', async () => (await deployment.sql('SELECT FROM lease_ticket')).length === 0);
  await deployment.stop();
  const { grants, events } = toJournal(rows, [resource]);
  const { violations, inLine } = checkFifo(events);
  findings.violated('waiters served out of turn', violations);
  if (isCutShort) return;
  findings.atLeast(`grants to ${count} waiters`, waiters.grants.length, grantsWanted);
  findings.violated('fences back, holds that overlap', checkMutex(grants, [...waiters.grants, ...tries.grants]));
  findings.none('waits that ended without the lock', waiters.refused + waiters.unknown);
  findings.atMost('longest that it was free while somebody waited, ms', longestIdle(rows, resource), 1_000);
  if (restMs > 0) {
    findings.atLeast('grants to those who only try, when nobody waited', tries.grants.length, 1);
  } else {
    findings.atLeast('grants by ticket', inLine, grantsWanted * 0.8);
    const ratio = Math.max(...waiters.perClient) / Math.min(...waiters.perClient);
    findings.atMost('most grants of a client by fewest', ratio, 1.5);
  }
}

/** A line that forms and dissolves, so that tries meet it at every moment. */
export const changingLine = (context: Context, grants: number): Promise<void> => crowd(context, grants, CHANGING_LINE);

/** A replica dies with its waiters in front of the line. */
async function deadWaiters(context: Context, rounds: number): Promise<void> {
  const { findings } = context;
  const deployment = await Deployment.start(await context.cluster(), context.build);
  const [first, second, killed] = [deployment.replica(0), deployment.replica(1), deployment.replica(2)];
  const resources = Array.from({ length: rounds }, (_, index) => `inherited-${index}`);
  const lost: number[] = [];
  for (const resource of resources) {
    const clients = Array.from({ length: 7 }, (_, index) => new LockClient(index, () => undefined));
    const [holder, next, ...dying] = clients;
    const held = await holder!.acquire(first, resource, { ttlMs: 120_000 });
    if (held.kind !== 'granted') throw new Error(`${resource} was not free`);
    const tickets = async (): Promise<number> =>
      (await deployment.sql(`SELECT FROM lease_ticket WHERE key_digest = decode($1, 'hex')`, [digestOf(resource)]))
        .length;
    const dead = dying.map((client) => client.acquire(killed, resource, { ttlMs: 120_000, waitMs: 60_000 }));
    await until('they wait', async () => (await tickets()) === dying.length);
    const served = next!.acquire(second, resource, { ttlMs: 120_000, waitMs: 60_000 });
    await until('the next waits', async () => (await tickets()) === dying.length + 1);
    await killed.kill();
    await holder!.release(first, held.grant);
    const { kind } = await served;
    if (kind !== 'granted') throw new Error(`the next in line was answered: ${kind}`);
    lost.push(...(await Promise.all(dead)).map((answer) => Number(answer.kind === 'granted')));
    clients.forEach((client) => client.close());
    if (resource !== resources.at(-1)) await killed.start();
  }
  const rows = await deployment.journal();
  await deployment.stop();
  findings.atLeast('replicas killed with five waiters each', rounds, rounds);
  findings.none('grants to the dead', lost.filter((count) => count > 0).length);
  const waits = resources.map((resource) => longestIdle(rows, resource));
  findings.atMost('longest that the dead delayed the next, ms', Math.max(...waits), 3_000);
}

export const waitingLine: FaultTest = {
  faults: ['F17'],
  title: '64 waiters in line over three replicas, and a replica that dies with its waiters',
  promises: ['P8', 'P9', 'P11'],
  lane: 'load',
  async run(context) {
    await crowd(context, context.times(2_000, 20_000), FULL_LINE);
    await changingLine(context, context.times(200, 2_000));
    await deadWaiters(context, context.times(2, 10));
  },
};
