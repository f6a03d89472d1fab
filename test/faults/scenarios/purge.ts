import { checkMutex } from '../checkers/mutex';
import { checkVersionChain, STORED_REVISIONS, type StoredRevision } from '../checkers/version-chain';
import { type FaultTest, Context } from '../harness/context';
import { Deployment } from '../harness/deployment';
import { digestOf, toJournal } from '../harness/journal';
import { KeyValueLoad } from '../harness/key-value-load';
import { LockClient } from '../harness/lock-client';
import { until } from '../harness/wait';
import { type GrantOperation } from '../harness/history';

/** The purge begins a minute after the start, and again after an hour: too long for a test. Nothing else of it is changed. */
const SOONER = [
  {
    file: 'retention/retention.service.js',
    text: 'const FIRST_AFTER_MS = 60_000;',
    instead: 'const FIRST_AFTER_MS = 500;',
  },
  { file: 'retention/retention.service.js', text: 'const EVERY_MS = 3_600_000;', instead: 'const EVERY_MS = 500;' },
];

const LIVE_KEYS = 200;
const LOCKS = 200;

/** What the purge may remove, and what it must not: the state that an instant within the time still asks for. */
const OLD_ROWS = `
  INSERT INTO key_value_revision (revision, key, label, value, tags, locked, deleted, etag, last_modified, actor, address, request_id)
  SELECT nextval('key_value_revision_seq'), 'live-' || n, '', 'old-' || r, '{}', false, false, 'old-' || n || '-' || r,
         clock_timestamp() - interval '80 days' + r * interval '1 hour', 'test', '', gen_random_uuid()
    FROM generate_series(1, ${LIVE_KEYS}) n, generate_series(1, 50) r;
  INSERT INTO key_value (key, label, value, tags, etag, revision, last_modified)
  SELECT 'live-' || n, '', 'last-' || n, '{}', 'last-' || n, nextval('key_value_revision_seq'), clock_timestamp() - interval '40 days'
    FROM generate_series(1, ${LIVE_KEYS}) n;
  INSERT INTO key_value_revision (revision, key, label, value, tags, locked, deleted, etag, last_modified, actor, address, request_id)
  SELECT revision, key, label, value, tags, false, false, etag, last_modified, 'test', '', gen_random_uuid() FROM key_value
   WHERE key LIKE 'live-%';
  INSERT INTO key_value (key, label, tags, deleted, etag, revision, last_modified)
  SELECT 'gone-' || n, '', '{}', true, 'gone', 1, clock_timestamp() - interval '40 days' FROM generate_series(1, 3000) n;
  INSERT INTO lease (key_digest, stored_key, fence, granted_at, expires_at, touched_at)
  SELECT sha256(('lock||latchkey||rested-' || n)::bytea), ('lock||latchkey||rested-' || n)::bytea,
         (1::bigint << 42) + 1000000 + n, clock_timestamp() - interval '3 days', clock_timestamp() - interval '3 days',
         clock_timestamp() - interval '2 days'
    FROM generate_series(0, ${LOCKS - 1}) n;
  CREATE TABLE faults_batch (removed bigint, ms float8);
  CREATE FUNCTION faults_batch() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO faults_batch
    SELECT count(*), extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000 FROM gone HAVING count(*) > 0;
    RETURN NULL;
  END $$;
  CREATE TRIGGER faults_batch AFTER DELETE ON key_value_revision REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION faults_batch();
  CREATE TRIGGER faults_batch AFTER DELETE ON key_value REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION faults_batch();
  CREATE TRIGGER faults_batch AFTER DELETE ON lease REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION faults_batch()`;

/** What is past its time goes, while clients write to the same keys and lock the same locks. */
export const purge: FaultTest = {
  faults: ['F20'],
  title: 'retention purge under load',
  promises: ['P5', 'P6', 'P9'],
  lane: 'light',
  async run(context) {
    const { findings, random } = context;
    const deployment = await Deployment.start(await context.cluster(), Context.build(SOONER), { replicas: 2 });
    await deployment.sql(OLD_ROWS);
    // Half of the live keys are written to meanwhile, the others rest.
    const keys = Array.from({ length: LIVE_KEYS / 2 }, (_, index) => `live-${index + 1}`);
    const load = new KeyValueLoad(deployment.replicas, keys, random.fork('load'), Infinity, 4);
    load.start();
    const left = async (): Promise<number> => {
      const [row] = await deployment.sql<{ count: string }>(
        `SELECT (SELECT count(*) FROM key_value_revision WHERE etag LIKE 'old-%')
              + (SELECT count(*) FROM key_value WHERE key LIKE 'gone-%')
              + (SELECT count(*) FROM lease WHERE touched_at < clock_timestamp() - interval '1 day') AS count`,
      );
      return Number(row!.count);
    };
    const grants: GrantOperation[] = [];
    const client = new LockClient(0, (grant) => grants.push(grant));
    const resources = Array.from({ length: LOCKS }, (_, index) => `rested-${index}`);
    // Some locks are taken while the purge is at work, so that it meets them.
    const early = resources.slice(0, LOCKS / 4);
    for (const resource of early) await client.acquire(deployment.replica(grants.length), resource, { ttlMs: 600_000 });
    await load.whileRunning(
      until('everything old is gone', async () => (await left()) === 0, { timeoutMs: 120_000, everyMs: 100 }),
    );
    for (const resource of resources.slice(LOCKS / 4)) {
      await client.acquire(deployment.replica(grants.length), resource, { ttlMs: 600_000 });
    }
    client.close();
    await load.stop();
    context.history = [...load.history, ...grants];
    const batches = await deployment.sql<{ removed: string; ms: number }>('SELECT * FROM faults_batch ORDER BY ms');
    const kept = await deployment.sql<{ key: string }>(
      `SELECT k.key FROM key_value k JOIN key_value_revision r ON r.key = k.key AND r.etag = 'last-' || substr(k.key, 6)
        WHERE k.key LIKE 'live-%'`,
    );
    const current = await deployment.sql(
      `SELECT FROM key_value k JOIN key_value_revision r ON r.key = k.key AND r.etag = k.etag
        WHERE k.key LIKE 'live-%'`,
    );
    const stored = await deployment.sql<StoredRevision>(STORED_REVISIONS);
    const journal = toJournal(await deployment.journal(), resources);
    await deployment.stop();
    const chain = checkVersionChain(load.history, stored);
    const old = new Map(resources.map((resource, index) => [resource, (1n << 42n) + 1_000_000n + BigInt(index)]));
    const removed = batches.reduce((sum, batch) => sum + Number(batch.removed), 0);
    findings.atLeast('rows removed', removed, LIVE_KEYS * 50 + 3_000);
    findings.atMost('largest batch, rows', Math.max(...batches.map((batch) => Number(batch.removed))), 1_000);
    // The median: on a busy machine a single batch waits for the processor.
    findings.atMost('batch, ms in the database (median)', batches[Math.floor(batches.length / 2)]!.ms, 200);
    findings.tell('slowest batch, ms', batches.at(-1)!.ms);
    findings.atLeast('states kept that an instant within the time asks for', kept.length, LIVE_KEYS);
    findings.atLeast('current states that are in the history', current.length, LIVE_KEYS);
    findings.atLeast('acknowledged writes meanwhile', chain.acknowledged, 100);
    findings.violated('violations of the version chain', chain.violations);
    findings.atLeast('grants of purged locks', grants.length, LOCKS);
    findings.violated(
      'fences at or below those of purged locks',
      grants
        .filter(({ key, fence }) => BigInt(fence) <= old.get(key)!)
        .map(({ key, fence }) => `${key}: ${fence}, ${digestOf(key)}`),
    );
    findings.violated('fences back, holds that overlap', checkMutex(journal.grants, grants));
  },
};
