#!/usr/bin/env node
// `node bench/profile.mjs CELL [SECONDS]`: where the service's time goes while one cell of the benchmark loads it from 64 connections, by
// the library or part of ours, and by function with and without what it calls. Run `npm run build` before.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CELLS } from './cells/all.mjs';
import * as bench from './machine.mjs';
import { openStage } from './stage.mjs';

const [id, secondsText = '4'] = process.argv.slice(2);
const seconds = Number(secondsText);
const cell = CELLS.find((one) => one.id === id && one.on === 'service');
if (!cell) throw new Error(`no cell of the service is called ${id}; npm run bench -- --list names them`);

const folder = bench.newFolder();
const stage = await openStage({
  nodeFlags: ['--cpu-prof', '--cpu-prof-interval', '200', '--cpu-prof-dir', folder],
});
const service = await stage.part('service');
await cell.prepare?.(service);
const result = await cell.run(service, { connections: 64, seconds, pid: service.pid });
// The profile is written when the service ends.
await stage.close();
const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'));
console.log(JSON.stringify(result));
summarise(JSON.parse(readFileSync(join(folder, file), 'utf8')));
process.exit(0);

function summarise({ nodes, samples, timeDeltas, startTime, endTime }) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const callers = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node])));
  const parts = new Map();
  const functions = new Map();
  const inclusive = new Map();
  const add = (map, name, time) => map.set(name, (map.get(name) ?? 0) + time);
  // What came before the load is start-up.
  const from = endTime - (seconds + 0.5) * 1e6;
  let at = startTime;
  let total = 0;
  samples.forEach((sample, index) => {
    const time = timeDeltas[index];
    at += time;
    const node = byId.get(sample);
    if (at < from || node.callFrame.functionName === '(idle)') return;
    total += time;
    add(parts, partOf(node.callFrame), time);
    add(functions, nameOf(node.callFrame), time);
    const seen = new Set();
    for (let one = node; one; one = callers.get(one.id)) seen.add(nameOf(one.callFrame));
    for (const name of seen) add(inclusive, name, time);
  });
  const list = (title, map, count) => {
    console.log(`\n${title}`);
    const rows = [...map].sort(([, a], [, b]) => b - a).slice(0, count);
    for (const [name, time] of rows) console.log(`${((100 * time) / total).toFixed(1).padStart(6)} %  ${name}`);
  };
  console.log(`busy for ${(total / 1e6).toFixed(2)} of ${seconds} s`);
  list('by part', parts, 25);
  list('by function', functions, 40);
  list('by function, with all that it calls', inclusive, 60);
}

function whereOf(url) {
  return url.replace(/^file:\/\//, '').replace(`${bench.root}/`, '');
}

function nameOf({ functionName, url, lineNumber }) {
  return `${functionName || '(anonymous)'} ${whereOf(url)}${url === '' ? '' : `:${lineNumber + 1}`}`;
}

function partOf({ functionName, url }) {
  const where = whereOf(url);
  const library = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(where)?.[1];
  const ours = /^dist\/(src\/[^/]+)/.exec(where)?.[1];
  return library ?? ours ?? (where.startsWith('node:') ? where : functionName);
}
