import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

/** Path of the Chromium that browser tests drive: `BROWSER_PATH`, or the first one on `PATH`; undefined when there is none. */
export function findBrowser({ BROWSER_PATH, PATH = '' } = process.env) {
  if (BROWSER_PATH) return BROWSER_PATH;
  const candidates = NAMES.flatMap((name) => PATH.split(delimiter).map((folder) => join(folder, name)));
  return candidates.find(isProgram);
}

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
