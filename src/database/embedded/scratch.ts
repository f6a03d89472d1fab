import { randomBytes } from 'node:crypto';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { processIsAlive } from './process-table.js';

/** Longer than any copy or initdb takes; older ones are leftovers even if their process id is in use again. */
const OLDEST_LIVE_SCRATCH_MS = 10 * 60_000;

const ours = new Set<string>();
const host = hostname().replace(/[^A-Za-z0-9]/g, '') || 'host';

/**
 * A name beside the target for preparing it out of sight; a rename then puts it in place at once, so that neither a crash nor a
 * second start ever sees half of it. The name tells who is at work, so that the next start can clear up after the dead.
 */
export async function withScratch<T>(target: string, work: (scratch: string) => Promise<T>): Promise<T> {
  const scratch = `${target}.new-${host}-${process.pid}-${randomBytes(4).toString('hex')}`;
  ours.add(scratch);
  try {
    return await work(scratch);
  } finally {
    await remove(scratch);
    ours.delete(scratch);
  }
}

/** Removes what processes that died in the middle left beside the target. */
export async function removeLeftovers(target: string): Promise<void> {
  const prefix = `${basename(target)}.new-`;
  const names = await readdir(dirname(target)).catch(() => []);
  for (const name of names) {
    const path = join(dirname(target), name);
    if (name.startsWith(prefix) && !ours.has(path) && (await isLeftover(path, name.slice(prefix.length)))) {
      await remove(path);
    }
  }
}

/** Makes a rename inside the directory survive a power failure. */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  await handle.sync().finally(() => handle.close());
}

async function isLeftover(path: string, maker: string): Promise<boolean> {
  const [machine, pid] = maker.split('-');
  // Process ids of another machine or container say nothing here. Our own id on a file that is not ours is an earlier container's.
  if (machine === host && (Number(pid) === process.pid || !processIsAlive(Number(pid)))) return true;
  return stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs > OLDEST_LIVE_SCRATCH_MS,
    () => false,
  );
}

/** Retries, because an initdb whose parent was killed may still be writing; what remains is for the next start. */
const remove = (path: string): Promise<void> =>
  rm(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 }).catch(() => undefined);
