#!/usr/bin/env node
// `npm run bench [-- --only key-values|locks] [--rounds N] [--seconds S] [--connections C]`: our paths beside the machine's own limits, in
// one run, in alternating rounds; medians and ratios. `WORKERS` and `LOG_LEVEL` reach the service.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureKeyValues } from './key-values.mjs';
import { measureLocks } from './locks.mjs';
import * as bench from './machine.mjs';
import { openStage } from './stage.mjs';

const PARTS = { 'key-values': measureKeyValues, locks: measureLocks };

const { only, ...numbers } = parseArgs({
  options: {
    only: { type: 'string' },
    connections: { type: 'string', default: process.env.BENCH_CONNECTIONS ?? '64' },
    seconds: { type: 'string', default: process.env.BENCH_SECONDS ?? '4' },
    rounds: { type: 'string', default: process.env.BENCH_ROUNDS ?? '3' },
  },
}).values;
if (only !== undefined && !(only in PARTS)) throw new Error(`--only takes ${Object.keys(PARTS).join(' or ')}`);
const options = Object.fromEntries(Object.entries(numbers).map(([name, text]) => [name, Number(text)]));

const stage = await openStage();
const report = {};
for (const part of only === undefined ? Object.keys(PARTS) : [only]) {
  const { tables, ...measured } = await PARTS[part](stage, options);
  for (const table of tables) console.table(table);
  report[part] = measured;
}
await stage.close();

const folder = join(bench.root, 'bench', 'results');
mkdirSync(folder, { recursive: true });
writeFileSync(
  join(folder, `${new Date().toISOString().replaceAll(':', '-')}.json`),
  JSON.stringify({ machine: bench.machine(), databaseName: bench.databaseName, ...options, ...report }, null, 2),
);
process.exit(0);
