import {
  chmodSync,
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { reasonOf } from './environment.js';
import { SettingsError } from './settings-error.js';

/** Files of generated secrets: readable by their owner only, complete or absent, and the same for all processes that race for them. */

const OWNER_ONLY = 0o600;
const GROUP_AND_OTHERS = 0o077;

/**
 * The content of the file, after creating it if it is missing. Of several processes that create it at once one wins, and all get the
 * winner's content.
 * @param generate makes the content; called only when the file is missing
 */
export function readOrCreateSecretFile(path: string, generate: () => string): string {
  return attempt(path, () => {
    const existing = readIfPresent(path);
    if (existing !== null) return existing;
    makeFolder(dirname(path));
    const content = generate();
    // link() fails when the name is taken, so a file is never replaced and never seen half written.
    const isOurs = viaTemporaryFile(path, content, (temporary) => unlessExists(() => linkSync(temporary, path)));
    return isOurs ? content : readFileSync(path, 'utf8');
  });
}

/** Puts new content in the file's place in one step. */
export function replaceSecretFile(path: string, content: string): void {
  attempt(path, () => viaTemporaryFile(path, content, (temporary) => renameSync(temporary, path)));
}

/** One line for a file whose content cannot be used. */
export function unusable(path: string, found: string, expected: string): SettingsError {
  return new SettingsError([`${path} ${found}; expected ${expected} (remove it to have a new one generated)`]);
}

function readIfPresent(path: string): string | null {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (reasonOf(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    const { mode } = fstatSync(file);
    if (process.platform !== 'win32' && (mode & GROUP_AND_OTHERS) !== 0) tighten(path);
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

function tighten(path: string): void {
  try {
    chmodSync(path, OWNER_ONLY);
  } catch (error) {
    const found = `can be read by other users, and its mode cannot be changed (${reasonOf(error)})`;
    throw new SettingsError([`${path} ${found}; expected mode 0600`]);
  }
}

function viaTemporaryFile<T>(path: string, content: string, place: (temporary: string) => T): T {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    const file = openSync(temporary, 'wx', OWNER_ONLY);
    try {
      writeSync(file, content);
      // On disk before it has its name: what a lost master key encrypted would be lost with it.
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return place(temporary);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Not Node's `recursive`, which never ends where a file system knows of no new folders and calls the parent missing, as `/proc` does. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  unlessExists(() => mkdirSync(path, { mode: 0o700 }));
}

function unlessExists(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (reasonOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    throw new SettingsError([
      `${path} cannot be read or written (${reasonOf(error)}); expected a file of this user in DATA_DIR`,
    ]);
  }
}
