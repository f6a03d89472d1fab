// Key-values: reads, pages and puts beside PostgreSQL alone and the bare server; memory and start-up.
import * as bench from './machine.mjs';
import { BARE_PORT } from './stage.mjs';

const KEYS = 1000;
/** As many as the service's pool has. */
const POOL = 10;
const START_UP_PORT = 18_084;

const { COLUMNS, PUT } = bench.require('../dist/src/key-value/key-value.sql.js');
/** One key-value, asked for by itself: what the service's own statement does for each of those that it reads together. */
const FIND = { text: `SELECT ${COLUMNS('k')} FROM key_value k WHERE k.key = $1 AND k.label = $2 AND NOT k.deleted` };

const VARIABLES = `\\set k random(1, ${KEYS})\n\\set v random(1, 1000000000)\n`;
const key = `'bench/' || lpad((:k)::text, 4, '0')`;
const GET_SCRIPT = VARIABLES + bench.pgbenchStatement(FIND, [key, `''::text`]);
const PUT_SCRIPT =
  VARIABLES +
  bench.pgbenchStatement(PUT, [
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

const DATABASE_GET = 'database alone, GET';
const DATABASE_PUT = 'database alone, PUT';
/** The database's cell that each of ours is set beside. */
const DATABASE_CELLS = { 'GET one key': DATABASE_GET, 'PUT new value': DATABASE_PUT };

const PAGE_PATH = '/kv?key=bench%2F00*';
const path = (name) => `/kv/${encodeURIComponent(name)}`;

/** @returns what was measured, for the results file, and the tables to show */
export async function measureKeyValues({ address, service, idleMb }, { connections, seconds, rounds }) {
  const { port } = service;
  const names = Array.from({ length: KEYS }, (_, index) => `bench/${String(index + 1).padStart(4, '0')}`);
  const get = names.map((name) => bench.signed(port, 'GET', path(name)));
  const puts = Array.from({ length: 10 * KEYS }, (_, index) =>
    bench.signed(port, 'PUT', path(names[(index * 7) % KEYS]), {
      body: JSON.stringify({ value: `${'v'.repeat(190)}${index}` }),
    }),
  );
  // 7 and the number of keys have no common divisor: the first KEYS puts make every key once.
  for (const request of puts.slice(0, KEYS)) await bench.sendOnce(port, request);
  const page = bench.signed(port, 'GET', PAGE_PATH);

  const load = (requests) => bench.load(port, connections, seconds, requests);
  const database = (script, name, { text }) => bench.database(address, script, [{ name, text }], POOL, seconds);
  const results = await bench.inRounds(
    {
      'bare node:http': () =>
        bench.load(BARE_PORT, connections, seconds, [bench.signed(BARE_PORT, 'GET', '/kv/bench%2F1')]),
      'GET one key': () => load(get),
      'GET a page of 99': () => load([page]),
      // Puts change the page for the next round, so its tag is asked for each time.
      'GET the same page unchanged (304)': async () => {
        const etag = await currentEtag(port, page);
        return load([bench.signed(port, 'GET', PAGE_PATH, { headers: { 'If-None-Match': etag } })]);
      },
      'PUT new value': () => load(puts),
      [DATABASE_GET]: () => database(GET_SCRIPT, 'get', FIND),
      [DATABASE_PUT]: () => database(PUT_SCRIPT, 'put', PUT),
    },
    rounds,
  );
  const loadedMb = bench.residentMb(service.pid);
  const startUp = await measureStartUp();
  return {
    connections,
    idleMb,
    loadedMb,
    startUp,
    results,
    tables: [
      rateTable(results),
      {
        'memory idle': `${idleMb} MB`,
        'memory after load': `${loadedMb} MB`,
        'ready from nothing': `${startUp.fromNothingMs} ms`,
        'ready from existing data': `${startUp.fromExistingMs} ms`,
      },
    ],
  };
}

function rateTable(results) {
  const rate = (name) => bench.median(results[name].map(({ perSecond }) => perSecond));
  const ratio = (name, yardstick) => (rate(name) / rate(yardstick)).toFixed(2);
  return Object.entries(results).map(([name, rounds]) => ({
    path: name,
    'per second': rate(name),
    'of bare node:http': name.startsWith('database') ? '' : ratio(name, 'bare node:http'),
    [`of ${bench.databaseName}`]: name in DATABASE_CELLS ? ratio(name, DATABASE_CELLS[name]) : '',
    'p50 ms': bench.median(rounds.map(({ p50 }) => p50 ?? 0)) || '',
    'p99 ms': bench.median(rounds.map(({ p99 }) => p99 ?? 0)) || '',
  }));
}

async function currentEtag(port, page) {
  const target = new URL(`http://127.0.0.1:${port}${PAGE_PATH}&api-version=2023-11-01`);
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

/** From the start of the program to the first 200 on /readyz, with the embedded database. */
async function measureStartUp() {
  const data = bench.newFolder();
  const ready = async () => {
    const startedAt = performance.now();
    const child = bench.start(
      bench.SERVER_CORE,
      ['sh', '-c', `exec "${process.execPath}" dist/src/main.js 2>/dev/null`],
      { DATA_DIR: data, PORT: String(START_UP_PORT), GRPC_PORT: '0' },
    );
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${START_UP_PORT}/readyz`).catch(() => null);
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
