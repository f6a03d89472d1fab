import { readFileSync, statSync } from 'node:fs';
import { reasonOf } from '../config/environment.js';
import { type Outcome } from './key-prefix.js';

/** Bytes of a component file or a file of secrets; honest ones have a few thousand. */
const MAX_FILE_BYTES = 256 * 1024;

/** Content of a UTF-8 file, or why it cannot be had. */
export function readTextFile(path: string): Outcome {
  let bytes: Buffer;
  try {
    const status = statSync(path);
    // Reading a pipe would wait for ever.
    if (!status.isFile()) return { fault: 'is no file; expected a readable file' };
    if (status.size > MAX_FILE_BYTES) return { fault: `has ${status.size} bytes; expected at most ${MAX_FILE_BYTES}` };
    bytes = readFileSync(path);
  } catch (error) {
    return { fault: `cannot be read (${reasonOf(error)}); expected a readable file` };
  }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return { fault: 'is not UTF-8; expected text in UTF-8' };
  }
}
