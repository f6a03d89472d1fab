import { isUtf8 } from 'node:buffer';
import { endOfNumber, isWordPart } from './json-number.js';
import { JsonStringError, JsonStringReader } from './json-string.js';

/** What stands at a place of the text. A name is a string that a colon follows; `end` is the end of the text. */
export type TokenKind =
  | 'null'
  | 'bool'
  | 'number'
  | 'string'
  | 'name'
  | 'open-object'
  | 'close-object'
  | 'open-array'
  | 'close-array'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** Index of its first byte. */
  readonly start: number;
  /** Index after its last byte; a name's colon is not counted. */
  readonly end: number;
  /** Of strings and names, with the escapes resolved; otherwise empty. */
  readonly text: string;
}

/** The bytes are no JSON, or not the JSON of the message. The text is protobuf-go's, without the `proto: ` in front. */
export class ProtobufJsonError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtobufJsonError';
  }
}

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;

const BRACKETS: ReadonlyMap<number, TokenKind> = new Map([
  [0x7b, 'open-object'],
  [0x7d, 'close-object'],
  [0x5b, 'open-array'],
  [0x5d, 'close-array'],
]);
const WORDS: readonly (readonly [word: string, kind: TokenKind])[] = [
  ['null', 'null'],
  ['true', 'bool'],
  ['false', 'bool'],
];
/** What a comma may follow. */
const ENDS_OF_VALUES: ReadonlySet<string> = new Set([
  'null',
  'bool',
  'number',
  'string',
  'close-object',
  'close-array',
]);
/** Characters of a stray word that an error quotes. */
const MAX_QUOTED = 32;

/**
 * Reads JSON token by token as protobuf-go does, whose error texts Dapr hands to its clients (distributed-lock contract section 2). It
 * checks that tokens follow one another as JSON allows; what they mean is left to the reader of a message. Linear in time, and nothing
 * in it recurses deeper with the input.
 */
export class ProtobufJsonTokenizer {
  private position = 0;
  private last: TokenKind | 'comma' | 'nothing' = 'nothing';
  /** The brackets that are open, innermost last. */
  private readonly open: TokenKind[] = [];
  private readonly strings: JsonStringReader;

  constructor(private readonly bytes: Buffer) {
    this.strings = new JsonStringReader(bytes);
  }

  /** @throws ProtobufJsonError where the text is no JSON */
  next(): Token {
    let token = this.read();
    if (this.bytes[token.start] === COMMA) {
      if (this.open.length === 0 || !ENDS_OF_VALUES.has(this.last)) throw this.unexpected(token);
      this.last = 'comma';
      token = this.read();
      if (this.bytes[token.start] === COMMA) throw this.unexpected(token);
    }
    return this.place(token);
  }

  /**
   * Reads a value and all that is in it.
   *
   * @param maxDepth brackets within brackets that are read, as many as protobuf-go reads
   */
  skipValue(maxDepth: number): void {
    let depth = 0;
    do {
      const { kind } = this.next();
      if (kind === 'open-object' || kind === 'open-array') {
        if (++depth > maxDepth) throw new ProtobufJsonError('exceeded max recursion depth');
      } else if (kind === 'close-object' || kind === 'close-array') depth--;
    } while (depth > 0);
  }

  /** The token as it stands in the text. */
  raw(token: Token): string {
    return this.bytes.toString('utf8', token.start, token.end);
  }

  /** `(line L:C)` of a byte; lines and characters count from one. */
  positionOf(index: number): string {
    let line = 1;
    let column = 1;
    for (let at = 0; at < index; at++) {
      const code = this.bytes[at]!;
      if (code === LINE_FEED) {
        line++;
        column = 1;
      } else if ((code & 0xc0) !== 0x80) column++;
    }
    return `(line ${line}:${column})`;
  }

  /** The refusal of a token that cannot stand where it is. */
  unexpected(token: Token): ProtobufJsonError {
    return this.syntaxError(token.start, `unexpected token ${this.raw(token)}`);
  }

  private syntaxError(index: number, detail: string): ProtobufJsonError {
    return new ProtobufJsonError(`syntax error ${this.positionOf(index)}: ${detail}`);
  }

  /** Checks that the token may follow the one before it, and remembers what it opens or closes. */
  private place(token: Token): Token {
    const { kind } = token;
    switch (kind) {
      case 'end':
        if (this.open.length > 0) throw unexpectedEnd();
        return token;
      case 'close-object':
        if (this.open.pop() !== 'open-object' || this.last === 'name' || this.last === 'comma') {
          throw this.unexpected(token);
        }
        break;
      case 'close-array':
        if (this.open.pop() !== 'open-array' || this.last === 'comma') throw this.unexpected(token);
        break;
      default:
        if (!this.isValueNext()) {
          if (kind === 'string') return this.placeName(token);
          throw this.unexpected(token);
        }
        if (kind === 'open-object' || kind === 'open-array') this.open.push(kind);
    }
    this.last = kind;
    return token;
  }

  /** A string where no value can stand: the name of a member, or a mistake. */
  private placeName(token: Token): Token {
    if (this.last !== 'open-object' && this.last !== 'comma') throw this.unexpected(token);
    this.skipBlanks();
    const code = this.bytes[this.position];
    if (code === undefined) throw unexpectedEnd();
    if (code !== COLON) {
      // The byte as a character of its own, even where a longer one begins: so does protobuf-go.
      const found = String.fromCharCode(code);
      throw this.syntaxError(this.position, `unexpected character ${found}, missing ":" after field name`);
    }
    this.position++;
    this.last = 'name';
    return { ...token, kind: 'name' };
  }

  private isValueNext(): boolean {
    const innermost = this.open.at(-1);
    if (innermost === undefined) return this.last === 'nothing';
    if (innermost === 'open-object') return this.last === 'name';
    return this.last === 'open-array' || this.last === 'comma';
  }

  private skipBlanks(): void {
    for (;;) {
      const code = this.bytes[this.position];
      if (code !== SPACE && code !== LINE_FEED && code !== CARRIAGE_RETURN && code !== TAB) return;
      this.position++;
    }
  }

  /** The next token, whether or not it may stand there. A comma comes as an `end` with a length of one. */
  private read(): Token {
    this.skipBlanks();
    const start = this.position;
    const code = this.bytes[start];
    let end = start;
    let kind: TokenKind = 'end';
    let text = '';
    if (code === QUOTE) {
      ({ end, text } = this.readString(start));
      kind = 'string';
    } else if (code === COMMA) end++;
    else if (code !== undefined) {
      const bracket = BRACKETS.get(code);
      if (bracket) [end, kind] = [start + 1, bracket];
      else [end, kind] = this.readWord(start, code);
    }
    this.position = end;
    return { kind, start, end, text };
  }

  private readString(start: number): { end: number; text: string } {
    try {
      return this.strings.read(start);
    } catch (error) {
      if (!(error instanceof JsonStringError)) throw error;
      throw error.detail === null ? unexpectedEnd() : this.syntaxError(start, error.detail);
    }
  }

  private readWord(start: number, code: number): [end: number, kind: TokenKind] {
    if (code === MINUS || (code >= 0x30 && code <= 0x39)) {
      const end = endOfNumber(this.bytes, start);
      if (end > start) return [end, 'number'];
    }
    for (const [word, kind] of WORDS) {
      const end = start + word.length;
      if (word.charCodeAt(0) === code && this.bytes.toString('latin1', start, end) === word) {
        if (!isWordPart(this.bytes[end])) return [end, kind];
      }
    }
    throw this.syntaxError(start, `invalid value ${this.strayText(start)}`);
  }

  /** What an error quotes of something that is no token: a word, or one character. */
  private strayText(start: number): string {
    let end = start;
    while (end - start < MAX_QUOTED && isWordPart(this.bytes[end])) end++;
    if (end > start) return this.bytes.toString('latin1', start, end);
    for (let length = 1; length <= 4; length++) {
      const character = this.bytes.subarray(start, start + length);
      if (isUtf8(character)) return character.toString('utf8');
    }
    return '\ufffd';
  }
}

const unexpectedEnd = (): ProtobufJsonError => new ProtobufJsonError('unexpected EOF');
