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

const has = (program) => spawnSync('which', [program]).status === 0;
export const canPin = has('taskset') && cpus().length > 1;
export const hasPgbench = has('pgbench');

/** One core serves; the other makes the load and runs PostgreSQL. Without `taskset` the system places them. */
export const SERVER_CORE = 0;
export const OTHER_CORE = 1;
export const pinned = (core, command) => (canPin ? ['taskset', '-c', String(core), ...command] : command);

export function start(core, command, env = {}) {
  const [program, ...args] = pinned(core, command);
  return spawn(program, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
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
  if (child.exitCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

/** A folder that the database's own user can reach too. */
export function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
  chmodSync(folder, 0o755);
  return folder;
}
export const remove = (folder) => rmSync(folder, { recursive: true, force: true });

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

export async function load(port, connections, seconds, requests) {
  const child = start(OTHER_CORE, [process.execPath, 'bench/load.mjs', port, connections, seconds].map(String));
  child.stdin.end(requests.map((bytes) => bytes.toString('base64')).join('\n'));
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  return JSON.parse(text);
}

/** Runs a statement of ours under pgbench, on the server's core, so that it meets PostgreSQL as the service does. */
export function pgbench(address, script, connections, seconds) {
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
      env: { ...process.env, PGPASSWORD: address.password },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return Math.round(Number(/tps = ([\d.]+)/.exec(output)[1]));
  } finally {
    remove(folder);
  }
}

/** The same by a bare loop over the driver, where pgbench is not installed. */
export async function driverLoop(address, statement, connections, seconds) {
  const child = start(SERVER_CORE, [process.execPath, 'bench/driver-loop.mjs', String(connections), String(seconds)]);
  child.stdin.end(JSON.stringify({ address, statement }));
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  return Number(text);
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

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
