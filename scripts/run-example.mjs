#!/usr/bin/env node
// `npm run test:example`: the built service with the example of examples/realistic-configuration, through a crash. Everything here is
// what a user would do: start it, use it, lose it to `kill -9` in the middle of writing, start it again, stop it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AppConfigurationClient } from '@azure/app-configuration';
import { buildIfStale } from './build-if-stale.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Seconds for everything, ten times what two idle cores need; a hang shall not hold up whoever waits for the result. */
const TOTAL_SECONDS = 180;
/** SIGTERM: two seconds of notice to load balancers, then at most ten for requests under way. */
const STOP_SECONDS = 15;
/** Fewer than the service has database connections, so that none is told to come back later. */
const WRITERS = 8;
/** Acknowledged writes after which the service is killed. */
const WRITES_BEFORE_THE_KILL = 500;

// The service makes it; below the system's own folder, so that an unprivileged database user can reach it.
const dataDir = join(tmpdir(), `latchkey-example-${randomBytes(6).toString('hex')}`);
const children = new Set();
/** Where the database really lies; another folder than `dataDir` where its user cannot reach that. */
let databaseDir = dataDir;
const timings = [];
let isFailing = false;

buildIfStale();
const deadline = setTimeout(() => void fail(new Error(`not done within ${TOTAL_SECONDS} s`)), TOTAL_SECONDS * 1000);
process.on('SIGINT', () => void fail(new Error('interrupted')));
process.on('SIGTERM', () => void fail(new Error('interrupted')));

try {
  let service = await timed('start with an empty folder', () => start());
  await timed('example', () => example(service));
  const acknowledged = await timed('writes until kill -9', () => writeUntilKilled(service));
  service = await timed('start again after kill -9', () => start());
  await timed('example --verify', () => example(service, '--verify'));
  await timed('look for acknowledged writes', () => findAll(service, acknowledged));
  await timed('stop on SIGTERM', () => stop(service));

  const wasTakenOver = service.log.some((line) => line.includes('taken over as it runs'));
  process.stdout.write('\n');
  for (const { title, seconds } of timings) process.stdout.write(`${seconds.padStart(7)} s  ${title}\n`);
  process.stdout.write(
    `\nok: ${acknowledged.size} keys with acknowledged writes survived kill -9; the second start ` +
      `${wasTakenOver ? 'took over the running PostgreSQL' : 'started PostgreSQL afresh'}\n`,
  );
  await cleanUp();
  clearTimeout(deadline);
} catch (error) {
  await fail(error);
}

/** Starts the service and reads what it tells people: where it listens and how to get in. */
async function start() {
  const child = spawn(process.execPath, [join(root, 'dist/src/main.js')], {
    cwd: root,
    env: { PATH: process.env.PATH, PORT: '0', GRPC_PORT: 'off', DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  const exited = once(child, 'exit').then(([code, signal]) => {
    children.delete(child);
    return { code, signal };
  });
  const log = [];
  createInterface(child.stderr).on('line', (line) => log.push(line));
  const service = { child, exited, log, connectionString: '' };
  const listening = new Promise((resolve) => {
    createInterface(child.stdout).on('line', (line) => {
      const data = /^ {2}Data +(.+)$/.exec(line);
      if (data) databaseDir = data[1];
      const connectionString = /^ *(Endpoint=\S+)$/.exec(line);
      if (connectionString) service.connectionString = connectionString[1];
      if (line.startsWith('listening on ')) resolve(true);
    });
  });
  const isUp = await Promise.race([listening, exited.then(() => false)]);
  if (!isUp) throw new Error(`the service did not start:\n${log.join('\n')}`);
  assert.notEqual(service.connectionString, '', 'the service printed no connection string');
  return service;
}

async function example({ connectionString }, ...args) {
  const child = spawn(process.execPath, [join(root, 'examples/realistic-configuration/main.mjs'), ...args], {
    env: { PATH: process.env.PATH, APPCONFIG_CONNECTION_STRING: connectionString },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  children.add(child);
  const [code] = await once(child, 'exit');
  children.delete(child);
  assert.equal(code, 0, `the example ended with code ${code}`);
}

/**
 * Several writers, each with keys of its own, until the service is gone. What a writer was told is kept; what it had sent without an
 * answer may have happened or not.
 *
 * @returns by key: the last acknowledged number and the last number sent
 */
async function writeUntilKilled({ connectionString, child, exited }) {
  const client = connect(connectionString);
  const written = new Map();
  let count = 0;
  let isKilled = false;
  const writer = async (name) => {
    for (let number = 1; ; number++) {
      // Every third write makes a key; the others change one.
      const key = `crash/${name}/${number - (number % 3)}`;
      const former = written.get(key) ?? { acknowledged: 0 };
      written.set(key, { ...former, sent: number });
      try {
        await client.setConfigurationSetting({ key, value: String(number) });
      } catch (error) {
        if (isKilled) return;
        if (error.statusCode !== 503) throw error;
        // It is to come again, for the machine is busy; the same number is as good then, whatever became of the first.
        number--;
        continue;
      }
      written.set(key, { acknowledged: number, sent: number });
      if (++count === WRITES_BEFORE_THE_KILL) {
        isKilled = true;
        child.kill('SIGKILL');
      }
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, index) => writer(index)));
  assert.equal((await exited).signal, 'SIGKILL');
  return new Map([...written].filter(([, { acknowledged }]) => acknowledged > 0));
}

async function findAll({ connectionString }, written) {
  const found = new Map();
  for await (const { key, value } of connect(connectionString).listConfigurationSettings({ keyFilter: 'crash/*' })) {
    found.set(key, Number(value));
  }
  for (const [key, { acknowledged, sent }] of written) {
    const value = found.get(key);
    assert.ok(value === acknowledged || value === sent, `${key} is ${value}; ${acknowledged} was acknowledged`);
  }
}

function connect(connectionString) {
  return new AppConfigurationClient(connectionString, {
    allowInsecureConnection: true,
    retryOptions: { maxRetries: 0 },
  });
}

async function stop({ child, exited }) {
  child.kill('SIGTERM');
  const end = await Promise.race([exited, pause(STOP_SECONDS * 1000, null, { ref: false })]);
  assert.deepEqual(end, { code: 0, signal: null }, `SIGTERM: expected exit code 0 within ${STOP_SECONDS} s`);
}

async function timed(title, action) {
  const startedAt = performance.now();
  process.stdout.write(`- ${title}\n`);
  const result = await action();
  timings.push({ title, seconds: ((performance.now() - startedAt) / 1000).toFixed(2) });
  return result;
}

/** Leaves nothing behind: no process, a PostgreSQL that outlived its service included, and no files. */
async function cleanUp() {
  for (const child of children) child.kill('SIGKILL');
  const postmaster = postmasterPid();
  if (postmaster !== undefined) {
    signal(postmaster, 'SIGQUIT');
    for (let waited = 0; waited < 5000 && signal(postmaster, 0); waited += 50) await pause(50);
  }
  for (const folder of new Set([dataDir, databaseDir])) rmSync(folder, { recursive: true, force: true });
}

/** Undefined when PostgreSQL ended by itself: it then removed the file. */
function postmasterPid() {
  try {
    return Number(readFileSync(join(databaseDir, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]);
  } catch {
    return undefined;
  }
}

/** Whether the process was there to get it. */
function signal(pid, name) {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

async function fail(error) {
  // Whatever breaks while we clean up follows from that.
  if (isFailing) return;
  isFailing = true;
  process.stderr.write(`FAILED: ${error instanceof Error ? error.message : String(error)}\n`);
  await cleanUp();
  process.exit(1);
}
