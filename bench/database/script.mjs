// Statements of ours without the service in front of them: by pgbench, or by a bare loop over the driver where that is not installed.
//
// A script is `{ numbers, once, each }`: which random numbers are drawn before each run, as the largest value of each; statements that
// each client runs once before all others; and those that are run over and over. A statement is `{ sql, keeps }`; in it `:name` stands
// for a number, for `client_id`, or for a column that a statement before it kept.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import * as bench from '../machine.mjs';

/** As many as the service's pool has: more clients than that share them. */
export const POOL = 10;

/**
 * One of the service's statements with an expression for each parameter. pgbench takes every `:word` for a variable of its own, in
 * literals too.
 *
 * @param expressions in the order of the statement's parameters
 */
export function statement({ text: sql }, expressions, { keeps = false } = {}) {
  const replaced = sql
    .replace(/'[^']*'/g, (literal) => (literal.includes(':') ? `E${literal.replaceAll(':', '\\x3a')}` : literal))
    .replace(/\$(\d+)/g, (_, index) => `(${expressions[Number(index) - 1]})`);
  return { sql: replaced.replaceAll('\n', ' '), keeps };
}

/** @returns how often per second all of the script's repeated statements were run */
export async function runScript(address, script, connections, seconds) {
  const clients = Math.min(connections, POOL);
  const perSecond = await (bench.hasPgbench ? pgbench : driverLoop)(address, script, clients, seconds);
  return { perSecond: Math.round(perSecond) };
}

/** On the server's core and with the service's session settings, so that the statements meet PostgreSQL as the service's do. */
async function pgbench(address, script, clients, seconds) {
  const folder = bench.newFolder();
  const file = join(folder, 'script.sql');
  writeFileSync(file, pgbenchText(script));
  const { host, port, user, password, database } = address;
  const args = [
    ['--no-vacuum', '--protocol', 'prepared', '--define', 'started=0', '--file', file],
    ['--client', clients, '--jobs', 1, '--time', Math.max(1, Math.round(seconds))],
    ['--host', host, '--port', port, '--username', user, database],
  ].flat();
  const [program, ...rest] = bench.pinned(bench.SERVER_CORE, ['pgbench', ...args.map(String)]);
  try {
    const env = { ...process.env, PGPASSWORD: password, PGOPTIONS: sessionOptions(address) };
    const { stdout } = await promisify(execFile)(program, rest, { env });
    return Number(/tps = ([\d.]+)/.exec(stdout)[1]);
  } finally {
    bench.remove(folder);
  }
}

function pgbenchText({ numbers = {}, once = [], each }) {
  const lines = ({ sql, keeps }) => (keeps ? `${sql} \\gset` : `${sql};`);
  return [
    ...Object.entries(numbers).map(([name, largest]) => `\\set ${name} random(1, ${largest})`),
    ...(once.length > 0 ? ['\\if :started = 0', ...once.map(lines), '\\set started 1', '\\endif'] : []),
    ...each.map(lines),
    '',
  ].join('\n');
}

async function driverLoop(address, script, clients, seconds) {
  const child = bench.start(bench.SERVER_CORE, [process.execPath, 'bench/database/driver-loop.mjs']);
  child.stdin.end(
    JSON.stringify({ address: { ...address, options: sessionOptions(address) }, script, clients, seconds }),
  );
  return Number(await text(child.stdout));
}

/** The service's own session settings, as the driver and libpq take them. */
export function sessionOptions(address) {
  const { dataSourceOptions } = bench.require('../dist/src/database/connection.js');
  return dataSourceOptions(address, { poolMax: 1 }).extra.options;
}
