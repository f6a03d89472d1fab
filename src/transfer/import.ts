import { type QueryRunner } from 'typeorm';
import { type Author, type KeyValue } from '../key-value/key-value.js';
import { badRow, type ImportRow, type Limits } from './import-row.js';
import { identityOf, type ImportMode, isInScope, makePlan, type Plan, type Scope, sizeOf } from './plan.js';
import { type Progress } from './progress.js';
import { type Name, TransferRepository } from './transfer.repository.js';

export interface ImportOptions {
  /** Name of the file, for people. */
  readonly file: string;
  readonly mode: ImportMode;
  /** What a mirror stands for; the other modes have none. */
  readonly scope: Scope;
  readonly limits: Limits;
  readonly progress: Progress;
}

/** What an import would do by what is stored now. Locks nothing and changes nothing. */
export async function previewImport(
  runner: QueryRunner,
  rows: readonly ImportRow[],
  options: ImportOptions,
): Promise<Plan> {
  return TransferRepository.inTransaction(runner, 'read', async (repository) => {
    const { sorted, names } = await concerned(repository, rows, options);
    return planFor(sorted, await repository.find(names, options.progress), options);
  });
}

/**
 * Makes the store what the rows and the mode say, in one transaction or not at all.
 *
 * @returns what was done
 * @throws CommandError
 */
export async function applyImport(
  runner: QueryRunner,
  rows: readonly ImportRow[],
  options: ImportOptions,
  author: Author,
): Promise<Plan> {
  // Most seeds change nothing; seeing that takes no lock.
  const preview = await previewImport(runner, rows, { ...options, progress: () => undefined });
  if (sizeOf(preview) === 0) return preview;
  return TransferRepository.inTransaction(runner, 'write', async (repository) => {
    const { sorted, names } = await concerned(repository, rows, options);
    const plan = planFor(sorted, await repository.lock(names, sorted, options.progress), options);
    await repository.write(plan, author, options.progress);
    return plan;
  });
}

const planFor = (rows: readonly ImportRow[], stored: ReadonlyMap<string, KeyValue>, options: ImportOptions): Plan =>
  makePlan(options.file, rows, stored, options.mode, options.limits);

/** The rows in the order of the store, and every name that the import reads and locks, in the same order. */
async function concerned(
  repository: TransferRepository,
  rows: readonly ImportRow[],
  { file, mode, scope }: ImportOptions,
): Promise<{ sorted: ImportRow[]; names: Name[] }> {
  const sorted = inStoreOrder(rows);
  if (mode !== 'mirror') return { sorted, names: sorted };
  const stranger = rows.find((row) => !isInScope(scope, row));
  if (stranger) throw badRow(file, stranger, 'key and label', 'outside the scope of the mirror');
  const names = new Map<string, Name>(sorted.map((row) => [identityOf(row), row]));
  for await (const { key, label } of repository.list(scope)) names.set(identityOf({ key, label }), { key, label });
  return { sorted, names: inStoreOrder([...names.values()]) };
}

/** By bytes of UTF-8, as the database orders names. */
function inStoreOrder<T extends Name>(names: readonly T[]): T[] {
  return names
    .map((name) => ({ name, bytes: Buffer.from(identityOf(name)) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ name }) => name);
}
