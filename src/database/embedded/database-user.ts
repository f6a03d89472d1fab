import { chown, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf, EmbeddedPostgresError } from './embedded-postgres.error.js';

/** PostgreSQL refuses to run as root; this is "nobody" nearly everywhere, and needs no user of our own to be made. */
const NOBODY = 65534;

/** Whom PostgreSQL runs as, and therefore who must own its files. */
export interface DatabaseUser {
  readonly uid: number;
  readonly gid: number;
  /** We are root and hand PostgreSQL to somebody else. */
  readonly isSwitched: boolean;
}

/** Ourselves, except for root. On Windows, which has no such ids, the numbers mean nothing and are not looked at. */
export function databaseUser(): DatabaseUser {
  const uid = process.geteuid?.() ?? -1;
  return uid === 0
    ? { uid: NOBODY, gid: NOBODY, isSwitched: true }
    : { uid, gid: process.getegid?.() ?? -1, isSwitched: false };
}

/** The options that make `spawn` run a program as that user. */
export function spawnIdentity(user: DatabaseUser): { uid?: number; gid?: number } {
  return user.isSwitched ? { uid: user.uid, gid: user.gid } : {};
}

/** Gives a file or directory that we just made to the database's user. */
export async function handOver(path: string, user: DatabaseUser): Promise<void> {
  if (!user.isSwitched) return;
  await chown(path, user.uid, user.gid).catch((cause: unknown) => {
    throw new EmbeddedPostgresError(
      `PostgreSQL does not run as root, and this root may not give ${path} to uid ${user.uid} (${codeOf(cause)}): ` +
        'run the service as an ordinary user, or set DATABASE_URL',
      { cause },
    );
  });
}

const READ = 4;
const ENTER = 1;

/** Whether that user may do this (bits as in a file mode: 4 read, 1 execute or enter) with the file, going by its mode alone. */
async function isAllowed(path: string, user: DatabaseUser, bits: number): Promise<boolean> {
  const { uid, gid, mode } = await stat(path);
  const granted = uid === user.uid ? mode >> 6 : gid === user.gid ? mode >> 3 : mode;
  return (granted & bits) === bits;
}

/** Whether that user can enter the directory, which takes the right to enter every directory above it too. */
export async function canEnter(directory: string, user: DatabaseUser): Promise<boolean> {
  if (!(await isAllowed(directory, user, ENTER))) return false;
  const parent = dirname(directory);
  return parent === directory || canEnter(parent, user);
}

/** Whether that user may list the directory, once there. */
export const canList = (path: string, user: DatabaseUser): Promise<boolean> => isAllowed(path, user, READ | ENTER);

/** Whether that user may read the file, once there. */
export const canRead = (path: string, user: DatabaseUser): Promise<boolean> => isAllowed(path, user, READ);
