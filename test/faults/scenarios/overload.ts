import { setTimeout as pause } from 'node:timers/promises';
import { type FaultTest } from '../harness/context';
import { Deployment } from '../harness/deployment';
import { HttpConnection, type Reply } from '../harness/http-connection';
import { type Replica } from '../harness/replica';

/** Not the harness's clock: so many callers at once make this very program slow, and that belongs to what is measured. */
const now = (): number => performance.now();

const HEADERS = { 'content-type': 'application/vnd.microsoft.appconfig.kv+json' };
/** More than may wait for a database connection, so that some are refused at once. */
const CROWD = 1_200;
const USUAL = 64;
const ROUNDS = 3;

interface Load {
  served: number;
  refused: number;
  readonly seconds: number;
  /** Of those that were served, in milliseconds, ascending. */
  readonly times: number[];
  readonly wrong: string[];
}

/** @param isPolite whether a caller that is refused waits for as long as it is told to */
async function hammer(replica: Replica, clients: number, seconds: number, isPolite = true): Promise<Load> {
  const load: Load = { served: 0, refused: 0, seconds, times: [], wrong: [] };
  // Opened a few at a time before it begins: a storm of connections is another fault.
  const connections = Array.from({ length: clients }, () => new HttpConnection(replica.port));
  for (let first = 0; first < clients; first += USUAL) {
    await Promise.all(connections.slice(first, first + USUAL).map((connection) => connection.send('GET', '/healthz')));
  }
  const untilMs = now() + seconds * 1000;
  await Promise.all(
    connections.map(async (connection, index) => {
      for (let turn = 0; now() < untilMs; turn++) {
        const startedAt = now();
        const reply: Reply = await connection.send('PUT', `/kv/load-${index}?api-version=2023-11-01`, {
          headers: HEADERS,
          body: `{"value":"${turn}"}`,
        });
        if (reply.kind !== 'answer') load.wrong.push(reply.reason);
        else if (reply.status === 200) {
          load.served++;
          load.times.push(now() - startedAt);
        } else if (reply.status === 503 && reply.headers.has('retry-after') && reply.headers.has('retry-after-ms')) {
          load.refused++;
          if (isPolite) await pause(Number(reply.headers.get('retry-after-ms')));
        } else load.wrong.push(`${reply.status} ${reply.text}`);
      }
      connection.close();
    }),
  );
  load.times.sort((a, b) => a - b);
  return load;
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

export const overload: FaultTest = {
  faults: ['F11'],
  title: 'many times more callers than the service can serve at once',
  promises: ['P14'],
  lane: 'load',
  async run(context) {
    const { findings } = context;
    findings.cannotRun(
      'open-loop load at five times the capacity',
      'load and service share the processors, and making the load costs as much as serving it',
      `${CROWD} callers that wait as long as Retry-After says, and as many that do not, against ${USUAL} in usual times`,
    );
    const deployment = await Deployment.start(await context.cluster(), context.build, { replicas: 1 });
    const replica = deployment.replica(0);
    await hammer(replica, USUAL, 2);
    const before = await replica.vitals();
    // In turns, so that other programs of the machine do not weigh on one of the two only.
    const usual: Load[] = [];
    const heavy: Load[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      usual.push(await hammer(replica, USUAL, context.times(2, 10)));
      heavy.push(await hammer(replica, CROWD, context.times(2, 20)));
    }
    const after = await replica.vitals();
    let rude: Load;
    let again: Load;
    const behind: Load[] = [];
    // Until it is quiet behind it once: whatever else the machine does can only disturb that, and a service that does not recover never is.
    do {
      rude = await hammer(replica, CROWD, context.times(2, 20), false);
      await pause(5_000);
      again = await hammer(replica, USUAL, context.times(2, 10));
      behind.push(rude, again);
    } while (behind.length < 2 * ROUNDS && (again.refused > 0 || percentile(again.times, 0.99) > 1_000));
    const ends = deployment.unexpectedEnds;
    await deployment.stop();
    const rate = ({ served, seconds }: Load): number => served / seconds;
    const median = (numbers: readonly number[]): number =>
      percentile(
        numbers.toSorted((a, b) => a - b),
        0.5,
      );
    const reference = median(usual.map(rate));
    findings.tell('served a second in usual times', reference);
    findings.tell('served a second under overload', median(heavy.map(rate)));
    findings.tell(
      'refused with Retry-After and retry-after-ms',
      heavy.reduce((sum, { refused }) => sum + refused, 0),
    );
    // The best turn: whatever else the machine does can only lower it.
    findings.atLeast('goodput held, % of usual', (100 * Math.max(...heavy.map(rate))) / reference, 80);
    findings.atMost(
      'p99 of those served, ms (median of the turns)',
      median(heavy.map(({ times }) => percentile(times, 0.99))),
      1_000,
    );
    findings.tell('goodput, % of usual, when nobody waits as told', (100 * rate(rude)) / reference);
    findings.tell('p99 of those served then, ms', percentile(rude.times, 0.99));
    findings.atMost('growth of memory, MB', (after.rssBytes - before.rssBytes) / 1e6, 150);
    findings.tell('event-loop delay p99, ms', after.loopDelayP99Ms);
    findings.none('refused 5 s behind it, in usual times', again.refused);
    findings.atMost('p99 then, ms', percentile(again.times, 0.99), 1_000);
    findings.violated(
      'other answers',
      [...usual, ...heavy, ...behind].flatMap(({ wrong }) => wrong),
    );
    findings.none('replicas that ended by themselves', ends);
  },
};
