import { randomBytes } from 'node:crypto';
import { link, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from './embedded-postgres.error.js';
import { removeLeftovers, syncDirectory, withScratch } from './scratch.js';

/** The database's password: made once, and the same for every start that races for it, because a hard link is never overwritten. */
export async function agreedPassword(file: string): Promise<string> {
  const known = await read(file);
  if (known !== null) return known;
  await removeLeftovers(file);
  await withScratch(file, async (scratch) => {
    const handle = await open(scratch, 'wx', 0o600);
    try {
      await handle.writeFile(randomBytes(24).toString('base64url'));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(scratch, file).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    await syncDirectory(dirname(file));
  });
  return readFile(file, 'utf8');
}

async function read(file: string): Promise<string | null> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
}
