import { setTimeout as pause } from 'node:timers/promises';
import { type FaultTest } from '../harness/context';
import { Deployment } from '../harness/deployment';
import { KeyValueClient } from '../harness/key-value-client';
import { LockClient } from '../harness/lock-client';
import { now, until } from '../harness/wait';

const CLIENTS = 32;

/** Least squares: by how much the second of each pair grows for one of the first. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (index: 0 | 1): number => points.reduce((sum, point) => sum + point[index], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return over / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}

/** Names that never come twice: whatever is kept for a name would add up. */
export const soak: FaultTest = {
  faults: ['F21'],
  title: 'many distinct keys and locks, none used twice',
  promises: ['P14'],
  lane: 'light',
  async run(context) {
    const { findings } = context;
    const names = context.times(4_000, 200_000);
    const deployment = await Deployment.start(await context.cluster(), context.build, { replicas: 1 });
    const replica = deployment.replica(0);
    const samples: [number, number][] = [];
    let done = 0;
    const startedAt = now();
    const watch = async (): Promise<void> => {
      while (done < names) {
        await pause(500);
        // The first part fills what has a cap.
        if (done > names / 3) samples.push([(now() - startedAt) / 60_000, (await replica.vitals()).rssBytes / 1e6]);
      }
    };
    await Promise.all([
      watch(),
      ...Array.from({ length: CLIENTS }, async (_, number) => {
        const client = new KeyValueClient(number, () => undefined);
        const locks = new LockClient(number, () => undefined);
        const others = new LockClient(CLIENTS + number, () => undefined);
        while (done < names) {
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
    const first = samples[0]?.[1] ?? 0;
    const last = samples.at(-1)?.[1] ?? 0;
    findings.tell('memory after the warm-up, MB', first);
    if (context.isLong) findings.atMost('memory, MB a minute', slope(samples), 1);
    // Too short for a slope to mean anything; a leak of some KB for each name would show.
    else findings.atMost('growth of memory behind the warm-up, MB', last - first, 60);
    findings.none('tickets and holds left behind', held.length);
    findings.none('replicas that ended by themselves', ends);
  },
};
