import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type DatabaseUser } from '../../../src/database/embedded/database-user';
import { atTheEnd } from './clean-up';

/** A small file system in memory, in a mount namespace of its own: nobody but the server put there sees it. */
export class SmallDisk {
  private folder = '';

  private constructor(private readonly keeper: ChildProcess) {
    atTheEnd(() => void keeper.kill('SIGKILL'));
  }

  /** @returns why there can be none here, or the disk */
  static async create(): Promise<SmallDisk | string> {
    if (process.platform !== 'linux') return 'mount namespaces are a thing of Linux';
    if (process.geteuid?.() !== 0) return 'only root mounts a file system';
    const test = spawnSync('unshare', [
      '-m',
      'sh',
      '-c',
      'mount -t tmpfs tmpfs /mnt && command -v nsenter && command -v setpriv',
    ]);
    if (test.status !== 0)
      return `unshare, mount, nsenter or setpriv does not work here: ${test.stderr?.toString().trim()}`;
    // Keeps the namespace, and with it the data, while the server is down.
    const keeper = spawn('unshare', ['-m', 'sh', '-c', 'echo ready; exec sleep 100000'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(keeper.stdout, 'data');
    return new SmallDisk(keeper);
  }

  /** Lays the file system over a folder, with what the folder held in it. */
  async coverWithItself(folder: string, { uid, gid }: DatabaseUser): Promise<void> {
    this.folder = folder;
    const mount = `mount -t tmpfs -o size=${SIZE},mode=0700,uid=${uid},gid=${gid} tmpfs`;
    const script = `mkdir /tmp/.latchkey-faults-$$ && mount --bind "$1" /tmp/.latchkey-faults-$$ && ${mount} "$1" &&
      cp -a /tmp/.latchkey-faults-$$/. "$1"/ && umount /tmp/.latchkey-faults-$$ && rmdir /tmp/.latchkey-faults-$$`;
    const result = spawnSync('nsenter', ['-t', `${this.keeper.pid}`, '-m', 'sh', '-c', script, 'sh', folder]);
    if (result.status !== 0) throw new Error(`no small disk: ${result.stderr.toString()}`);
  }

  /** What a program is started with that shall see the disk. */
  launcher({ uid, gid }: DatabaseUser): string[] {
    return [
      'nsenter',
      '-t',
      `${this.keeper.pid}`,
      '-m',
      'setpriv',
      `--reuid=${uid}`,
      `--regid=${gid}`,
      '--clear-groups',
    ];
  }

  /** Writes until nothing fits. */
  fill(): void {
    const file = openSync(this.ballast, 'w');
    const block = Buffer.alloc(64 * 1024, 1);
    try {
      for (;;) writeSync(file, block);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  /** Frees all that `fill` took. */
  free(): void {
    const file = openSync(this.ballast, 'r+');
    ftruncateSync(file, 0);
    closeSync(file);
    rmSync(this.ballast);
  }

  private get ballast(): string {
    return join('/proc', String(this.keeper.pid), 'root', this.folder, 'ballast');
  }
}

/** Enough for an empty cluster, its write-ahead log and some seconds of writes. */
const SIZE = '192m';
