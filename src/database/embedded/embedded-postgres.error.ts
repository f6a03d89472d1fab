/**
 * The embedded database cannot be used, and a person has to do something about it. The message is one line that says what; whoever
 * starts the service prints it and exits 78.
 */
export class EmbeddedPostgresError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message.replace(/\s*\n\s*/g, ' ').trim(), options);
    this.name = 'EmbeddedPostgresError';
  }
}

/** The `code` of a file system, network or PostgreSQL error. */
export function codeOf(error: unknown): string | undefined {
  const code = isErrorLike(error) ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** An error's message in words, also for the errors that have an empty one (a refused connection to several addresses). */
export function reasonOf(error: unknown): string {
  return isErrorLike(error) ? error.message || (codeOf(error) ?? error.name) : String(error);
}

/** Not `instanceof`: under Jest, Node's own errors are made by another realm's `Error`. */
function isErrorLike(error: unknown): error is Error & { code?: unknown } {
  return typeof error === 'object' && error !== null && 'message' in error;
}
