import { readFile, rename, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type DataLocation } from './data-location.js';
import { type Endpoint } from './endpoint.js';
import { processIsAlive, processWorksIn } from './process-table.js';
import { withScratch } from './scratch.js';

/** What `postmaster.pid` and the process table say about a server on this data directory. */
export type Sighting =
  | { kind: 'none' }
  | { kind: 'running'; pid: number; endpoint: Endpoint }
  /** Somebody answers whose process cannot be seen: a server in another container that shares the directory. */
  | { kind: 'hidden' }
  /** The file is just being written, or was just replaced: look again. */
  | { kind: 'unclear' };

/** PostgreSQL writes the file at once after creating it; an older empty one is what a full disk or a power failure left. */
const EMPTY_FILE_PATIENCE_MS = 3_000;

/** Looks for a server on the data directory; clears away the traces of a dead one when its process id now belongs to something else. */
export async function findPostmaster(location: DataLocation, expected: Endpoint): Promise<Sighting> {
  const path = join(location.cluster, 'postmaster.pid');
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return { kind: 'none' };
  const file = parse(text);
  const isAlive = file.pid !== null && processIsAlive(file.pid);
  if (file.pid !== null && isAlive) {
    const endpoint = endpointOf(file, expected);
    const worksHere = (await processWorksIn(file.pid, location.cluster)) ?? (await answers(endpoint));
    if (worksHere) return { kind: 'running', pid: file.pid, endpoint };
  }
  if (await answers(expected)) {
    const isUnchanged = (await readFile(path, 'utf8').catch(() => null)) === text;
    return { kind: isUnchanged ? 'hidden' : 'unclear' };
  }
  // PostgreSQL itself sees that a dead process holds nothing. A live one it takes for a server, and an empty file for a start.
  if (file.pid !== null && !isAlive) return { kind: 'none' };
  if (file.pid === null && (await ageMs(path)) < EMPTY_FILE_PATIENCE_MS) return { kind: 'unclear' };
  await discard(path, text);
  await discardSocketLock(expected, file.pid);
  return { kind: 'none' };
}

interface PostmasterFile {
  pid: number | null;
  port: number | null;
  socketDirectory: string;
}

/** Lines: process id, data directory, start time, port, socket directory, TCP address, shared memory, state. The later ones come later. */
function parse(text: string): PostmasterFile {
  const [pid = '', , , port = '', socketDirectory = ''] = text.split('\n').map((line) => line.trim());
  return { pid: Number(pid) || null, port: Number(port) || null, socketDirectory };
}

function endpointOf({ port, socketDirectory }: PostmasterFile, expected: Endpoint): Endpoint {
  return { host: socketDirectory || expected.host, port: port ?? expected.port };
}

async function answers({ host, port }: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = host.startsWith('/') ? connect(join(host, `.s.PGSQL.${port}`)) : connect(port, host);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** How far the file's date is from now. One in the future is as old: the clock was set back since. */
const ageMs = async (path: string): Promise<number> =>
  stat(path).then(
    ({ mtimeMs }) => Math.abs(Date.now() - mtimeMs),
    () => 0,
  );

/** Takes the file away only if it is still the one that was judged: a server that started meanwhile wrote its own. */
async function discard(path: string, judged: string): Promise<void> {
  await withScratch(path, async (scratch) => {
    if ((await readFile(path, 'utf8').catch(() => null)) !== judged) return;
    await rename(path, scratch).catch(() => undefined);
    const taken = await readFile(scratch, 'utf8').catch(() => judged);
    if (taken !== judged) await rename(scratch, path);
  });
}

async function discardSocketLock({ host, port }: Endpoint, pid: number | null): Promise<void> {
  if (!host.startsWith('/')) return;
  const path = join(host, `.s.PGSQL.${port}.lock`);
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text !== null && parse(text).pid === pid) await rm(path, { force: true });
}
