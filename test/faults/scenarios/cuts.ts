import { checkVersionChain, STORED_REVISIONS, type StoredRevision } from '../checkers/version-chain';
import { type Context, type FaultTest } from '../harness/context';
import { Deployment } from '../harness/deployment';
import { type GrantOperation, type KeyValueOperation } from '../harness/history';
import { KeyValueClient, type Known } from '../harness/key-value-client';
import { LockClient } from '../harness/lock-client';
import { type Cut, TcpProxy } from '../harness/tcp-proxy';
import { type Target } from '../harness/target';
import { now, until } from '../harness/wait';

/** A statement with its values is longer than this, an answer of the database shorter than a few of these. */
const WITHIN_A_STATEMENT = 60;
const WITHIN_AN_ANSWER = 40;

/** Where the connection breaks, from before the statement to behind its answer. */
const CUT_POINTS: readonly { readonly name: string; readonly cut: Cut }[] = [
  { name: 'before the statement', cut: { direction: 'up', after: 0 } },
  { name: 'within the statement', cut: { direction: 'up', after: WITHIN_A_STATEMENT } },
  { name: 'behind the statement', cut: { direction: 'up', after: 1, behind: true } },
  { name: 'within the answer', cut: { direction: 'down', after: WITHIN_AN_ANSWER } },
  { name: 'behind the answer', cut: { direction: 'down', after: 1, behind: true } },
];

/** Repetitions until a definite answer comes; the database is there, so it comes soon. */
const MAX_REPETITIONS = 20;

interface Tally {
  cuts: number;
  unknown: number;
  slowestMs: number;
  readonly wrong: string[];
}

/** Writes on condition of an entity tag that nobody else changes, each with a cut, and repeats what has no definite answer. */
async function cutWrites(
  proxy: TcpProxy,
  through: Target,
  other: Target,
  rounds: number,
  history: KeyValueOperation[],
  tally: Tally,
): Promise<void> {
  const client = new KeyValueClient(0, (operation) => history.push(operation));
  const key = `cut-${through.name}`;
  const first = await client.create(other, key, `${through.name}-first`);
  let known: Known = { value: `${through.name}-first`, etag: first.etag! };
  for (let round = 0; round < rounds; round++) {
    const value = `${through.name}-${round}`;
    const cut = proxy.cutOnce(CUT_POINTS[round % CUT_POINTS.length]!.cut);
    const startedAt = now();
    let answer = await client.cas(through, key, known, value);
    tally.slowestMs = Math.max(tally.slowestMs, now() - startedAt);
    if (answer.outcome === 'unknown') tally.unknown++;
    await untilCut(cut, through);
    tally.cuts++;
    for (let again = 0; answer.outcome !== 'ok' && again < MAX_REPETITIONS; again++) {
      answer = await client.cas(again % 2 === 0 ? other : through, key, known, value);
    }
    if (answer.isDone) {
      known = { value, etag: answer.etag! };
      continue;
    }
    const { value: found, etag } = await client.get(other, key);
    if (found !== value) tally.wrong.push(`${key}: ${value} was refused for good, and ${found} is there`);
    known = { value: found!, etag: etag! };
  }
  client.close();
}

/** Waits for a cut, and gives it traffic in case that the request itself did not reach it. */
async function untilCut(cut: Promise<void>, through: Target): Promise<void> {
  let isCut = false;
  void cut.then(() => (isCut = true));
  const reader = new KeyValueClient(0, () => undefined);
  await until('the cut is made', async () => {
    if (!isCut) await reader.get(through, 'nothing');
    return isCut;
  });
  reader.close();
}

/** Takes locks with an idempotency key, each with a cut, and repeats what has no definite answer. */
async function cutGrants(
  proxy: TcpProxy,
  through: Target,
  other: Target,
  rounds: number,
  grants: GrantOperation[],
  tally: Tally,
): Promise<Map<string, string>> {
  const client = new LockClient(0, (grant) => grants.push(grant));
  const told = new Map<string, string>();
  for (let round = 0; round < rounds; round++) {
    // A lock of its own: a statement that lost its client may run so late that it grants what was released meanwhile.
    const resource = `cut-${through.name}-${round}`;
    const idempotencyKey = `${through.name}-${round}`;
    const options = { ttlMs: 60_000, waitMs: round % 2 === 0 ? 0 : 5_000, idempotencyKey };
    const cut = proxy.cutOnce(CUT_POINTS[round % CUT_POINTS.length]!.cut);
    const startedAt = now();
    let answer = await client.acquire(through, resource, options);
    tally.slowestMs = Math.max(tally.slowestMs, now() - startedAt);
    if (answer.kind === 'unknown') tally.unknown++;
    await untilCut(cut, through);
    tally.cuts++;
    for (let again = 0; answer.kind !== 'granted' && again < MAX_REPETITIONS; again++) {
      answer = await client.acquire(again % 2 === 0 ? other : through, resource, options);
    }
    if (answer.kind !== 'granted') {
      tally.wrong.push(`${resource}: ${idempotencyKey} was never granted, though nobody else asked: ${answer.kind}`);
      break;
    }
    told.set(idempotencyKey, answer.grant.fence);
    let isReleased: boolean | null = null;
    for (let again = 0; isReleased === null && again < MAX_REPETITIONS; again++) {
      isReleased = await client.release(again % 2 === 0 ? other : through, answer.grant);
    }
    if (isReleased !== true)
      tally.wrong.push(`${resource}: the grant of ${idempotencyKey} was gone before its release`);
  }
  client.close();
  return told;
}

export async function cutConnections(context: Context, rounds: number): Promise<void> {
  const { findings } = context;
  const cluster = await context.cluster();
  const proxies = await Promise.all([TcpProxy.start('a', cluster.port), TcpProxy.start('b', cluster.port)]);
  const deployment = await Deployment.start(cluster, context.build, {
    url: (database, index) => cluster.url(database, proxies[index]?.port),
  });
  const [first, second, direct] = [deployment.replica(0), deployment.replica(1), deployment.replica(2)];
  const history: KeyValueOperation[] = [];
  const grants: GrantOperation[] = [];
  const tally: Tally = { cuts: 0, unknown: 0, slowestMs: 0, wrong: [] };
  const [told] = await Promise.all([
    cutGrants(proxies[0], first, direct, rounds, grants, tally),
    cutWrites(proxies[1], second, direct, rounds, history, tally),
  ]);
  context.history = [...history, ...grants];
  const stored = await deployment.sql<StoredRevision>(STORED_REVISIONS);
  // A repeated request gets the same grant for as long as that is held (native API, section 1): only what was granted before the release
  // of the first counts. A key is stored with the name of its caller behind it.
  const granted = await deployment.sql<{ key: string; fences: string[] }>(`
    SELECT split_part(g.idempotency_key, ' ', 1) AS key, array_agg(g.fence::text ORDER BY g.id) AS fences
      FROM faults_journal g
     WHERE g.kind = 'grant' AND g.idempotency_key IS NOT NULL
       AND NOT EXISTS (SELECT FROM faults_journal r WHERE r.digest = g.digest AND r.kind = 'release' AND r.id < g.id)
     GROUP BY 1`);
  const ends = deployment.unexpectedEnds;
  await deployment.stop();
  proxies.forEach((proxy) => proxy.close());

  const chain = checkVersionChain(history, stored);
  findings.atLeast('connections cut, at five points of a statement', tally.cuts, rounds * 2);
  findings.atLeast('of these with an unknown outcome', tally.unknown, Math.floor(rounds / 10));
  findings.violated('revisions made twice, made though refused, or lost', chain.violations);
  const twice = granted.filter(({ fences }) => fences.length > 1);
  findings.violated(
    'second grants to a repeated request',
    twice.map(({ key, fences }) => `${key} was granted ${fences.join(', ')}`),
  );
  findings.violated(
    'grants told with another fence',
    [...told]
      .filter(([key, fence]) => granted.find((each) => each.key === key)?.fences.at(-1) !== fence)
      .map(([key]) => key),
  );
  findings.violated('wrong answers', tally.wrong);
  findings.atMost('slowest answer of a request that was cut, ms', tally.slowestMs, 9_000);
  findings.none('replicas that ended by themselves', ends);
}

export const cuts: FaultTest = {
  faults: ['F8'],
  title: 'database connections cut before, within and behind statements and answers',
  promises: ['P4', 'P5', 'P9', 'P13'],
  lane: 'light',
  run: (context) => cutConnections(context, context.times(100, 1_000)),
};
