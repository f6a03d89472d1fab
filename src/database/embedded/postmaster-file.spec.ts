import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DataLocation } from './data-location.js';
import { findPostmaster } from './postmaster-file.js';

let cluster: string;
beforeEach(() => void (cluster = mkdtempSync(join(tmpdir(), 'cluster-'))));
afterEach(() => rmSync(cluster, { recursive: true }));

/** What is seen of an empty file that was written so many milliseconds ago, and whether it is still there. */
async function sightingOfEmptyFile(ageMs: number): Promise<{ kind: string; isLeft: boolean }> {
  const path = join(cluster, 'postmaster.pid');
  writeFileSync(path, '');
  const writtenAt = (Date.now() - ageMs) / 1000;
  utimesSync(path, writtenAt, writtenAt);
  // A socket folder in which nobody listens.
  const { kind } = await findPostmaster({ cluster } as DataLocation, { host: cluster, port: 5432 });
  return { kind, isLeft: existsSync(path) };
}

describe('an empty postmaster.pid', () => {
  it('is a server that just starts while the file is new', async () => {
    expect(await sightingOfEmptyFile(0)).toEqual({ kind: 'unclear', isLeft: true });
  });

  it.each([
    ['in the past', 3_600_000],
    ['in the future, as after the clock was set back', -3_600_000],
  ])('is cleared away when its date lies far %s', async (_, ageMs) => {
    expect(await sightingOfEmptyFile(ageMs)).toEqual({ kind: 'none', isLeft: false });
  });
});
