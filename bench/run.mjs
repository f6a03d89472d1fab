#!/usr/bin/env node
// `npm run bench`: our paths beside the machine's own limits, in one run, in alternating rounds; medians and ratios.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chooseCells, parseCommandLine, USAGE, UsageError } from './command-line.mjs';
import { provenance, tablesOf, toMarkdown } from './report.mjs';

/** Not a cell: measured last, when the service has been under load. */
const FOOTPRINT = 'footprint';

try {
  const options = parseCommandLine(process.argv.slice(2));
  if (options.help) process.stdout.write(USAGE);
  else if (options.from !== undefined) show(JSON.parse(readFileSync(options.from, 'utf8')), options);
  else if (options.list) await list();
  else show(await measure(options), options);
  process.exit(0);
} catch (error) {
  const isUsage = error instanceof UsageError || error.code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`bench: ${isUsage ? error.message : error.stack}\n`);
  process.exit(1);
}

function show(results, { markdown }) {
  const tables = tablesOf(results);
  if (markdown) return process.stdout.write(`${provenance(results)}\n\n${toMarkdown(tables)}`);
  for (const { title, rows } of tables) {
    process.stdout.write(`\n${title}\n`);
    console.table(rows);
  }
  process.stdout.write(`${provenance(results)}\n`);
}

async function list() {
  const { CELLS } = await import('./cells/all.mjs');
  for (const { group, id, name } of CELLS) process.stdout.write(`${group.padEnd(12)} ${id.padEnd(26)} ${name}\n`);
  process.stdout.write(`${FOOTPRINT.padEnd(12)} ${FOOTPRINT.padEnd(26)} start-up and memory\n`);
}

/** Everything that was measured, as the results file has it. */
async function measure(options) {
  const bench = await import('./machine.mjs');
  const date = new Date().toISOString();
  const measured = options.growth ? await measureGrowth(options) : await measureCells(options);
  const results = { date, machine: bench.machine(), ...measured };
  const folder = join(bench.root, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${date.replaceAll(':', '-')}.json`);
  writeFileSync(file, JSON.stringify(results, null, 2));
  process.stderr.write(`written to ${file}\n`);
  return results;
}

async function measureGrowth(options) {
  const growth = await import('./growth/measure.mjs');
  return growth.measureGrowth(options);
}

async function measureCells({ only, connections, rounds, seconds }) {
  const [bench, { CELLS }, { measureFootprint }, { measureInRounds }, { openStage }] = await Promise.all([
    import('./machine.mjs'),
    import('./cells/all.mjs'),
    import('./footprint.mjs'),
    import('./rounds.mjs'),
    import('./stage.mjs'),
  ]);
  const cells = chooseCells(CELLS, only && only.filter((name) => name !== FOOTPRINT));
  const stage = await openStage();
  const measured = await measureInRounds(stage, cells, { rounds, connections, seconds });
  const footprint =
    only === null || only.includes(FOOTPRINT) ? await measureFootprint(await stage.part('service')) : null;
  await stage.close();

  return {
    postgres: stage.postgresVersion,
    databaseName: bench.databaseName,
    rounds,
    seconds,
    connections,
    cells: measured,
    footprint,
  };
}
