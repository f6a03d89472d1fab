import { checkVersionChain, STORED_REVISIONS, type StoredRevision } from '../checkers/version-chain';
import { Cluster } from '../harness/cluster';
import { type Context, type FaultTest } from '../harness/context';
import { Deployment } from '../harness/deployment';
import { type KeyValueOperation } from '../harness/history';
import { KeyValueClient } from '../harness/key-value-client';
import { SmallDisk } from '../harness/small-disk';
import { until } from '../harness/wait';

/** Incompressible to PostgreSQL, so that each fills a page. */
const bulk = (random: { below(limit: number): number }): string =>
  Array.from({ length: 7_000 }, () => String.fromCharCode(33 + random.below(90))).join('');

/** The table takes no more rows: what a full disk says, without the disk. */
const NO_SPACE = `
  CREATE FUNCTION faults_no_space() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
  END $$;
  CREATE TRIGGER faults_no_space BEFORE INSERT ON key_value_revision FOR EACH ROW EXECUTE FUNCTION faults_no_space()`;

/** How the disk gets full and empty again. */
interface Disk {
  readonly cluster: Cluster;
  fill(deployment: Deployment): Promise<void>;
  free(deployment: Deployment): Promise<void>;
}

async function smallDisk(context: Context): Promise<Disk> {
  const disk = await SmallDisk.create();
  if (typeof disk !== 'string') {
    const settings = { wal_keep_size: '0', min_wal_size: '32MB', max_wal_size: '48MB' };
    return {
      cluster: await Cluster.createOn(disk, settings),
      fill: async () => disk.fill(),
      free: async () => disk.free(),
    };
  }
  context.findings.cannotRun(
    'a full disk under the data directory',
    disk,
    'a table that answers every row with the SQLSTATE of a full disk (53100)',
  );
  return {
    cluster: await context.cluster(),
    fill: async (deployment) => void (await deployment.sql(NO_SPACE)),
    free: async (deployment) => void (await deployment.sql('DROP FUNCTION faults_no_space() CASCADE')),
  };
}

export const fullDisk: FaultTest = {
  faults: ['F12'],
  title: 'disk full under the database, then freed',
  promises: ['P1', 'P13', 'P16'],
  lane: 'light',
  async run(context) {
    const { findings, random } = context;
    const disk = await smallDisk(context);
    const { cluster } = disk;
    const deployment = await Deployment.start(cluster, context.build, { replicas: 1 });
    const replica = deployment.replica(0);
    const rounds = context.times(1, 3);
    const history: KeyValueOperation[] = [];
    let refused = 0;
    let restarts = 0;
    const write = async (name: string, isEnough: () => boolean): Promise<void> => {
      await Promise.all(
        Array.from({ length: 4 }, async (_, number) => {
          const client = new KeyValueClient(number, (operation) => history.push(operation));
          for (let turn = 0; !isEnough(); turn++) {
            const { outcome } = await client.put(
              replica,
              `disk-${number}-${turn % 20}`,
              `${name}-${number}-${turn}-${bulk(random)}`,
            );
            if (outcome !== 'ok') refused++;
          }
          client.close();
        }),
      );
    };
    for (let round = 0; round < rounds; round++) {
      const early = history.length + 200;
      await write(`early-${round}`, () => history.length >= early);
      await disk.fill(deployment);
      const enough = refused + 50;
      await write(`full-${round}`, () => refused >= enough);
      const health = await replica.status('/healthz');
      findings.atLeast('/healthz while the disk is full', health, 200);
      await disk.free(deployment);
      // A server that could not write its log has ended itself; whoever runs it starts it again.
      if (!cluster.isRunning) {
        restarts++;
        await cluster.start();
      }
      await cluster.answering();
      await until('ready again', async () => (await replica.status('/readyz')) === 200);
      const late = history.length + 100;
      await write(`late-${round}`, () => history.length >= late);
    }
    const stored = await deployment.sql<StoredRevision>(STORED_REVISIONS);
    const ends = deployment.unexpectedEnds;
    const latest = history.slice(-50).filter(({ outcome }) => outcome === 'ok').length;
    await deployment.stop();
    if (cluster !== (await context.cluster())) await cluster.kill();
    // Keeps the report and the kept history readable.
    context.history = history.map((operation) => ({
      ...operation,
      args: { value: operation.args.value!.slice(0, 20) },
    }));
    const chain = checkVersionChain(history, stored);
    findings.atLeast('times that the disk was full', rounds, rounds);
    findings.atLeast('writes refused with 503', refused, rounds * 50);
    findings.atLeast('acknowledged writes', chain.acknowledged, rounds * 200);
    findings.none('acknowledged writes lost', chain.lost);
    findings.violated(
      'violations of the version chain',
      chain.violations.map((text) => text.slice(0, 200)),
    );
    findings.tell('ends of PostgreSQL for want of space', restarts);
    findings.atLeast('of the last 50 writes, served', latest, 50);
    findings.none('replicas that ended by themselves', ends);
  },
};
