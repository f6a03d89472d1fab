import { checkMutex } from '../checkers/mutex';
import { checkVersionChain, STORED_REVISIONS, type StoredRevision } from '../checkers/version-chain';
import { type FaultTest } from '../harness/context';
import { Deployment } from '../harness/deployment';
import { type GrantOperation, type KeyValueOperation } from '../harness/history';
import { toJournal } from '../harness/journal';
import { KeyValueClient } from '../harness/key-value-client';
import { LockClient } from '../harness/lock-client';
import { LockLoad } from '../harness/lock-load';
import { until } from '../harness/wait';
import { AzureHttp } from '../../support/azure-http';

const HOUR = 3_600_000;
const JUMPS = [HOUR, -HOUR, 24 * HOUR, -24 * HOUR];
const TTL_MS = 40;
const KEY = { id: 'faults', secret: Buffer.from('a secret for signatures').toString('base64') };

const microseconds = (text: string): number => Date.parse(`${text.slice(0, 19)}Z`) * 1000 + Number(text.slice(20, 26));

/** One replica's clock jumps by hours and days while it grants and releases with the others. */
export const wrongClock: FaultTest = {
  faults: ['F13'],
  title: 'one replica with a clock that is wrong by an hour, and by a day, both ways',
  promises: ['P8', 'P12'],
  lane: 'light',
  async run(context) {
    const { findings, random } = context;
    const deployment = await Deployment.start(await context.cluster(), context.build, {
      env: { ACCESS_KEYS: `${KEY.id}:${KEY.secret}:rw` },
    });
    const resources = ['clock-0', 'clock-1', 'clock-2'];
    const load = new LockLoad(deployment.replicas, resources, 9, random, { ttlMs: TTL_MS, holdMs: null });
    const wrong = deployment.replica(2);
    const signed = new AzureHttp(wrong.port, KEY);
    const refused: string[] = [];
    load.start();
    for (const jump of JUMPS) {
      wrong.shiftClock(jump);
      const goal = load.grants.length + context.times(60, 600);
      await until('grants go on', () => load.grants.length >= goal, { timeoutMs: 120_000 });
      const { status } = await signed.get('/kv/none');
      if (status !== 404) refused.push(`a request signed at the true time got ${status} at ${jump} ms`);
    }
    await load.stop();
    context.history = load.grants;
    const { grants } = toJournal(await deployment.journal(), resources);
    const ends = deployment.unexpectedEnds;
    await deployment.stop();
    const lengths = grants.map(
      ({ grantedAt, expiresAt }) => (microseconds(expiresAt) - microseconds(grantedAt)) / 1000,
    );
    findings.atLeast('jumps of the clock', JUMPS.length, 4);
    findings.atLeast('grants', load.grants.length, JUMPS.length * context.times(60, 600));
    findings.atLeast(
      'of these by the replica with the wrong clock',
      load.grants.filter(({ replica }) => replica === wrong.name).length,
      20,
    );
    findings.violated('early expiries, holds that overlap, fences back', checkMutex(grants, load.grants));
    findings.atMost(
      'lease length off by, ms of the database clock',
      Math.max(...lengths.map((length) => Math.abs(length - TTL_MS))),
      50,
    );
    findings.violated('signatures of the true time refused', refused);
    findings.none('replicas that ended by themselves', ends);
  },
};

/** A database clock that steps back cannot be made here; rows from its future are what such a step leaves behind. */
export const clockStepsBack: FaultTest = {
  faults: ['F14'],
  title: 'database clock 10 s back',
  promises: ['P5', 'P9'],
  lane: 'light',
  async run(context) {
    const { findings } = context;
    findings.cannotRun(
      'the clock of PostgreSQL set back',
      'it reads the clock of the machine, and no libfaketime is installed',
      'rows and leases dated 10 s ahead, which is what they look like after such a step',
    );
    const deployment = await Deployment.start(await context.cluster(), context.build, { replicas: 2 });
    const history: KeyValueOperation[] = [];
    const grants: GrantOperation[] = [];
    const client = new KeyValueClient(0, (operation) => history.push(operation));
    const locks = new LockClient(0, (grant) => grants.push(grant));
    const rounds = context.times(50, 500);
    for (let round = 0; round < rounds; round++) {
      const key = `stepped-${round % 5}`;
      const before = await locks.acquire(deployment.replica(round), key, { ttlMs: 60_000 });
      if (before.kind === 'granted') await locks.release(deployment.replica(round + 1), before.grant);
      await client.put(deployment.replica(round), key, `${round}-before`);
      await deployment.sql(
        `WITH k AS (UPDATE key_value SET last_modified = last_modified + interval '10 s' WHERE key = $1 RETURNING etag, last_modified)
         UPDATE key_value_revision r SET last_modified = k.last_modified FROM k WHERE r.etag = k.etag`,
        [key],
      );
      await client.put(deployment.replica(round + 1), key, `${round}-behind`);
      const behind = await locks.acquire(deployment.replica(round + 1), key, { ttlMs: 60_000 });
      if (behind.kind === 'granted') await locks.release(deployment.replica(round), behind.grant);
    }
    client.close();
    locks.close();
    const stored = await deployment.sql<StoredRevision>(STORED_REVISIONS);
    const journal = toJournal(
      await deployment.journal(),
      [0, 1, 2, 3, 4].map((index) => `stepped-${index}`),
    );
    await deployment.stop();
    const chain = checkVersionChain(history, stored);
    findings.atLeast('writes behind a row of the future', rounds, rounds);
    findings.violated('regressions of revision or time', chain.violations);
    findings.violated('fences back', checkMutex(journal.grants, grants));
  },
};
