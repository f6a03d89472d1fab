/**
 * A command that did not do its work, in one line for the person who asked for it. Nothing was changed, except where the kind is
 * `unknown`.
 */
export class CommandError extends Error {
  /**
   * @param kind `input`: the file or the options have to change; `locked`: a read-only key-value stands in the way; `failure`: the
   *   database would not do it; `unknown`: the connection broke while the database committed; `interrupted`: a person wanted it to end
   */
  constructor(
    readonly kind: 'input' | 'locked' | 'failure' | 'unknown' | 'interrupted',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'CommandError';
  }
}

export const inputError = (message: string): CommandError => new CommandError('input', message);
