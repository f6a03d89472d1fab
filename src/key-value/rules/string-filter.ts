import { invalidArgument } from '../../problem/catalogue.js';

/**
 * What a `key`, `label` or `name` parameter asks for. `null` and `includesNull` mean "has no label". The empty string is never among
 * the values: no key, label or name is empty, and a repository may store "no label" as an empty string.
 */
export type StringFilter =
  | { readonly kind: 'any' }
  | { readonly kind: 'null' }
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'oneOf'; readonly values: readonly string[]; readonly includesNull: boolean };

/** Azure contract 4.1: alternatives of one filter, empty ones counted. */
const MAX_ALTERNATIVES = 5;

const NULL_TEXT = '\0';
const ANY: StringFilter = { kind: 'any' };
const NULL: StringFilter = { kind: 'null' };
const NONE: StringFilter = { kind: 'oneOf', values: [], includesNull: false };

/**
 * Reads a string filter (Azure contract 4.1).
 *
 * @param parameter the parameter's name on the wire, for the problem
 * @param value the percent-decoded value
 * @throws Problem `invalid-argument` with the position of the first character in the wrong place (4.2)
 */
export function parseStringFilter(parameter: string, value: string | undefined): StringFilter {
  if (value === undefined || value === '' || value === '*') return ANY;
  // In the words of the real service, as recorded for its Java SDK; its emulator takes such a filter as "anything".
  if (value.startsWith('*')) throw fault(parameter, 0, 'Suffix and Full Text search is not supported');
  if (value === NULL_TEXT) return NULL;
  if (!needsParsing(value)) return { kind: 'exact', value };
  return new FilterParser(parameter, value).parse();
}

/** The reference meaning of a filter; the SQL of the repositories must agree with it. */
export function matchesStringFilter(filter: StringFilter, value: string | null): boolean {
  switch (filter.kind) {
    case 'any':
      return true;
    case 'null':
      return value === null;
    case 'exact':
      return value === filter.value;
    case 'prefix':
      return value !== null && value.startsWith(filter.value);
    case 'oneOf':
      return value === null ? filter.includesNull : filter.values.includes(value);
  }
}

/**
 * The smallest string above every string that begins with `prefix`, in the byte order of UTF-8 (`COLLATE "C"`), or null when there is
 * none. Makes a prefix filter a range over the index.
 */
export function prefixUpperBound(prefix: string): string | null {
  let end = prefix.length;
  while (end > 0) {
    const isPair = end > 1 && isHighSurrogate(prefix.charCodeAt(end - 2)) && isLowSurrogate(prefix.charCodeAt(end - 1));
    const start = isPair ? end - 2 : end - 1;
    const codePoint = prefix.codePointAt(start) ?? 0;
    if (codePoint < 0x10ffff) {
      // Surrogates are no characters: U+E000 follows U+D7FF.
      return prefix.slice(0, start) + String.fromCodePoint(codePoint === 0xd7ff ? 0xe000 : codePoint + 1);
    }
    end = start;
  }
  return null;
}

/** A plain name, as nearly every request sends it, is its own exact filter. */
function needsParsing(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 0x2a || code === 0x2c || code === 0x5c || code === 0 || (code >= 0xd800 && code <= 0xdfff))
      return true;
  }
  return false;
}

/** One walk over the value that unescapes, splits and judges every character at once, so that the first fault is the reported one. */
class FilterParser {
  private readonly values: string[] = [];
  private includesNull = false;
  private alternatives = 1;
  private current = '';
  private start = 0;

  constructor(
    private readonly parameter: string,
    private readonly value: string,
  ) {}

  parse(): StringFilter {
    const { value } = this;
    let isPrefix = false;
    for (let i = 0; i < value.length; i++) {
      const character = value.charAt(i);
      if (character === '\\') {
        // A lone backslash at the end is dropped.
        if (++i < value.length) this.take(i, value.charAt(i));
      } else if (character === ',') {
        this.closeAlternative();
        // Judged here as in the real service: later characters no longer matter, earlier ones did.
        if (++this.alternatives > MAX_ALTERNATIVES) {
          throw fault(this.parameter, 0, `Too many values. Maximum supported is ${MAX_ALTERNATIVES}`);
        }
        this.start = i + 1;
      } else if (character === '*') {
        if (this.alternatives > 1 || i !== value.length - 1) throw this.invalidCharacter(i);
        isPrefix = true;
      } else {
        this.take(i, character);
      }
    }
    if (isPrefix) return { kind: 'prefix', value: this.current };
    if (this.alternatives === 1) return this.current === '' ? NONE : { kind: 'exact', value: this.current };
    this.closeAlternative();
    return { kind: 'oneOf', values: this.values, includesNull: this.includesNull };
  }

  private take(at: number, character: string): void {
    if (character === NULL_TEXT) {
      // U+0000 has a meaning only as a whole alternative, and the database cannot compare with it.
      if (!this.isWholeAlternative(at)) throw this.invalidCharacter(at);
      this.includesNull = true;
      return;
    }
    if (isLoneSurrogate(this.value, at)) throw this.invalidCharacter(at);
    this.current += character;
  }

  private isWholeAlternative(at: number): boolean {
    return at === this.start && (at === this.value.length - 1 || this.value[at + 1] === ',');
  }

  private closeAlternative(): void {
    if (this.current !== '') this.values.push(this.current);
    this.current = '';
  }

  private invalidCharacter(position: number): Error {
    return fault(this.parameter, position, 'Invalid character');
  }
}

const fault = (parameter: string, position: number, reason: string): Error =>
  invalidArgument(parameter, `${parameter}(${position}): ${reason}`);

function isLoneSurrogate(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  if (isHighSurrogate(code)) return !isLowSurrogate(text.charCodeAt(at + 1));
  return isLowSurrogate(code) && !isHighSurrogate(text.charCodeAt(at - 1));
}

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff;
const isLowSurrogate = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff;
