import { isUtf8 } from 'node:buffer';

const NAMED: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\\': '\\\\',
};

/** Bytes as Go's `%q` writes them into an error, between the quotes given. */
export function goQuote(bytes: Buffer, quote: '"' | "'"): string {
  const isText = isUtf8(bytes);
  let text = '';
  for (const character of bytes.toString(isText ? 'utf8' : 'latin1')) {
    const code = character.codePointAt(0)!;
    if (character === quote) text += `\\${quote}`;
    else if (NAMED[character] !== undefined) text += NAMED[character];
    else if (code < 0x20 || code === 0x7f || (!isText && code >= 0x80)) {
      text += `\\x${code.toString(16).padStart(2, '0')}`;
    } else text += character;
  }
  return quote + text + quote;
}
