import { type QueryRunner } from 'typeorm';
import { CommandError } from '../command/command-error.js';
import { type Row } from '../database/database.js';
import { isConnectionLost, sqlState } from '../database/database-errors.js';
import { toStoredText } from '../database/stored-text.js';
import { type Author, type KeyValue } from '../key-value/key-value.js';
import { type KeyValueFilter, listPage, PAGE_SIZE } from '../key-value/key-value-list.sql.js';
import { COLUMN_COUNT, toKeyValue } from '../key-value/key-value.sql.js';
import { newEtag } from '../key-value/rules/etag.js';
import { type Progress } from './progress.js';
import { identityOf, type Plan, sizeOf, type Write } from './plan.js';
import {
  BURY,
  FIND,
  FIND_AND_LOCK,
  MAKE_ROOM,
  OWN_LIMITS,
  STAMP,
  STAMP_LIMIT,
  TAKE_TURN,
  WRITE,
} from './transfer.sql.js';

/** Rows of one statement: at the largest item about 10 MB, and often enough for news of the progress. */
const BATCH = 1000;

export interface Name {
  readonly key: string;
  readonly label: string;
}

/** What the driver's client does for us. TypeORM's own `query` gives objects, and these statements repeat no column name. */
interface PgClient {
  query(query: { text: string; values?: readonly unknown[]; rowMode: 'array' }): Promise<{ rows: Row[] }>;
}

/** The transfer's way to the tables of key-values: many rows by one connection, inside one transaction. */
export class TransferRepository {
  private constructor(private readonly client: PgClient) {}

  /**
   * Runs the work in one transaction that is committed only when it ends well.
   *
   * @param kind a reading one sees a single moment; a writing one waits until no other import runs
   */
  static async inTransaction<T>(
    runner: QueryRunner,
    kind: 'read' | 'write',
    work: (repository: TransferRepository) => Promise<T>,
  ): Promise<T> {
    const repository = new TransferRepository((await runner.connect()) as PgClient);
    let isCommitting = false;
    try {
      await repository.query(kind === 'read' ? 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' : 'BEGIN');
      for (const limit of OWN_LIMITS.split(';')) await repository.query(limit);
      if (kind === 'write') await repository.query(TAKE_TURN);
      const result = await work(repository);
      isCommitting = kind === 'write';
      await repository.query('COMMIT');
      return result;
    } catch (error) {
      if (isCommitting && isConnectionLost(error)) {
        const message =
          'the connection broke while the database committed: run it with --dry-run to see what became of it';
        throw new CommandError('unknown', message, { cause: error });
      }
      await repository.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  /** All key-values of a filter that are not deleted, in the order of the store. */
  async *list(filter: Pick<KeyValueFilter, 'key' | 'label'>): AsyncGenerator<KeyValue> {
    let after: Name | null = null;
    for (;;) {
      const { statement, values } = listPage({ ...filter, tags: [], before: null }, after);
      const page: KeyValue[] = (await this.query(statement.text, values)).map((row) => toKeyValue(row, 0));
      yield* page;
      if (page.length < PAGE_SIZE) return;
      after = page.at(-1)!;
    }
  }

  /** The stored key-values of these names, by identity. */
  async find(names: readonly Name[], progress: Progress): Promise<Map<string, KeyValue>> {
    return this.collect(FIND, names, progress);
  }

  /**
   * The same, with every row locked until the transaction ends.
   *
   * @param names in the order of the store
   * @param wanted those of them that will exist afterwards, of which none may come into being meanwhile
   */
  async lock(names: readonly Name[], wanted: readonly Name[], progress: Progress): Promise<Map<string, KeyValue>> {
    for (const batch of batches(wanted)) await this.query(MAKE_ROOM, columns(batch));
    return this.collect(FIND_AND_LOCK, names, progress);
  }

  async write(plan: Plan, author: Author, progress: Progress): Promise<void> {
    const total = sizeOf(plan);
    if (total === 0) return;
    let done = 0;
    for (const batch of batches<Write>([...plan.adds, ...plan.changes])) {
      const inputs = batch.map(({ input }) => input);
      await this.query(WRITE, [
        ...columns(batch),
        inputs.map(({ value }) => (value === null ? null : toStoredText(value))),
        inputs.map(({ contentType }) => contentType),
        inputs.map(({ tags }) => tags),
        inputs.map(({ description }) => (description === null ? null : toStoredText(description))),
      ]);
      progress('written', (done += batch.length), total);
    }
    for (const batch of batches<Name>(plan.deletes)) {
      await this.query(BURY, columns(batch));
      progress('written', (done += batch.length), total);
    }
    await this.stamp([...plan.adds, ...plan.changes, ...plan.deletes], author);
  }

  private async stamp(names: readonly Name[], { actor, address, requestId }: Author): Promise<void> {
    await this.query(STAMP_LIMIT);
    try {
      await this.query(STAMP, [...columns(names), names.map(() => newEtag()), actor, address, requestId]);
    } catch (error) {
      if (sqlState(error) !== '57014') throw error;
      const message = `${names.length} changes are too many to be made at once by this database: import the file in parts`;
      throw new CommandError('failure', message, { cause: error });
    }
  }

  private async collect(text: string, names: readonly Name[], progress: Progress): Promise<Map<string, KeyValue>> {
    const found = new Map<string, KeyValue>();
    let done = 0;
    for (const batch of batches(names)) {
      for (const row of await this.query(text, columns(batch))) {
        if (row[COLUMN_COUNT] === true) continue;
        const item = toKeyValue(row, 0);
        found.set(identityOf(item), item);
      }
      progress('compared', (done += batch.length), names.length);
    }
    return found;
  }

  private async query(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.client.query({ text, values, rowMode: 'array' })).rows;
  }
}

const columns = (names: readonly Name[]): [string[], string[]] => [
  names.map(({ key }) => key),
  names.map(({ label }) => label),
];

function* batches<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < list.length; start += BATCH) yield list.slice(start, start + BATCH);
}
