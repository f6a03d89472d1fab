import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports that systems hand out for connections and for "any port": one of those could be taken by anybody between our look
 * and the start of whoever is to listen there, or while a replica is down.
 */
const FIRST = 20_000;
const LAST = 32_000;

const given = new Set<number>();

/** A port of the loopback address that nobody listens on, and that this run has not had before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1');
  const isOurs = await Promise.race([
    once(probe, 'listening').then(() => true),
    once(probe, 'error').then(() => false),
  ]).catch(() => false);
  if (isOurs) {
    probe.close();
    await once(probe, 'close');
  }
  return isOurs;
}
