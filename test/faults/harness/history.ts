import { closeSync, openSync, writeSync } from 'node:fs';

/**
 * One operation on a key-value as its client saw it, as a line of JSON. Times are nanoseconds of one monotonic clock. `fail` is an
 * answer that promises that nothing was done; `unknown` may have been done or not.
 */
export interface KeyValueOperation {
  readonly client: number;
  readonly replica: string;
  readonly op: 'get' | 'put' | 'cas' | 'create' | 'delete';
  readonly key: string;
  readonly args: {
    /** What is written; no two writes of a run write the same. */
    readonly value?: string;
    /** Of a cas: the value and the entity tag that must still be there. */
    readonly expected?: string;
    readonly ifMatch?: string;
  };
  readonly call_ns: number;
  readonly ret_ns: number;
  readonly outcome: 'ok' | 'fail' | 'unknown';
  /** Of a successful condition, or of anything without one, true; false when it was refused with 412. */
  readonly isDone: boolean;
  /** Of a get: what it found; of a delete: what it removed. Null = there was nothing. */
  readonly value: string | null;
  /** Of a get or a write: the entity tag of what was found or written. */
  readonly etag: string | null;
}

/** One grant of a lock as its client saw it. */
export interface GrantOperation {
  readonly client: number;
  readonly replica: string;
  readonly op: 'acquire';
  readonly key: string;
  readonly call_ns: number;
  readonly ret_ns: number;
  readonly fence: string;
  /** Texts of the database's clock in UTC with microseconds, which order as they read. */
  readonly grantedAt: string;
  readonly expiresAt: string;
  /** When the release was asked for; null when the holder never did. */
  released_ns: number | null;
  /** Whether that release was told to have succeeded. */
  isReleased: boolean;
}

export type Operation = KeyValueOperation | GrantOperation;

export const nanoseconds = (): number => Number(process.hrtime.bigint());

/** Writes a history to a file, a line for each operation. */
export function writeHistory(path: string, operations: readonly Operation[]): void {
  const file = openSync(path, 'w');
  for (const operation of operations) writeSync(file, `${JSON.stringify(operation)}\n`);
  closeSync(file);
}
