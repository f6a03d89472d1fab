/** The text of the escape that is none: the `%` and what follows it, at most three characters. */
export class BadEscapeError extends Error {
  constructor(readonly escape: string) {
    super(`invalid URL escape "${escape}"`);
    this.name = 'BadEscapeError';
  }
}

/**
 * Decodes a variable part of a path as Dapr does, by the rules of queries: `+` is a space, `%XX` a byte (contract section 1). Bytes that
 * are not UTF-8 become U+FFFD; names that are compared with the result are always well-formed, so none of them can be met that way.
 *
 * @param raw one character for each byte received, as node hands them over
 * @throws BadEscapeError
 */
export function queryUnescape(raw: string): string {
  if (!/[%+\u0080-\uffff]/.test(raw)) return raw;
  const bytes = Buffer.allocUnsafe(raw.length);
  let length = 0;
  for (let index = 0; index < raw.length; index++) {
    const character = raw[index]!;
    if (character === '%') {
      const digits = raw.slice(index + 1, index + 3);
      if (!/^[0-9a-f]{2}$/i.test(digits)) throw new BadEscapeError(raw.slice(index, index + 3));
      bytes[length++] = parseInt(digits, 16);
      index += 2;
    } else bytes[length++] = character === '+' ? 0x20 : character.charCodeAt(0);
  }
  return bytes.toString('utf8', 0, length);
}
