import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { Command, Option } from 'commander';
import { type Logger } from 'pino';
import { inputError } from '../command/command-error.js';
import { operatingSystemUser } from '../command/operating-system-user.js';
import { EXIT, readSettings, runProgram } from '../command/run-program.js';
import { withDatabase } from '../command/with-database.js';
import { type Settings } from '../config/settings.js';
import { type KeyValue } from '../key-value/key-value.js';
import { normaliseLabel } from '../key-value/rules/key-value-input.js';
import { createLogger } from '../logging/logger.js';
import { EXPORT_FORMATS, type ExportFormat, renderExport, tellsLabels } from './export-file.js';
import { applyImport, previewImport } from './import.js';
import { formatOf, IMPORT_FORMATS, type ImportFile, type ImportFormat, parseImportFile } from './import-file.js';
import { checkRows } from './import-row.js';
import { IMPORT_MODES, type ImportMode, type Scope, sizeOf } from './plan.js';
import { previewLines, summary } from './preview.js';
import { progressLines } from './progress.js';
import { scopeFrom } from './scope.js';
import { TransferRepository } from './transfer.repository.js';

/** Those that concern the size of key-values. */
const SETTINGS = ['MAX_ITEM_BYTES', 'MAX_NAME_BYTES'];

interface ImportArguments {
  format?: ImportFormat;
  mode?: ImportMode;
  prefix: string;
  label: string;
  separator: string;
  contentType?: string;
  scopeKey?: string;
  scopeLabel?: string;
  dryRun?: boolean;
  exitCode?: boolean;
  yes?: boolean;
}

interface ExportArguments {
  format: ExportFormat;
  key?: string;
  label?: string;
  prefix: string;
  separator: string;
  output?: string;
}

/** Runs the command and tells its exit code. Results go to stdout, everything about the way there to stderr. */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = EXIT.done;
  const program = new Command('npm run kv --').description(
    'Moves key-values between files and the database (DATABASE_URL, or the embedded one of DATA_DIR).',
  );
  const separator = ['--separator <text>', 'between the parts of a key in nested files', ':'] as const;
  program
    .command('import')
    .description('apply a file, all of it or nothing')
    .argument('<file>', 'JSON, YAML or .properties; - reads stdin')
    .addOption(new Option('--format <format>', 'instead of what the name of the file tells').choices(IMPORT_FORMATS))
    .addOption(
      new Option(
        '--mode <mode>',
        'add-only leaves what exists, mirror deletes what the file lacks (default: upsert)',
      ).choices(IMPORT_MODES),
    )
    .addOption(new Option('--prefix <text>', 'put before every key of a nested or properties file').default('', 'none'))
    .addOption(new Option('--label <label>', 'label of every key of a nested or properties file').default('', 'none'))
    .option(...separator)
    .option('--content-type <type>', 'content type of every key of a nested or properties file')
    .option('--scope-key <filter>', 'mirror only keys like this, such as app/*')
    .option('--scope-label <filter>', 'mirror only labels like this; \\0 means no label')
    .option('--dry-run', 'show what would be done, and do nothing')
    .option('--exit-code', 'with --dry-run: exit 5 when something would be done')
    .option('-y, --yes', 'let a mirror delete')
    .action(async (file: string, options: ImportArguments) => {
      code = await runImport(file, options);
    });
  program
    .command('export')
    .description('print key-values, or write them to a file')
    .addOption(new Option('--format <format>', 'what to print').choices(EXPORT_FORMATS).default('kvset'))
    .option('--key <filter>', 'only keys like this, such as app/*')
    .option('--label <filter>', 'only labels like this; \\0 means no label, which nested formats take unless told')
    .addOption(
      new Option(
        '--prefix <text>',
        'only keys that begin with it, printed without it (nested formats and properties)',
      ).default('', 'none'),
    )
    .option(...separator)
    .option('-o, --output <file>', 'write there instead of stdout')
    .action(async (options: ExportArguments) => {
      code = await runExport(options);
    });
  return runProgram(program, args, say, () => code);
}

const say = (line: string): void => void process.stderr.write(`kv: ${line}\n`);

async function runImport(path: string, options: ImportArguments): Promise<number> {
  const { settings, logger } = surroundings();
  const file = path === '-' ? 'stdin' : path;
  const parsed = await readImport(path, file, options);
  const mode = options.mode ?? parsed.mode ?? 'upsert';
  const isDryRun = options.dryRun ?? false;
  if (options.exitCode && !isDryRun) throw inputError('--exit-code goes with --dry-run');
  if (mode === 'mirror' && !isDryRun && !options.yes) {
    throw inputError('a mirror deletes what the file lacks: look with --dry-run first, then say --yes');
  }
  const rows = checkRows(file, parsed.rows, settings);
  const progress = progressLines(say);
  const scope = scopeOf(parsed, mode, options);
  const importOptions = { file, mode, scope, limits: settings, progress };
  return withDatabase(settings, !isDryRun, logger, say, async ({ runner }) => {
    const plan = isDryRun
      ? await previewImport(runner, rows, importOptions)
      : await applyImport(runner, rows, importOptions, {
          actor: `import:${operatingSystemUser()}`,
          address: '',
          requestId: randomUUID(),
        });
    if (isDryRun) for (const line of previewLines(plan)) process.stdout.write(`${line}\n`);
    const text = summary(plan, mode, isDryRun);
    process.stdout.write(isDryRun ? `${text} (dry run: nothing was changed)\n` : `${text}\n`);
    return options.exitCode && sizeOf(plan) > 0 ? EXIT.differences : EXIT.done;
  });
}

async function readImport(path: string, file: string, options: ImportArguments): Promise<ImportFile> {
  const format = options.format ?? formatOf(file);
  if (format === undefined) throw inputError(`${file}: its name does not tell the format: say --format`);
  const { separator, prefix, contentType } = options;
  if (separator === '') throw inputError('--separator is empty');
  const bytes = await (path === '-' ? buffer(process.stdin) : readFile(path)).catch((error: unknown) => {
    throw inputError(`${file} cannot be read: ${(error as Error).message}`);
  });
  const label = normaliseLabel(options.label === '\\0' ? '\0' : options.label);
  const names = { prefix, label, separator, ...(contentType === undefined ? {} : { contentType }) };
  const parsed = parseImportFile(file, bytes, format, options.format !== undefined, names);
  if (parsed.isKvset && (prefix !== '' || label !== '' || contentType !== undefined)) {
    throw inputError(`${file} says key, label and content type itself: leave out --prefix, --label and --content-type`);
  }
  return parsed;
}

/** A file that says no labels is a mirror of its own label and prefix only. */
function scopeOf({ isKvset, scope }: ImportFile, mode: ImportMode, options: ImportArguments): Scope {
  const { scopeKey: key, scopeLabel: label } = options;
  const isNarrowed = key !== undefined || label !== undefined;
  if (isNarrowed && mode !== 'mirror') throw inputError('--scope-key and --scope-label go with --mode mirror');
  const chosen = scopeFrom(isNarrowed ? { key, label } : scope);
  if (isKvset) return chosen;
  const ownLabel = normaliseLabel(options.label === '\\0' ? '\0' : options.label);
  return {
    key: key === undefined && options.prefix !== '' ? { kind: 'prefix', value: options.prefix } : chosen.key,
    label:
      label === undefined ? (ownLabel === '' ? { kind: 'null' } : { kind: 'exact', value: ownLabel }) : chosen.label,
  };
}

async function runExport(options: ExportArguments): Promise<number> {
  const { settings, logger } = surroundings();
  const { format, prefix, output } = options;
  if (options.separator === '') throw inputError('--separator is empty');
  if (tellsLabels(format) && prefix !== '') throw inputError(`--prefix does not go with the format ${format}`);
  const scope = scopeFrom({ key: options.key, label: options.label ?? (tellsLabels(format) ? undefined : '\\0') });
  const progress = progressLines(say);
  const items = await withDatabase(settings, false, logger, say, ({ runner }) =>
    TransferRepository.inTransaction(runner, 'read', async (repository) => {
      const found: KeyValue[] = [];
      let read = 0;
      for await (const item of repository.list(scope)) {
        if (++read % 1000 === 0) progress('read', read, null);
        if (item.key.startsWith(prefix)) found.push(item);
      }
      return found;
    }),
  );
  const text = renderExport(items, format, options);
  if (output === undefined) await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
  else {
    await writeFile(output, text).catch((error: unknown) => {
      throw inputError(`${output} cannot be written: ${(error as Error).message}`);
    });
    say(`${items.length} key-values written to ${output}`);
  }
  return EXIT.done;
}

function surroundings(): { settings: Settings; logger: Logger } {
  return { settings: readSettings(...SETTINGS), logger: createLogger('warn', 'pretty') };
}
