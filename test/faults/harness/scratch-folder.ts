import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atTheEnd } from './clean-up';

let root: string | undefined;
let count = 0;

/** A folder of its own that goes when the run ends. */
export function newFolder(name: string): string {
  if (root === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'latchkey-faults-'));
    // As root the database runs as another user, who must get through.
    chmodSync(made, 0o755);
    atTheEnd(() => rmSync(made, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
    root = made;
  }
  const folder = join(root, `${name}-${++count}`);
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  return folder;
}
