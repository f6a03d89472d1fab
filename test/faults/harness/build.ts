import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newFolder } from './scratch-folder';

const ROOT = join(__dirname, '..', '..', '..');

/** A text of the build that stands there exactly once, and what stands there instead. */
export interface Patch {
  /** Relative to `dist/src`. */
  readonly file: string;
  readonly text: string;
  readonly instead: string;
}

/**
 * A copy of the build, with bugs planted in it or none. Every run works on a copy, so that a build made meanwhile does not change what
 * is under test. Fails when a text is not there exactly once, so that no bug is lost in silence.
 *
 * @returns the folder that holds `src/main.js`
 */
export function copyOfTheBuild(patches: readonly Patch[] = []): string {
  const source = process.env['FAULTS_BUILD'] ?? join(ROOT, 'dist');
  const folder = newFolder('build');
  const build = join(folder, 'dist');
  mkdirSync(build);
  cpSync(join(source, 'src'), join(build, 'src'), { recursive: true });
  for (const name of ['package.json', 'node_modules']) symlinkSync(join(ROOT, name), join(folder, name));
  for (const { file, text, instead } of patches) {
    const path = join(build, 'src', file);
    const parts = readFileSync(path, 'utf8').split(text);
    if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${text}`);
    writeFileSync(path, parts.join(instead));
  }
  return build;
}
