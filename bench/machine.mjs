// What the benchmarks share: pinned processes, scratch folders, free ports, and what the machine is.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const require = createRequire(import.meta.url);

export const has = (program) => spawnSync('which', [program]).status === 0;
export const canPin = has('taskset') && cpus().length > 1;
export const hasPgbench = has('pgbench');
/** What the statements are run by without the service. */
export const databaseName = hasPgbench ? 'pgbench' : 'driver loop';

/** One core serves; the other makes the load and runs PostgreSQL. Without `taskset` the system places them. */
export const SERVER_CORE = 0;
export const OTHER_CORE = 1;
/** For a service of several processes: wherever the system places them. */
export const ALL_CORES = null;
export const pinned = (core, command) =>
  canPin && core !== ALL_CORES ? ['taskset', '-c', String(core), ...command] : command;

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

/** Free when it was asked for; for programs that cannot choose one themselves. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Resident memory of a process in MB; null where the system does not tell. */
export function residentMb(pid) {
  try {
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024);
  } catch {
    return null;
  }
}

/** What the figures belong to. */
export function machine() {
  return {
    cpu: cpus()[0].model,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    // Without what a distributor adds to it.
    kernel: `${process.platform} ${release().split('-')[0]}`,
    isPinned: canPin,
    release: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version,
    commit: firstLine('git', ['-C', root, 'rev-parse', '--short', 'HEAD']),
    node: process.version,
    pgbench: firstLine('pgbench', ['--version']),
    etcd: firstLine('etcd', ['--version']),
    redis: firstLine('redis-server', ['--version']),
  };
}

/** Null where the program is missing. */
function firstLine(program, args) {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0];
  } catch {
    return null;
  }
}
