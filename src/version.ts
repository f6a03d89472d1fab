import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Version of this release, from the nearest `package.json` above: sources and build lie at different depths. */
export const version = ((): string => {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    try {
      return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
    } catch (error) {
      if (folder === dirname(folder)) throw error;
    }
  }
})();
