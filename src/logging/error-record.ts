/**
 * Members of an error that the log may show beside its message: where it comes from and what to look up. All others stay out, because
 * PostgreSQL puts the whole row into `detail` and pieces of statements into `where`, and TypeORM the values into `parameters`.
 */
const SHOWN = ['code', 'severity', 'table', 'column', 'constraint', 'routine', 'syscall', 'address', 'port'] as const;
/** An error whose cause is itself must not keep the log busy for ever. */
const MAX_DEPTH = 5;

/** An error as a line of the log shows it; anything else as it is. */
export function errorRecord(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const members = error as Error & { readonly errors?: unknown } & Readonly<Record<string, unknown>>;
  const record: Record<string, unknown> = {
    type: error.constructor.name,
    message: error.message,
    stack: error.stack,
  };
  for (const name of SHOWN) if (members[name] !== undefined) record[name] = members[name];
  if (depth >= MAX_DEPTH) return record;
  if (error.cause !== undefined) record['cause'] = errorRecord(error.cause, depth + 1);
  if (Array.isArray(members.errors)) record['errors'] = members.errors.map((each) => errorRecord(each, depth + 1));
  return record;
}
