import { setTimeout as pause } from 'node:timers/promises';
import { slope } from '../checkers/slope';
import { type FaultTest } from '../harness/context';
import { Deployment } from '../harness/deployment';
import { KeyValueClient } from '../harness/key-value-client';
import { LockClient } from '../harness/lock-client';
import { now, until } from '../harness/wait';

const CLIENTS = 32;

/** For how long the long run goes on: an RSS that grows for no reason by 3 MB and shrinks again is no slope of 1 MB a minute then. */
const LONG_MS = 9 * 60_000;
/** Measured behind it: what has a cap is full, and the RSS has found its size, which takes it some 100,000 names. */
const WARM_UP = 1 / 3;
const MAX_MB_A_MINUTE = 1;

interface Sample {
  readonly minutes: number;
  readonly names: number;
  /** What is left after a collection of garbage, which only the long run has time for. */
  readonly keptMb: number;
  readonly rssMb: number;
}

/** Names that never come twice: whatever is kept for a name would add up. */
export const soak: FaultTest = {
  faults: ['F21'],
  title: 'many distinct keys and locks, none used twice',
  promises: ['P14'],
  lane: 'light',
  async run(context) {
    const { findings } = context;
    const names = context.times(4_000, 300_000);
    const deployment = await Deployment.start(await context.cluster(), context.build, { replicas: 1 });
    const replica = deployment.replica(0);
    const lastsMs = context.times(0, LONG_MS);
    const samples: Sample[] = [];
    let done = 0;
    const startedAt = now();
    const isOver = (part: number): boolean => done >= part * names && now() - startedAt >= part * lastsMs;
    const watch = async (): Promise<void> => {
      while (!isOver(1)) {
        await pause(context.isLong ? 5_000 : 500);
        if (!isOver(WARM_UP)) continue;
        const { keptBytes, rssBytes } = await replica.vitals(context.isLong);
        samples.push({
          minutes: (now() - startedAt) / 60_000,
          names: done,
          keptMb: keptBytes / 1e6,
          rssMb: rssBytes / 1e6,
        });
      }
    };
    await Promise.all([
      watch(),
      ...Array.from({ length: CLIENTS }, async (_, number) => {
        const client = new KeyValueClient(number, () => undefined);
        const locks = new LockClient(number, () => undefined);
        const others = new LockClient(CLIENTS + number, () => undefined);
        while (!isOver(1)) {
          const name = `soak-${done++}`;
          await client.put(replica, name, name);
          const held = await locks.acquire(replica, name, { ttlMs: 60_000 });
          // Every tenth lock has a waiter, for whom the process keeps a line.
          const waits = done % 10 === 0 ? others.acquire(replica, name, { ttlMs: 60_000, waitMs: 30_000 }) : null;
          if (held.kind === 'granted') await locks.release(replica, held.grant);
          const next = await waits;
          if (next?.kind === 'granted') await others.release(replica, next.grant);
        }
        client.close();
        locks.close();
        others.close();
      }),
    ]);
    await until('no ticket is left', async () => (await deployment.sql('SELECT FROM lease_ticket')).length === 0);
    const held = await deployment.sql(
      `SELECT FROM lease WHERE owner IS NOT NULL AND expires_at > clock_timestamp() AND stored_key LIKE '%soak-%'::bytea`,
    );
    const ends = deployment.unexpectedEnds;
    await deployment.stop();
    findings.atLeast('distinct keys, and as many locks', done, names);
    const slopeOf = (per: 'minutes' | 'names', of: 'keptMb' | 'rssMb'): number =>
      slope(samples.map((sample) => [sample[per], sample[of]]));
    const [first, last] = [samples[0], samples.at(-1)];
    findings.tell('memory after the warm-up, MB', first?.rssMb ?? 0);
    if (context.isLong) {
      const kept = slopeOf('minutes', 'keptMb');
      const bytes = slopeOf('names', 'keptMb') * 1e6;
      findings.tell('minutes measured', (last?.minutes ?? 0) - (first?.minutes ?? 0));
      findings.atMost('memory, MB a minute', slopeOf('minutes', 'rssMb'), MAX_MB_A_MINUTE);
      findings.atMost('memory kept beyond a collection, MB a minute', kept, MAX_MB_A_MINUTE);
      findings.tell('bytes kept for each name', bytes);
      if (kept > MAX_MB_A_MINUTE) findings.violations.push(`${bytes.toFixed(0)} bytes are kept for each name`);
    }
    // Too short for a slope to mean anything; a leak of some KB for each name would show.
    else findings.atMost('growth of memory behind the warm-up, MB', (last?.rssMb ?? 0) - (first?.rssMb ?? 0), 60);
    findings.none('tickets and holds left behind', held.length);
    findings.none('replicas that ended by themselves', ends);
  },
};
