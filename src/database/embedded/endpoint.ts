import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DataLocation } from './data-location.js';
import { canEnter, handOver } from './database-user.js';
import { codeOf, EmbeddedPostgresError } from './embedded-postgres.error.js';

/** Where PostgreSQL listens: a directory for its unix socket (markedly faster than TCP, and file modes guard it), or an address. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Only part of the socket's name: nothing listens on TCP, so it cannot collide. */
const SOCKET_PORT = 5432;

/** What fits into `sun_path` beside its closing zero byte. */
const LONGEST_SOCKET_PATH = process.platform === 'linux' ? 107 : 103;

/** Chooses where the database listens and makes the socket's directory, which nobody but the database's user (and root) can enter. */
export async function chooseEndpoint(location: DataLocation): Promise<Endpoint> {
  if (process.platform === 'win32') return { host: '127.0.0.1', port: await freePort() };
  const directory = await socketDirectoryFor(location);
  await mkdir(directory, { mode: 0o700 }).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error;
  });
  const facts = await lstat(directory);
  // Temporary directories are open to all: somebody else may have made ours first, to listen there in our place.
  if (!facts.isDirectory() || ![location.user.uid, process.geteuid?.()].includes(facts.uid)) {
    throw new EmbeddedPostgresError(
      `${directory}, where the database's socket should lie, belongs to somebody else: remove it, or set DATA_DIR to a shorter path`,
    );
  }
  await chmod(directory, 0o700);
  await handOver(directory, location.user);
  return { host: directory, port: SOCKET_PORT };
}

async function socketDirectoryFor({ directory, user }: DataLocation): Promise<string> {
  const hash = createHash('sha256').update(`${user.uid} ${directory}`).digest('hex').slice(0, 16);
  const elsewhere = `latchkey-${hash}`;
  const candidates = [join(directory, 'postgres.socket'), join(tmpdir(), elsewhere), join('/tmp', elsewhere)];
  for (const candidate of candidates) {
    const isShort = Buffer.byteLength(join(candidate, `.s.PGSQL.${SOCKET_PORT}`)) <= LONGEST_SOCKET_PATH;
    if (isShort && (!user.isSwitched || (await canEnter(join(candidate, '..'), user)))) return candidate;
  }
  throw new EmbeddedPostgresError(
    `The path ${directory} is too long for a database socket: set DATA_DIR to a shorter one`,
  );
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
