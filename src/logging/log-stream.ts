import { write, writeSync } from 'node:fs';

const STDERR = 2;
/** Characters collected before a write; one system call, and one change of threads, then carries some hundred access lines. */
const WRITE_AT = 256 * 1024;
/** Milliseconds after which a line is written even if few have come. */
const WRITE_AFTER_MS = 250;
/** Characters kept for a reader that does not read. Beyond it lines are lost: the log must not take the service's memory. */
const MAX_KEPT = 16 * 1024 * 1024;
const RETRY_MS = 10;

/**
 * Where the log goes: stderr, in large pieces and never waited for. The library's own stream measures all that it holds at every line,
 * which made a line cost as much as the rest of a read.
 */
export class LogStream {
  private lines: string[] = [];
  private size = 0;
  private isWriting = false;
  private timer: NodeJS.Timeout | undefined;

  constructor() {
    process.on('exit', () => this.writeRest());
  }

  write(line: string): void {
    if (this.size > MAX_KEPT) return;
    this.lines.push(line);
    this.size += line.length;
    if (this.size >= WRITE_AT) this.writeCollected();
    else this.timer ??= setTimeout(() => this.writeCollected(), WRITE_AFTER_MS).unref();
  }

  private writeCollected(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.isWriting || this.size === 0) return;
    this.isWriting = true;
    this.writeBytes(this.take());
  }

  private writeBytes(bytes: Buffer): void {
    write(STDERR, bytes, (error, written) => {
      const rest = error ? bytes : bytes.subarray(written);
      // A pipe whose reader is slow; any other error means that there is nobody to read at all.
      if (error?.code === 'EAGAIN') return void setTimeout(() => this.writeBytes(rest), RETRY_MS);
      if (!error && rest.length > 0) return this.writeBytes(rest);
      this.isWriting = false;
      if (this.size >= WRITE_AT) this.writeCollected();
      else if (this.size > 0) this.timer ??= setTimeout(() => this.writeCollected(), WRITE_AFTER_MS).unref();
    });
  }

  private writeRest(): void {
    try {
      writeSync(STDERR, this.take());
    } catch {
      // Nobody reads, or not fast enough for the last moment of the process.
    }
  }

  private take(): Buffer {
    const bytes = Buffer.from(this.lines.join(''));
    this.lines = [];
    this.size = 0;
    return bytes;
  }
}
