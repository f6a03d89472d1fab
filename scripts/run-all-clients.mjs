#!/usr/bin/env node
// `npm run test:clients:all`: the official clients of every language against the built service, over plain http and over TLS. What
// cannot run here (no toolchain, no registry) is named and counted as not run; it never counts as passed. Names of clients as
// arguments run only those.
//
// Packages lie in the caches of pip, go and mvn; environments and builds in LATCHKEY_CLIENTS_CACHE, else below the system's folder
// for temporary files.
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { buildIfStale } from './build-if-stale.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, 'test/clients');
const cache = process.env.LATCHKEY_CLIENTS_CACHE ?? join(tmpdir(), 'latchkey-clients');
const certificate = join(root, 'test/support/tls/test-only.cert.pem');
const certificateKey = join(root, 'test/support/tls/test-only.key.pem');
/** Seconds for packages to arrive and programs to build, on a slow line. */
const PREPARATION_SECONDS = 600;
/** Seconds for one client program; they need about ten. */
const PROGRAM_SECONDS = 180;
/** Seconds for the service to listen, its new database included, and to stop. */
const SERVICE_SECONDS = 60;

/** Stands for a toolchain or registry that is not there. */
class NotRun extends Error {}

/**
 * Each gets ready, which may throw `NotRun`, and returns the program to start: command, arguments and, by transport, the environment
 * in which it trusts our certificate.
 */
const PROGRAMS = {
  python: {
    title: 'Python',
    prepare: () => python('client.py', 'requirements.txt'),
  },
  'python-older': {
    title: 'Python, older',
    prepare: () => python('client.py', 'requirements-older.txt'),
  },
  'python-dapr': {
    title: 'Python, Dapr',
    prepare: () => python('dapr_client.py', 'requirements-dapr.txt'),
  },
  go: {
    title: 'Go',
    prepare: () => go('go'),
  },
  'go-dapr': {
    title: 'Go, Dapr',
    prepare: () => go('go/dapr'),
  },
  java: {
    title: 'Java',
    prepare: () => java('java', 'Client'),
  },
  'java-dapr': {
    title: 'Java, Dapr',
    prepare: () => java('java/dapr', 'DaprProgram'),
  },
  'dotnet-dapr': {
    title: '.NET, Dapr',
    prepare() {
      throw new NotRun('there is no program for it');
    },
  },
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => name !== 'javascript' && !PROGRAMS[name]);
if (unknown.length > 0) {
  process.stderr.write(`latchkey: no client ${unknown.join(', ')}; there are javascript, ${Object.keys(PROGRAMS)}\n`);
  process.exit(1);
}
const isWanted = (name) => wanted.length === 0 || wanted.includes(name);

const rows = [];
const children = new Set();
const dataDirs = new Set();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of children) child.kill('SIGKILL');
    cleanUp();
    process.exit(1);
  });
}

buildIfStale();
if (isWanted('javascript')) javascript();

const prepared = [];
for (const [name, { title, prepare }] of Object.entries(PROGRAMS)) {
  if (!isWanted(name)) continue;
  process.stdout.write(`\n=== ${title}: packages and build\n`);
  try {
    mkdirSync(join(cache, name), { recursive: true });
    prepared.push({ title, program: prepare() });
  } catch (error) {
    const isNotRun = error instanceof NotRun;
    process.stdout.write(`${isNotRun ? 'not run' : 'FAILED'}: ${error.message}\n`);
    rows.push({ title, transport: 'http, TLS', ok: 0, failed: isNotRun ? 0 : 1, notRun: isNotRun && error.message });
  }
}

for (const transport of prepared.length > 0 ? ['http', 'TLS'] : []) {
  const service = await startService(transport);
  for (const { title, program } of prepared) {
    process.stdout.write(`\n=== ${title} over ${transport}\n`);
    rows.push({ title, transport, ...(await run(program, transport, service.environment)) });
  }
  const { code, signal } = await stop(service);
  if (code !== 0) {
    process.stdout.write(`\nFAILED: the service ended with ${code ?? signal}\n${service.log.join('\n')}\n`);
    rows.push({ title: 'the service', transport, ok: 0, failed: 1 });
  }
}
cleanUp();

process.stdout.write(`\n${'client'.padEnd(16)}${'transport'.padEnd(12)}passed  failed\n`);
for (const { title, transport, ok, failed, notRun } of rows) {
  const result = notRun ? `not run: ${notRun}` : `${String(ok).padStart(6)}${String(failed).padStart(8)}`;
  process.stdout.write(`${title.padEnd(16)}${transport.padEnd(12)}${result}\n`);
}
const sum = (count) => rows.reduce((total, row) => total + count(row), 0);
const failures = sum(({ failed }) => failed);
process.stdout.write(
  `\n${sum(({ ok }) => ok)} passed, ${failures} failed, ${sum(({ notRun }) => (notRun ? 1 : 0))} not run\n`,
);
process.exit(failures === 0 ? 0 : 1);

/** The specs of test/compatibility, which start applications of their own, TLS included. */
function javascript() {
  process.stdout.write('\n=== JavaScript: the specs of test/compatibility\n');
  const results = join(cache, `jest-${randomBytes(4).toString('hex')}.json`);
  mkdirSync(cache, { recursive: true });
  const jest = [join(root, 'node_modules/jest/bin/jest.js'), '--selectProjects', 'clients'];
  const { status } = spawnSync(process.execPath, [...jest, '--json', `--outputFile=${results}`], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let ok = 0;
  let failed = status === 0 ? 0 : 1;
  try {
    const counts = JSON.parse(readFileSync(results, 'utf8'));
    ok = counts.numPassedTests;
    failed = Math.max(failed, counts.numFailedTests);
  } catch {
    failed = 1;
  }
  rmSync(results, { force: true });
  rows.push({ title: 'JavaScript', transport: 'http, TLS', ok, failed });
}

function python(program, requirements) {
  const folder = join(cache, requirements.replace('.txt', ''));
  const interpreter = join(folder, 'bin/python');
  need('python3', ['-m', 'venv', '--help']);
  build('python3', ['-m', 'venv', folder]);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  fetchPackages(interpreter, [...pip, '-r', join(sources, 'python', requirements)]);
  return {
    command: interpreter,
    args: [join(sources, 'python', program)],
    trust: {
      GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: certificate,
      REQUESTS_CA_BUNDLE: certificate,
      SSL_CERT_FILE: certificate,
    },
  };
}

/** @param module folder below `test/clients`, with a go.mod of its own */
function go(module) {
  const folder = join(sources, module);
  const program = join(cache, module, 'client');
  need('go', ['version']);
  fetchPackages('go', ['mod', 'download'], { cwd: folder });
  build('go', ['build', '-o', program, '.'], { cwd: folder });
  return { command: program, args: [], trust: { SSL_CERT_FILE: certificate } };
}

/** @param project folder below `test/clients`, with a pom.xml of its own */
function java(project, mainClass) {
  const folder = join(cache, project, 'build');
  const trustStore = join(folder, 'truststore.p12');
  for (const tool of ['java', 'javac']) need(tool, ['-version']);
  need('mvn', ['--version']);
  const maven = ['-q', '-B', `-DoutputFolder=${folder}`];
  // Maven fetches and builds in one; that it found no package it says in these words.
  build('mvn', [...maven, 'compile', 'dependency:build-classpath'], {
    cwd: join(sources, project),
    absent: /Could not (transfer|find) artifact|could not be resolved|No plugin found|Unknown host/,
  });
  rmSync(trustStore, { force: true });
  const store = ['-keystore', trustStore, '-storetype', 'PKCS12', '-storepass', 'changeit'];
  build('keytool', ['-importcert', '-noprompt', '-alias', 'latchkey', '-file', certificate, ...store]);
  const classPath = `${join(folder, 'classes')}:${readFileSync(join(folder, 'classpath'), 'utf8').trim()}`;
  const trust = `-Djavax.net.ssl.trustStore=${trustStore} -Djavax.net.ssl.trustStorePassword=changeit`;
  return { command: 'java', args: ['-cp', classPath, mainClass], trust: { JDK_JAVA_OPTIONS: trust } };
}

function need(command, args) {
  const { error, status } = spawnSync(command, args, { stdio: 'ignore' });
  if (error || status !== 0) throw new NotRun(`${command} is not here`);
}

function fetchPackages(command, args, options) {
  build(command, args, { ...options, absent: /^/ });
}

/** @param {{ cwd?: string, absent?: RegExp }} options `absent`: what a failure says that comes from a missing registry */
function build(command, args, { cwd = cache, absent } = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: PREPARATION_SECONDS * 1000,
  });
  if (status === 0) return;
  const output = `${stdout}${stderr}`.trim();
  process.stdout.write(`${output}\n`);
  const reason = `${basename(command)} ${args.find((arg) => !arg.startsWith('-'))} failed`;
  throw absent?.test(output) ? new NotRun(`${reason}: no packages`) : new Error(reason);
}

/**
 * A service of its own folder: plain and without a token for Dapr's clients, or with TLS and with one. It prints a connection string
 * for the key that it generated, and its addresses; `environment` has them as the clients read them.
 */
async function startService(transport) {
  const dataDir = join(tmpdir(), `latchkey-clients-${randomBytes(6).toString('hex')}`);
  dataDirs.add(dataDir);
  const isTls = transport === 'TLS';
  const tls = isTls ? { TLS_CERT_FILE: certificate, TLS_KEY_FILE: certificateKey } : {};
  const token = isTls ? { DAPR_API_TOKEN: randomBytes(12).toString('hex') } : {};
  const child = spawn(process.execPath, [join(root, 'dist/src/main.js')], {
    cwd: root,
    env: { PATH: process.env.PATH, PORT: '0', GRPC_PORT: '0', DATA_DIR: dataDir, ...tls, ...token },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  const exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  const log = [];
  createInterface(child.stderr).on('line', (line) => log.push(line));
  const service = { child, exited, log, environment: { ...token } };
  const listening = new Promise((resolve) => {
    createInterface(child.stdout).on('line', (line) => {
      const data = /^ {2}Data +(.+)$/.exec(line);
      if (data) dataDirs.add(data[1]);
      const connectionString = /Endpoint=\S+/.exec(line);
      if (connectionString) service.environment.APPCONFIG_CONNECTION_STRING = connectionString[0];
      const addresses = /^listening on (\S+) grpc (\S+)$/.exec(line);
      if (!addresses) return;
      service.environment.DAPR_HTTP_ENDPOINT = addresses[1];
      service.environment.DAPR_GRPC_ENDPOINT = `${isTls ? 'https' : 'http'}://${addresses[2]}`;
      resolve(true);
    });
  });
  const isUp = await Promise.race([listening, exited.then(() => false), after(SERVICE_SECONDS, child)]);
  if (!isUp) {
    process.stderr.write(`FAILED: the service did not start:\n${log.join('\n')}\n`);
    process.exit(1);
  }
  return service;
}

/** SIGTERM, which also ends the embedded database. */
async function stop({ child, exited }) {
  child.kill('SIGTERM');
  const end = await Promise.race([
    exited,
    after(SERVICE_SECONDS, child).then(() => ({ code: null, signal: 'SIGKILL' })),
  ]);
  children.delete(child);
  return end;
}

/** Leaves no files behind and, where a service ended by force, no PostgreSQL. */
function cleanUp() {
  for (const folder of dataDirs) {
    try {
      process.kill(Number(readFileSync(join(folder, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGQUIT');
    } catch {
      // It ended by itself, and then it removed the file.
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 20 });
  }
}

/** Counts the facts that a program prints; one that ends badly without a failed fact has failed all the same. */
async function run({ command, args, trust }, transport, environment) {
  const child = spawn(command, args, {
    cwd: cache,
    env: {
      ...process.env,
      ...(transport === 'TLS' ? trust : {}),
      PYTHONDONTWRITEBYTECODE: '1',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  let ok = 0;
  let failed = 0;
  createInterface(child.stdout).on('line', (line) => {
    process.stdout.write(`${line}\n`);
    if (line.startsWith('ok ')) ok++;
    if (line.startsWith('FAILED ')) failed++;
  });
  const closed = once(child, 'close').then(([code]) => code);
  const code = await Promise.race([closed, after(PROGRAM_SECONDS, child).then(() => 1)]);
  children.delete(child);
  return { ok, failed: code === 0 && ok > 0 ? failed : Math.max(failed, 1) };
}

/** False when the time is over; the child is then ended by force. */
function after(seconds, child) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      resolve(false);
    }, seconds * 1000);
    timer.unref();
    child.once('exit', () => clearTimeout(timer));
  });
}
