import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Logger } from 'pino';
import { CommandError } from '../command/command-error.js';
import { type Settings } from '../config/settings.js';
import { SettingsError } from '../config/settings-error.js';
import { type DatabaseAddress, dataSourceOptions } from '../database/connection.js';
import { ServiceDataSource } from '../database/service-data-source.js';
import { applyImport } from './import.js';
import { formatOf, type ImportFile, parseImportFile } from './import-file.js';
import { checkRows } from './import-row.js';
import { scopeFrom } from './scope.js';
import { summary } from './preview.js';
import { progressLines } from './progress.js';

/** How the names of a seed file that is no key-value set are made. */
const NAMES = { prefix: '', label: '', separator: ':' };

/**
 * Applies SEED_FILE, once per start and before anything is served. Replicas that start together take turns, and whoever comes later
 * finds everything as the file has it.
 *
 * @throws SettingsError when the file cannot be applied; nothing was changed then
 */
export async function applySeed(
  seedFile: string,
  settings: Settings,
  address: DatabaseAddress | string,
  logger: Logger,
): Promise<void> {
  try {
    const file = await readSeed(seedFile);
    const rows = checkRows(seedFile, file.rows, settings);
    const mode = file.mode ?? 'add-only';
    const source = await new ServiceDataSource(
      dataSourceOptions(address, { poolMax: 1, pooler: settings.dbPooler }),
    ).initialize();
    const runner = source.createQueryRunner();
    try {
      const progress = progressLines((line) => logger.info(`seed file: ${line}`));
      const options = { file: seedFile, mode, scope: scopeFrom(file.scope), limits: settings, progress };
      const plan = await applyImport(runner, rows, options, { actor: 'seed', address: '', requestId: randomUUID() });
      logger.info({ file: seedFile, mode }, `seed file applied: ${summary(plan, mode, false)}`);
    } finally {
      await runner.release();
      await source.destroy();
    }
  } catch (error) {
    if (!(error instanceof CommandError) || error.kind === 'unknown') throw error;
    throw new SettingsError([`SEED_FILE: ${error.message}`]);
  }
}

async function readSeed(seedFile: string): Promise<ImportFile> {
  const format = formatOf(seedFile);
  if (format === undefined) {
    throw new SettingsError([
      `SEED_FILE is ${JSON.stringify(seedFile)}; expected a name that ends in .json, .yaml, .yml or .properties`,
    ]);
  }
  return parseImportFile(seedFile, await readFile(seedFile), format, false, NAMES);
}
