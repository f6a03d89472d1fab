/**
 * A transfer that did not happen, in one line for the person who asked for it. Nothing was changed, except where the kind is
 * `unknown`.
 */
export class TransferError extends Error {
  /**
   * @param kind `input`: the file or the options have to change; `locked`: a read-only key-value stands in the way; `failure`: the
   *   database would not do it; `unknown`: the connection broke while the database committed
   */
  constructor(
    readonly kind: 'input' | 'locked' | 'failure' | 'unknown',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'TransferError';
  }
}

export const inputError = (message: string): TransferError => new TransferError('input', message);

/** Text between quotes with everything escaped that a terminal would act on, cut to a length that stays on a line. */
export function quoted(text: string, maxLength = 60): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength - 1).toWellFormed()}…` : text;
  return JSON.stringify(cut).replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `"app/greeting"` or `"app/greeting" (label "dev")`. */
export const nameOf = ({ key, label }: { key: string; label: string }): string =>
  label === '' ? quoted(key) : `${quoted(key)} (label ${quoted(label)})`;
