import type * as Jose from 'jose';

/** Loaded with the first token that comes: it takes 20 ms, for which no start waits. */
export function loadJose(): typeof Jose {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- `import()` would be another module system, which Jest lacks
  return require('jose') as typeof Jose;
}
