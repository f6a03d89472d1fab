// Times and buffers of the operations on stores of several sizes, the sizes in turn, so that whatever else the machine does meets all.
import { loadavg } from 'node:os';
import pg from 'pg';
import { HttpConnection } from '../generator/http-connection.mjs';
import { sessionOptions } from '../database/script.mjs';
import { signed } from '../signed-request.mjs';
import { openStage, startService } from '../stage.mjs';
import { median } from '../statistics.mjs';
import { OPERATIONS } from './operations.mjs';
import { fill, REVISIONS } from './store.mjs';

/** A prepared statement has its final plan after five executions, and each subject is met before the clock runs. */
const WARM_UP = 200;
/** How long one operation is repeated in one round, and how often at the least. */
const ROUND_MS = 250;
const FEWEST = 5;

/** @returns what the results file has under `growth` */
export async function measureGrowth({ sizes, rounds }) {
  const stage = await openStage();
  const stores = [];
  for (const size of sizes) stores.push(await openStore(stage.address, size));
  const operations = [];
  for (const operation of OPERATIONS) {
    const { id, name, limit } = operation;
    const measured = { id, name, limit, results: {} };
    for (const store of stores) measured.results[store.size] = await look(store, operation);
    for (let round = 0; round < rounds; round++) {
      for (const store of stores) await measureOnce(store, operation, measured.results[store.size]);
    }
    for (const { size } of stores) report(name, size, measured.results[size]);
    operations.push(measured);
  }
  for (const store of stores) await store.close();
  await stage.close();
  const megabytes = Object.fromEntries(stores.map(({ size, megabytes }) => [size, megabytes]));
  return {
    postgres: stage.postgresVersion,
    growth: { sizes, revisions: REVISIONS, megabytes, load: loadavg(), operations },
  };
}

/** A database of its own with a service in front, which has made its tables. */
async function openStore(server, size) {
  const startedAt = performance.now();
  const database = `growth_${size}`;
  const admin = new pg.Client(server);
  await admin.connect();
  await admin.query(`ALTER SYSTEM SET max_wal_size = '16GB'`);
  await admin.query('SELECT pg_reload_conf()');
  await admin.query(`CREATE DATABASE ${database}`);
  await admin.end();
  const address = { ...server, database };
  const service = await startService(address, 'service');
  const { subjects, megabytes } = await fill(address, size);
  process.stderr.write(`${size} key-values in ${Math.round((performance.now() - startedAt) / 1000)} s\n`);
  const client = new pg.Client({ ...address, options: sessionOptions(address) });
  await client.connect();
  const { rows } = await client.query('SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS transaction');
  return {
    size,
    megabytes,
    subjects,
    transaction: rows[0].transaction,
    client,
    port: service.port,
    async close() {
      await client.end();
      await service.stop();
    },
  };
}

/** Warms up; then the largest number of buffers that the operation touched for any of ten subjects. */
async function look(store, operation) {
  const { client, subjects } = store;
  const result = { buffers: 0, sqlMs: [], httpMs: operation.http ? [] : null };
  try {
    await repeat((index) => runSql(store, operation, index), WARM_UP, 2000);
    for (let index = 0; index < subjects.length; index += subjects.length / 10) {
      const { statement, values } = operation.sql(subjects[index], store);
      const buffers = await buffersRead(client, statement.text, values);
      result.buffers = Math.max(result.buffers, buffers);
    }
  } catch (error) {
    // Longer than a statement may take.
    if (error.code !== '57014') throw error;
    result.failed = error.message;
  }
  if (operation.http) await repeatHttp(store, operation, WARM_UP, 2000);
  return result;
}

async function measureOnce(store, operation, result) {
  if (result.failed) return;
  result.sqlMs.push(median(await repeat((index) => runSql(store, operation, index), Infinity, ROUND_MS)));
  if (operation.http) result.httpMs.push(median(await repeatHttp(store, operation, Infinity, ROUND_MS)));
}

/** On a connection of its own: the service ends those that are idle, as they are while other sizes have their turn. */
async function repeatHttp({ port, subjects }, operation, most, milliseconds) {
  const http = new HttpConnection(port);
  try {
    return await repeat(
      (index) => runHttp(http, port, operation.http(subjects[index % subjects.length])),
      most,
      milliseconds,
    );
  } finally {
    http.close();
  }
}

/** @returns milliseconds of each run */
async function repeat(run, most, milliseconds) {
  const times = [];
  const until = performance.now() + milliseconds;
  for (let index = 0; index < most && (index < FEWEST || performance.now() < until); index++) {
    const startedAt = await run(index);
    times.push(performance.now() - startedAt);
  }
  return times;
}

/** @returns when it was sent: what comes before is not measured */
async function runSql(store, operation, index) {
  const { statement, values } = operation.sql(store.subjects[index % store.subjects.length], store);
  const startedAt = performance.now();
  await store.client.query({ name: statement.name || undefined, text: statement.text, values, rowMode: 'array' });
  return startedAt;
}

async function runHttp(http, port, { target, headers }) {
  const request = signed(port, 'GET', target, { headers });
  const startedAt = performance.now();
  const [status, body] = await new Promise((resolve) => http.send(request, (...answer) => resolve(answer)));
  if (status !== '200') throw new Error(`${target} answered ${status}: ${body}`);
  return startedAt;
}

function literal(client, value) {
  if (Array.isArray(value)) return `ARRAY[${value.map((one) => literal(client, one))}]::text[]`;
  return value === null ? 'NULL' : client.escapeLiteral(String(value));
}
const argumentList = (client, values) =>
  values.length === 0 ? '' : `(${values.map((value) => literal(client, value)).join(', ')})`;

/** By the plan of a prepared statement: with the session's plan_cache_mode the service gets it for every statement, named or not. */
async function buffersRead(client, text, values) {
  await client.query(`PREPARE looked_at AS ${text}`);
  await client.query('BEGIN');
  try {
    const { rows } = await client.query(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE looked_at ${argumentList(client, values)}`,
    );
    return buffersOf(rows[0]['QUERY PLAN'][0].Plan);
  } finally {
    await client.query('ROLLBACK');
    await client.query('DEALLOCATE looked_at');
  }
}

/** The topmost node's figures contain those of all below it, save of changes that nothing reads from: they run behind it. */
function buffersOf(plan) {
  const text = JSON.stringify(plan);
  const own = (node) => node['Shared Hit Blocks'] + node['Shared Read Blocks'];
  const unread = (plan.Plans ?? []).filter(({ ['Node Type']: type, ['Subplan Name']: name }) => {
    return type === 'ModifyTable' && name?.startsWith('CTE ') && !text.includes(`"CTE Name":"${name.slice(4)}"`);
  });
  return [plan, ...unread].reduce((sum, node) => sum + own(node), 0);
}

function report(name, size, { buffers, sqlMs, httpMs, failed }) {
  const time = (list) => (list?.length ? median(list).toFixed(3) : '-').padStart(10);
  const outcome = failed ?? `${time(sqlMs)} ${time(httpMs)} ${String(buffers).padStart(8)} buffers`;
  process.stderr.write(`${name.padEnd(45)} ${String(size).padStart(8)} ${outcome}\n`);
}
