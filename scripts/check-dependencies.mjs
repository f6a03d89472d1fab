#!/usr/bin/env node
// `npm run check:dependencies`: known holes in production dependencies, and their licences. Exit code 1 for a high or critical finding, or
// a licence that is not on the list. Where the registry takes no such question (mirrors often do not), the audit is named as not run.
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { licenceFaults, productionSbom } from './sbom.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const audit = auditOutcome();
process.stdout.write(`audit     ${audit.text}\n`);
const faults = licenceFaults(productionSbom());
process.stdout.write(`licences  ${faults.length === 0 ? 'ok' : `FAILED: ${faults.join('; ')}`}\n`);
process.exitCode = audit.isFailed || faults.length > 0 ? 1 : 0;

/** @returns {{ text: string, isFailed: boolean }} */
function auditOutcome() {
  const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  const report = parse(stdout);
  const found = report?.metadata?.vulnerabilities;
  if (!found) return { text: `not run: ${report?.message ?? 'the registry gave no answer'}`, isFailed: false };
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
