// What the benchmarks share: pinned processes, signed requests, pgbench over the very statement that the service sends.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { cpus, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const require = createRequire(import.meta.url);
export const KEY = { id: 'bench', secret: Buffer.from('a secret for benchmarks').toString('base64') };

export const has = (program) => spawnSync('which', [program]).status === 0;
export const canPin = has('taskset') && cpus().length > 1;
export const hasPgbench = has('pgbench');

/** One core serves; the other makes the load and runs PostgreSQL. Without `taskset` the system places them. */
export const SERVER_CORE = 0;
export const OTHER_CORE = 1;
export const pinned = (core, command) => (canPin ? ['taskset', '-c', String(core), ...command] : command);

/** What still runs, or lies about, when a benchmark fails or is interrupted goes down with it. */
const children = new Set();
const folders = new Set();
process.on('exit', () => {
  children.forEach((child) => child.kill('SIGTERM'));
  folders.forEach(remove);
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** @param options.endsWithUs true for a program that ends by itself, in good order, when its standard input does */
export function start(core, command, env = {}, { endsWithUs = false } = {}) {
  const [program, ...args] = pinned(core, command);
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (!endsWithUs) children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

export async function firstOutput(child, pattern) {
  let text = '';
  for await (const chunk of child.stdout) {
    text += chunk;
    const match = pattern.exec(text);
    if (match) {
      child.stdout.resume();
      return match;
    }
  }
  throw new Error(`no ${pattern} in: ${text}`);
}

export async function stop(child, signal = 'SIGINT') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

/** A folder that the database's own user can reach too. */
export function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
  chmodSync(folder, 0o755);
  folders.add(folder);
  return folder;
}
export function remove(folder) {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

/** One request as bytes, signed like the official clients sign. */
export function signed(port, method, path, { body = '', headers = {} } = {}) {
  const target = `${path}${path.includes('?') ? '&' : '?'}api-version=2023-11-01`;
  const host = `127.0.0.1:${port}`;
  const date = new Date().toUTCString();
  const hash = createHash('sha256').update(body).digest('base64');
  const signature = createHmac('sha256', Buffer.from(KEY.secret, 'base64'))
    .update(`${method}\n${target}\n${date};${host};${hash}`)
    .digest('base64');
  const lines = {
    Host: host,
    'x-ms-date': date,
    'x-ms-content-sha256': hash,
    Authorization: `HMAC-SHA256 Credential=${KEY.id}&SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature}`,
    Accept: 'application/vnd.microsoft.appconfig.kv+json',
    ...(body ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) } : {}),
    ...headers,
  };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${head.join('')}\r\n${body}`);
}

/** Sends one request on a connection of its own and waits for the first bytes of the answer. */
export async function sendOnce(port, request) {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write(request);
  const [answer] = await once(socket, 'data');
  socket.destroy();
  const status = answer.toString('latin1', 9, 12);
  if (status !== '200') throw new Error(`priming was answered ${status}`);
}

export const load = (port, connections, seconds, requests) =>
  generate(
    ['bench/load.mjs', port, connections, seconds],
    requests.map((bytes) => bytes.toString('base64')).join('\n'),
  );

/** @param contention `own`, `hot` or `hot-waiting`: see the generator */
export const loadLocks = (way, port, clients, seconds, contention) =>
  generate(['bench/lock-load.mjs', way, port, clients, seconds, contention], '');

/** Runs a load generator to its end. @returns what it measured */
async function generate(args, input) {
  const child = start(OTHER_CORE, [process.execPath, ...args.map(String)]);
  child.stdin.end(input);
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  return JSON.parse(text);
}

/**
 * pgbench has no text variables, so each parameter becomes an expression over its numbers. It also takes every `:word` for a variable
 * of its own, in literals too.
 *
 * @param expressions in the order of the statement's parameters
 */
export function pgbenchStatement(statement, expressions) {
  const text = statement.text
    .replace(/'[^']*'/g, (literal) => (literal.includes(':') ? `E${literal.replaceAll(':', '\\x3a')}` : literal))
    .replace(/\$(\d+)/g, (_, index) => `(${expressions[Number(index) - 1]})`);
  return `${text.replaceAll('\n', ' ')};\n`;
}

/**
 * Runs statements of ours under pgbench, on the server's core and with the service's session settings, so that they meet PostgreSQL as
 * the service's do. @returns how often per second all of the script was run
 */
function pgbench(address, script, connections, seconds) {
  const folder = newFolder();
  const file = join(folder, 'statement.sql');
  writeFileSync(file, script);
  const args = [
    '-n',
    '-M',
    'prepared',
    '-c',
    connections,
    '-j',
    1,
    '-T',
    seconds,
    '-f',
    file,
    '-h',
    address.host,
    '-p',
    address.port,
    '-U',
    address.user,
    address.database,
  ];
  const [program, ...rest] = pinned(SERVER_CORE, ['pgbench', ...args.map(String)]);
  try {
    const output = execFileSync(program, rest, {
      env: { ...process.env, PGPASSWORD: address.password, PGOPTIONS: sessionOptions(address) },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return Math.round(Number(/tps = ([\d.]+)/.exec(output)[1]));
  } finally {
    remove(folder);
  }
}

/** The same by a bare loop over the driver, where pgbench is not installed. */
async function driverLoop(address, statements, connections, seconds) {
  const child = start(SERVER_CORE, [process.execPath, 'bench/driver-loop.mjs', String(connections), String(seconds)]);
  child.stdin.end(JSON.stringify({ address: { ...address, options: sessionOptions(address) }, statements }));
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  return Number(text);
}

/**
 * PostgreSQL alone: the service's own statements without the service.
 *
 * @param script for pgbench
 * @param statements `{ name, text }` for the driver; the name also says which values they take
 */
export async function database(address, script, statements, connections, seconds) {
  const run = hasPgbench
    ? pgbench(address, script, connections, seconds)
    : driverLoop(address, statements, connections, seconds);
  return { perSecond: await run };
}
export const databaseName = hasPgbench ? 'pgbench' : 'driver loop';

function sessionOptions(address) {
  const { dataSourceOptions } = require('../dist/src/database/connection.js');
  return dataSourceOptions(address, { poolMax: 1 }).extra.options;
}

export function machine() {
  return {
    cpu: cpus()[0].model,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    isPinned: canPin,
    release: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version,
  };
}

/** Resident memory of a process in MB. */
export const residentMb = (pid) =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024);

/** Runs all cells once per round, in turn, so that whatever else the machine does meets all of them. @returns results per cell */
export async function inRounds(cells, rounds) {
  const results = Object.fromEntries(Object.keys(cells).map((name) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const [name, measureCell] of Object.entries(cells)) {
      const result = await measureCell();
      results[name].push(result);
      const { perSecond, ...rest } = result;
      process.stderr.write(
        `round ${round}  ${name.padEnd(44)} ${String(perSecond).padStart(8)}/s  ${JSON.stringify(rest)}\n`,
      );
    }
  }
  return results;
}

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
