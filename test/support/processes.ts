import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The service or a command, its workers, and by where they work PostgreSQL and the programs that make its database. */
export function processesOf(dataDir: string): { pid: number; command: string }[] {
  const isOfIt = (process: string): boolean =>
    readlinkSync(`${process}/cwd`).startsWith(dataDir) ||
    readFileSync(`${process}/environ`, 'utf8').split('\0').includes(`DATA_DIR=${dataDir}`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        if (!isOfIt(`/proc/${name}`)) return [];
        return [{ pid: Number(name), command: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ') }];
      } catch {
        // It has ended meanwhile, or is somebody else's.
        return [];
      }
    });
}
