#!/usr/bin/env node
// `npm run check:dependencies`: known holes in production dependencies, and their licences. Exit code 1 for a high or critical finding, or
// a licence that is not on the list. Where the registry takes no such question (mirrors often do not), or gives no answer in time, the
// audit is named as not run. `--not-run FILE` also writes the reason there, for `npm run check`; `--timeout-seconds N` for that answer.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { licenceFaults, productionSbom } from './sbom.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const { values: options } = parseArgs({
  options: { 'not-run': { type: 'string' }, 'timeout-seconds': { type: 'string', default: '60' } },
});

const audit = auditOutcome(Number(options['timeout-seconds']));
if (audit.notRun !== undefined && options['not-run'] !== undefined) writeFileSync(options['not-run'], audit.notRun);
process.stdout.write(`audit     ${audit.text}\n`);
const faults = licenceFaults(productionSbom());
process.stdout.write(`licences  ${faults.length === 0 ? 'ok' : `FAILED: ${faults.join('; ')}`}\n`);
process.exitCode = audit.isFailed || faults.length > 0 ? 1 : 0;

/** @returns {{ text: string, isFailed: boolean, notRun?: string }} */
function auditOutcome(timeoutSeconds) {
  const { stdout, error } = spawnSync('npm', ['audit', '--omit=dev', '--json', '--fetch-retries=0'], {
    cwd: root,
    encoding: 'utf8',
    timeout: timeoutSeconds * 1000,
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024 * 1024,
  });
  const report = parse(stdout);
  const found = report?.metadata?.vulnerabilities;
  if (!found) {
    const isLate = error?.code === 'ETIMEDOUT';
    const silence = `the registry gave no answer${isLate ? ` within ${timeoutSeconds} s` : ''}`;
    const notRun = String(report?.message ?? report?.error?.summary ?? silence).split('\n', 1)[0];
    return { text: `not run: ${notRun}`, isFailed: false, notRun };
  }
  const grave = found.high + found.critical;
  const text = `${grave === 0 ? 'ok' : 'FAILED'}: ${found.critical} critical, ${found.high} high, ${found.total} in all`;
  return { text, isFailed: grave > 0 };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
