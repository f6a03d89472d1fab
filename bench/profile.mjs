#!/usr/bin/env node
// `node bench/profile.mjs PATH [SECONDS]`: where the service's time goes on one hot path under load from 64 connections, by what it is
// spent on and by function; PATH is one of get, page, unchanged, put, lock. Run `npm run build` before.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import * as bench from './machine.mjs';

const [path = 'get', seconds = '5'] = process.argv.slice(2);
const postgres = bench.start(bench.OTHER_CORE, [process.execPath, 'bench/postgres.mjs'], {}, { endsWithUs: true });
const [, text] = await bench.firstOutput(postgres, /^(\{.*\})$/m);
const { user, password, host, port, database } = JSON.parse(text);
const folder = bench.newFolder();
const service = bench.start(
  bench.SERVER_CORE,
  ['sh', '-c', `exec "${process.execPath}" --cpu-prof --cpu-prof-interval 200 --cpu-prof-dir "${folder}" dist/src/main.js 2>/dev/null`],
  {
    DATABASE_URL: `postgres://${user}:${encodeURIComponent(password)}@${encodeURIComponent(host)}:${port}/${database}`,
    DATA_DIR: bench.newFolder(),
    PORT: '0',
    GRPC_PORT: '0',
    ACCESS_KEYS: `${bench.KEY.id}:${bench.KEY.secret}:rw`,
    LOG_FORMAT: 'json',
  },
);
const [, httpPort] = await bench.firstOutput(service, /^listening on http:\/\/127\.0\.0\.1:(\d+) grpc/m);

const names = Array.from({ length: 1000 }, (_, index) => `bench/${String(index + 1).padStart(4, '0')}`);
const of = (name) => `/kv/${encodeURIComponent(name)}`;
const puts = Array.from({ length: 10_000 }, (_, index) =>
  bench.signed(httpPort, 'PUT', of(names[(index * 7) % 1000]), {
    body: JSON.stringify({ value: `${'v'.repeat(190)}${index}` }),
  }),
);
for (const request of puts.slice(0, 1000)) await bench.sendOnce(httpPort, request);
const page = '/kv?key=bench%2F00*';
const requests = {
  get: () => names.map((name) => bench.signed(httpPort, 'GET', of(name))),
  page: () => [bench.signed(httpPort, 'GET', page)],
  unchanged: () => [bench.signed(httpPort, 'GET', page, { headers: { 'If-None-Match': etag } })],
  put: () => puts,
};
const etag = await pageEtag();
const result =
  path === 'lock'
    ? await bench.loadLocks('dapr-http', httpPort, 64, seconds, 'own')
    : await bench.load(httpPort, 64, seconds, requests[path]());
await bench.stop(service);
const profile = JSON.parse(readFileSync(join(folder, readdirSync(folder).find((name) => name.endsWith('.cpuprofile')))));
postgres.stdin.end();
await once(postgres, 'exit');
console.log(JSON.stringify(result));
summarise(profile);
process.exit(0);

async function pageEtag() {
  const lines = bench.signed(httpPort, 'GET', page).toString().split('\r\n').slice(1).filter(Boolean);
  const headers = Object.fromEntries(lines.map((line) => line.split(': ')).filter(([name]) => name !== 'Host'));
  const answer = await fetch(`http://127.0.0.1:${httpPort}${page}&api-version=2023-11-01`, { headers });
  return answer.headers.get('etag');
}

/** Self time of the load's middle, by function, and by the library or part of ours that the function belongs to. */
function summarise({ nodes, samples, timeDeltas, startTime, endTime }) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const from = endTime - (Number(seconds) + 0.5) * 1e6;
  const functions = new Map();
  const parts = new Map();
  const inclusive = new Map();
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node])));
  let at = startTime;
  let total = 0;
  samples.forEach((id, index) => {
    at += timeDeltas[index];
    if (at < from) return;
    const { functionName, url, lineNumber } = byId.get(id).callFrame;
    if (functionName === '(idle)') return;
    const where = url.replace(/^file:\/\//, '').replace(bench.root, '');
    const part =
      /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(where)?.[1] ??
      /dist\/src\/([^/]+)/.exec(where)?.[1] ??
      (where.startsWith('node:') ? where.split('/')[0] + '/' + (where.split('/')[1] ?? '') : where || functionName);
    const name = `${functionName || '(anonymous)'} ${where}:${lineNumber + 1}`;
    functions.set(name, (functions.get(name) ?? 0) + timeDeltas[index]);
    parts.set(part, (parts.get(part) ?? 0) + timeDeltas[index]);
    total += timeDeltas[index];
    const seen = new Set();
    for (let node = byId.get(id); node; node = parents.get(node.id)) {
      const frame = `${node.callFrame.functionName || '(anonymous)'} ${node.callFrame.url.replace(bench.root, '')}:${node.callFrame.lineNumber + 1}`;
      if (seen.has(frame)) continue;
      seen.add(frame);
      inclusive.set(frame, (inclusive.get(frame) ?? 0) + timeDeltas[index]);
    }
  });
  const rows = (map, count) =>
    [...map]
      .sort(([, a], [, b]) => b - a)
      .slice(0, count)
      .map(([name, time]) => `${((100 * time) / total).toFixed(1).padStart(5)} %  ${name}`)
      .join('\n');
  console.log(`busy ${(total / 1e6).toFixed(2)} s\n${rows(parts, 22)}\n\n${rows(functions, 50)}\n\ninclusive\n${rows(inclusive, 90)}`);
}
