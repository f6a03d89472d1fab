import type * as Migrate from '../database/migrate.js';
import type * as Seed from '../transfer/seed.js';
import type * as Serve from './serve.js';

/**
 * What takes long to load, and is loaded when it is due: TypeORM and Nest while PostgreSQL starts, the application only by processes
 * that serve. Plain `require`, because `import()` would be another module system, which Jest lacks.
 */

/* eslint-disable @typescript-eslint/no-require-imports */
export const loadMigrate = (): typeof Migrate => require('../database/migrate.js') as typeof Migrate;
export const loadSeed = (): typeof Seed => require('../transfer/seed.js') as typeof Seed;
export const loadServe = (): typeof Serve => require('./serve.js') as typeof Serve;
