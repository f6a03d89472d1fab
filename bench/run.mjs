#!/usr/bin/env node
// `npm run bench`: the key-value paths beside the machine's own limits, in one run, in alternating rounds; medians and ratios.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as bench from './machine.mjs';

const CONNECTIONS = Number(process.env.BENCH_CONNECTIONS ?? 64);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 4);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const KEYS = 1000;
const BARE_PORT = 18_080;

const { COLUMNS, PUT } = bench.require('../dist/src/key-value/key-value.sql.js');
/** One key-value, asked for by itself: what the service's own statement does for each of those that it reads together. */
const FIND = { text: `SELECT ${COLUMNS('k')} FROM key_value k WHERE k.key = $1 AND k.label = $2 AND NOT k.deleted` };

/** pgbench has no text variables: each parameter becomes an expression over its numbers. */
function pgbenchScript(statement, expressions) {
  const text = statement.text.replace(/\$(\d+)/g, (_, index) => `(${expressions[Number(index) - 1]})`);
  return `\\set k random(1, ${KEYS})\n\\set v random(1, 1000000000)\n${text.replaceAll('\n', ' ')};\n`;
}
const key = `'bench/' || lpad((:k)::text, 4, '0')`;
const getScript = pgbenchScript(FIND, [key, `''::text`]);
const putScript = pgbenchScript(PUT, [
  key,
  `''::text`,
  `md5((:v)::text)`,
  `'bench'::text`,
  `'127.0.0.1'::text`,
  `'00000000-0000-4000-8000-000000000000'::text`,
  `'none'::text`,
  `NULL::text`,
  `repeat('v', 190) || (:v)::text`,
  `NULL::text`,
  `'{}'::text`,
  `NULL::text`,
  `false`,
]);

const folder = bench.newFolder();
const postgres = bench.start(bench.OTHER_CORE, [process.execPath, 'bench/postgres.mjs', folder]);
const [, addressText] = await bench.firstOutput(postgres, /^(\{.*\})$/m);
const address = JSON.parse(addressText);
const databaseUrl = `postgres://${address.user}:${encodeURIComponent(address.password)}@${encodeURIComponent(address.host)}:${address.port}/${address.database}`;
const dataDir = bench.newFolder();
const env = {
  DATABASE_URL: databaseUrl,
  DATA_DIR: dataDir,
  PORT: '0',
  ACCESS_KEYS: `${bench.KEY.id}:${bench.KEY.secret}:rw`,
  LOG_FORMAT: 'json',
  LOG_LEVEL: process.env.LOG_LEVEL ?? 'info',
  WORKERS: process.env.WORKERS ?? '1',
};
const service = bench.start(
  bench.SERVER_CORE,
  ['sh', '-c', `exec "${process.execPath}" dist/src/main.js 2>/dev/null`],
  env,
);
const [, port] = await bench.firstOutput(service, /^listening on http:\/\/127\.0\.0\.1:(\d+) /m);
const idleMb = bench.residentMb(service.pid);
const bare = bench.start(bench.SERVER_CORE, [process.execPath, 'bench/bare-server.mjs', String(BARE_PORT)]);

const names = Array.from({ length: KEYS }, (_, index) => `bench/${String(index + 1).padStart(4, '0')}`);
const path = (name) => `/kv/${encodeURIComponent(name)}`;
const get = names.map((name) => bench.signed(port, 'GET', path(name)));
const puts = Array.from({ length: 10 * KEYS }, (_, index) =>
  bench.signed(port, 'PUT', path(names[(index * 7) % KEYS]), {
    body: JSON.stringify({ value: `${'v'.repeat(190)}${index}` }),
  }),
);
// 7 and the number of keys have no common divisor: the first KEYS puts make every key once.
for (const request of puts.slice(0, KEYS)) await bench.sendOnce(port, request);
const pagePath = '/kv?key=bench%2F00*';
const page = bench.signed(port, 'GET', pagePath);
const etag = await currentPageEtag();

const cells = {
  'bare node:http': () =>
    bench.load(BARE_PORT, CONNECTIONS, SECONDS, [bench.signed(BARE_PORT, 'GET', '/kv/bench%2F1')]),
  'GET one key': () => bench.load(port, CONNECTIONS, SECONDS, get),
  'GET a page of 99': () => bench.load(port, CONNECTIONS, SECONDS, [page]),
  'GET the same page unchanged (304)': () =>
    bench.load(port, CONNECTIONS, SECONDS, [
      bench.signed(port, 'GET', pagePath, { headers: { 'If-None-Match': etag } }),
    ]),
  'PUT new value': () => bench.load(port, CONNECTIONS, SECONDS, puts),
  'database alone, GET': () => database(getScript, { kind: 'get', text: FIND.text }),
  'database alone, PUT': () => database(putScript, { kind: 'put', text: PUT.text }),
};
// The page is measured before anything is put in a round, so that it stays unchanged; puts change it for the next round.
const results = Object.fromEntries(Object.keys(cells).map((name) => [name, []]));
for (let round = 1; round <= ROUNDS; round++) {
  for (const [name, measure] of Object.entries(cells)) {
    const result = await (name.includes('304') ? measure304() : measure());
    results[name].push(result);
    process.stderr.write(
      `round ${round}  ${name.padEnd(36)} ${String(result.perSecond).padStart(8)}/s  ${JSON.stringify(result.statuses ?? {})}\n`,
    );
  }
}
const loadedMb = bench.residentMb(service.pid);
await bench.stop(bare, 'SIGKILL');
await bench.stop(service);
const startUp = await measureStartUp();
postgres.stdin.end();

const rate = (name) => bench.median(results[name].map(({ perSecond }) => perSecond));
const databaseName = bench.hasPgbench ? 'pgbench' : 'driver loop';
const rows = Object.entries(results).map(([name, rounds]) => ({
  path: name,
  'per second': rate(name),
  'of bare node:http': name.startsWith('database') ? '' : (rate(name) / rate('bare node:http')).toFixed(2),
  [`of ${databaseName}`]:
    name === 'PUT new value'
      ? (rate(name) / rate('database alone, PUT')).toFixed(2)
      : name === 'GET one key'
        ? (rate(name) / rate('database alone, GET')).toFixed(2)
        : '',
  'p50 ms': bench.median(rounds.map(({ p50 }) => p50 ?? 0)) || '',
  'p99 ms': bench.median(rounds.map(({ p99 }) => p99 ?? 0)) || '',
}));
console.table(rows);
console.table({
  'memory idle': `${idleMb} MB`,
  'memory after load': `${loadedMb} MB`,
  'ready from nothing': `${startUp.fromNothingMs} ms`,
  'ready from existing data': `${startUp.fromExistingMs} ms`,
});
mkdirSync(join(bench.root, 'bench', 'results'), { recursive: true });
const file = join(bench.root, 'bench', 'results', `${new Date().toISOString().replaceAll(':', '-')}.json`);
writeFileSync(
  file,
  JSON.stringify(
    {
      machine: bench.machine(),
      connections: CONNECTIONS,
      seconds: SECONDS,
      databaseName,
      idleMb,
      loadedMb,
      startUp,
      results,
    },
    null,
    2,
  ),
);
bench.remove(folder);
bench.remove(dataDir);
process.exit(0);

async function database(script, statement) {
  // 10 connections, like the service's pool.
  const perSecond = bench.hasPgbench
    ? bench.pgbench(address, script, 10, SECONDS)
    : await bench.driverLoop(address, statement, 10, SECONDS);
  return { perSecond };
}

async function currentPageEtag() {
  const target = new URL(`http://127.0.0.1:${port}${pagePath}&api-version=2023-11-01`);
  const lines = page
    .toString()
    .split('\r\n')
    .slice(1)
    .filter(Boolean)
    .map((line) => line.split(': '));
  const answer = await fetch(target, { headers: Object.fromEntries(lines.filter(([name]) => name !== 'Host')) });
  if (answer.status !== 200) throw new Error(`page: ${answer.status}`);
  await answer.arrayBuffer();
  return answer.headers.get('etag');
}

async function measure304() {
  const current = await currentPageEtag();
  return bench.load(port, CONNECTIONS, SECONDS, [
    bench.signed(port, 'GET', pagePath, { headers: { 'If-None-Match': current } }),
  ]);
}

/** From the start of the program to the first 200 on /readyz, with the embedded database. */
async function measureStartUp() {
  const data = bench.newFolder();
  const ready = async () => {
    const startedAt = performance.now();
    const child = bench.start(
      bench.SERVER_CORE,
      ['sh', '-c', `exec "${process.execPath}" dist/src/main.js 2>/dev/null`],
      { DATA_DIR: data, PORT: String(BARE_PORT) },
    );
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${BARE_PORT}/readyz`).catch(() => null);
      if (answer?.status === 200) break;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const elapsed = Math.round(performance.now() - startedAt);
    await bench.stop(child);
    return elapsed;
  };
  const fromNothingMs = await ready();
  const fromExistingMs = bench.median([await ready(), await ready(), await ready()]);
  bench.remove(data);
  return { fromNothingMs, fromExistingMs };
}
