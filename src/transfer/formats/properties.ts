import { inputError } from '../../command/command-error.js';

/** A line of a `.properties` file, put together from its continuations. */
export interface Property {
  /** Number of its first line, from 1. */
  readonly line: number;
  readonly key: string;
  readonly value: string;
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' };
const isBlank = (character: string): boolean => character === ' ' || character === '\t' || character === '\f';

/** Bytes as text: UTF-8 where they are that, else ISO 8859-1, which the format was first defined in. */
export function decodeProperties(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}

/** Reads the format as `java.util.Properties` defines it: `#` and `!` comments, `=`, `:` or a blank, escapes, continuation lines. */
export function* parseProperties(text: string): Generator<Property> {
  const lines = text.split(/\r\n|\n|\r/);
  for (let i = 0; i < lines.length; i++) {
    const line = i + 1;
    let logical = lines[i]!.replace(/^[ \t\f]+/, '');
    if (logical === '' || logical.startsWith('#') || logical.startsWith('!')) continue;
    while (/(^|[^\\])(\\\\)*\\$/.test(logical)) {
      logical = logical.slice(0, -1);
      if (i + 1 >= lines.length) break;
      logical += lines[++i]!.replace(/^[ \t\f]+/, '');
    }
    yield { line, ...split(logical, line) };
  }
}

function split(text: string, line: number): { key: string; value: string } {
  let end = 0;
  while (end < text.length && !isBlank(text[end]!) && text[end] !== '=' && text[end] !== ':') {
    end += text[end] === '\\' ? 2 : 1;
  }
  let start = Math.min(end, text.length);
  while (start < text.length && isBlank(text[start]!)) start++;
  if (text[start] === '=' || text[start] === ':') {
    start++;
    while (start < text.length && isBlank(text[start]!)) start++;
  }
  return { key: unescape(text.slice(0, end), line), value: unescape(text.slice(start), line) };
}

function unescape(text: string, line: number): string {
  return text.replace(/\\(u([0-9a-fA-F]{4})?|[^])?/g, (_, character: string | undefined, hex: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16));
    if (character === 'u') throw inputError(`line ${line}: \\u needs four hexadecimal digits`);
    return character === undefined ? '' : (ESCAPES[character] ?? character);
  });
}

/** One line of ASCII, which reads alike in every encoding the format is read in. */
export function propertyLine(key: string, value: string): string {
  return `${escape(key).replace(/[=: #!]/g, '\\$&')}=${escape(value).replace(/^ /, '\\ ')}\n`;
}

function escape(text: string): string {
  return text.replace(/[^ -~]|\\/g, (character) => {
    if (character === '\\') return '\\\\';
    const short = Object.entries(ESCAPES).find(([, plain]) => plain === character);
    return short ? `\\${short[0]}` : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
