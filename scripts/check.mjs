#!/usr/bin/env node
// `npm run check`: everything CI checks, in the order in which failures are cheapest to find. Every step runs even after a failed
// one, so that one run shows all that is wrong; the last line counts the tests of all steps.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBrowser } from './find-browser.mjs';

const results = mkdtempSync(join(tmpdir(), 'latchkey-check-'));
// Jest's own options; the fault tests take the same and write a report with the same counts.
const jest = (name) => ['--', '--json', `--outputFile=${join(results, `${name}.json`)}`];
/** Where the step of that name writes why the registry could not be asked. */
const auditNotRun = join(results, 'audit-not-run.txt');
const steps = [
  ['lint', 'npm', ['run', 'lint']],
  ['format', 'npm', ['run', 'format:check']],
  ['types', 'npm', ['run', 'typecheck']],
  ['build', 'npm', ['run', 'build']],
  ['dependencies', 'npm', ['run', 'check:dependencies', '--', '--not-run', auditNotRun]],
  ['tests', 'npm', ['test', ...jest('tests')]],
  ['clients', 'npm', ['run', 'test:clients', ...jest('clients')]],
  ['faults', 'npm', ['run', 'test:faults', ...jest('faults')]],
  ['example', 'npm', ['run', 'test:example']],
];
/** What this machine has no means for, with the reason; named in the summary, so that nobody takes it for tested. */
const notRun = [];
if (findBrowser()) steps.push(['browser', 'npm', ['run', 'test:browser', ...jest('browser')]]);
else notRun.push(['browser', 'no Chromium found; install one or set BROWSER_PATH']);

const summary = [];
for (const [name, command, args] of steps) {
  const startedAt = Date.now();
  process.stdout.write(`\n=== ${name}: ${command} ${args.join(' ')}\n`);
  const { status } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  summary.push({ name, isPassed: status === 0, seconds: ((Date.now() - startedAt) / 1000).toFixed(1) });
}

if (existsSync(auditNotRun)) notRun.push(['audit', readFileSync(auditNotRun, 'utf8')]);

let passed = 0;
let failed = 0;
for (const { name, isPassed, seconds } of summary) {
  process.stdout.write(`${isPassed ? 'ok    ' : 'FAILED'} ${name.padEnd(12)} ${seconds.padStart(7)} s\n`);
  const counts = countsOf(name);
  passed += counts?.numPassedTests ?? (isPassed ? 1 : 0);
  // A step that failed without a failed test (a suite that did not load, a crash) is a failure all the same.
  failed += counts ? Math.max(counts.numFailedTests, isPassed ? 0 : 1) : isPassed ? 0 : 1;
}
for (const [name, reason] of notRun) process.stdout.write(`not run ${name.padEnd(11)} ${reason}\n`);
rmSync(results, { recursive: true, force: true });
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);

function countsOf(name) {
  try {
    return JSON.parse(readFileSync(join(results, `${name}.json`), 'utf8'));
  } catch {
    return undefined;
  }
}
