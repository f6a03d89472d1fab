import { constants } from 'node:fs';
import { copyFile, open, stat, truncate, type FileHandle } from 'node:fs/promises';
import { type EmbeddedPostgresLog } from './embedded-postgres.options.js';

/** Large enough to hold the story of a fault, small enough for nobody to care; one older file of that size is kept. */
const LARGEST_LOG_BYTES = 10 * 1024 * 1024;

/** An operator does not miss half a second, and one `stat` costs nothing. */
const FOLLOW_INTERVAL_MS = 500;

const TAIL_BYTES = 64 * 1024;

/** `2025-01-01 00:00:00.000 UTC [4711] LOG:  message`, as `log_line_prefix` has it. */
const LINE = /^\S+ \S+ \S+ \[(\d+)\] ([A-Z]+):\s+(.*)$/;

/** Expected while it starts, stops or is polled. */
const ORDINARY_FATAL =
  /the database system is|connection to client lost|terminating (connection|background worker|autovacuum|walreceiver)|lock file .* (already exists|is empty)|pre-existing shared memory/;

/** The few of PostgreSQL's many LOG lines that tell of trouble. */
const TELLING_LOG =
  /was terminated by|^server process .* exited|was interrupted|not properly shut down|reinitializing|could not (?!(send|receive) data)|out of memory/;

/**
 * PostgreSQL's own log. It goes to a file and not through a pipe of ours, so that the death of this process does not take the database
 * along; the lines that an operator should see are forwarded from there.
 */
export class ServerLog {
  private position = 0;
  private timer: NodeJS.Timeout | null = null;
  private isReading = false;

  constructor(
    readonly file: string,
    private readonly log: EmbeddedPostgresLog,
  ) {}

  /** A handle to which a server may append; the caller closes it. */
  async openForServer(): Promise<FileHandle> {
    await this.rotateWhenLarge();
    // A link planted in a directory that others can write must not lead root to another file.
    const flags = constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0);
    return open(this.file, flags, 0o600);
  }

  /** Forwards what is logged from now on. */
  async follow(): Promise<void> {
    this.position = await this.size();
    this.timer = setInterval(() => void this.forwardNews(), FOLLOW_INTERVAL_MS).unref();
  }

  async close(): Promise<void> {
    if (this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
    await this.forwardNews();
  }

  async size(): Promise<number> {
    return stat(this.file).then(
      ({ size }) => size,
      () => 0,
    );
  }

  /** Why the server with this process id gave up, in its own words; what the program loader says carries no id. */
  async lastWordsOf(pid: number, since: number): Promise<string | null> {
    const lines = await this.read(Math.max(since, (await this.size()) - TAIL_BYTES));
    const parsed = lines.map((line) => LINE.exec(line));
    const fatal = parsed.findLast((match) => match?.[1] === String(pid) && /FATAL|PANIC/.test(match[2] ?? ''));
    return fatal?.[3] ?? lines.findLast((line, index) => /^\S/.test(line) && !parsed[index]) ?? null;
  }

  private async forwardNews(): Promise<void> {
    if (this.isReading) return;
    this.isReading = true;
    try {
      const size = await this.size();
      if (size < this.position) this.position = 0;
      if (size > this.position) {
        const lines = await this.read(Math.max(this.position, size - TAIL_BYTES), size);
        this.position = size;
        lines.forEach((line) => this.forward(line));
      }
      await this.rotateWhenLarge();
    } catch {
      // A log that cannot be read (a full disk, a removed directory) is no reason to disturb the service.
    } finally {
      this.isReading = false;
    }
  }

  /** Not ERROR: those are failed statements, which the application hears of itself. */
  private forward(line: string): void {
    const [, pid, severity, message = ''] = LINE.exec(line) ?? [];
    const fields = { source: 'postgres', pid: Number(pid), severity };
    if (severity === 'PANIC') this.log.error(message, fields);
    else if (severity === 'WARNING') this.log.warn(message, fields);
    else if (severity === 'FATAL' && !ORDINARY_FATAL.test(message)) this.log.warn(message, fields);
    else if (severity === 'LOG' && TELLING_LOG.test(message)) this.log.warn(message, fields);
  }

  /** Copies and truncates, because a running server keeps appending to the same file. */
  private async rotateWhenLarge(): Promise<void> {
    if ((await this.size()) <= LARGEST_LOG_BYTES) return;
    await copyFile(this.file, `${this.file}.1`);
    await truncate(this.file, 0);
    this.position = 0;
  }

  private async read(start: number, end?: number): Promise<string[]> {
    const size = (end ?? (await this.size())) - start;
    if (size <= 0) return [];
    const handle = await open(this.file, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, start);
      return buffer.toString('utf8', 0, bytesRead).split('\n');
    } finally {
      await handle.close();
    }
  }
}
