import { endOfNumber, int32Of } from './json-number.js';
import { ProtobufJsonError, ProtobufJsonTokenizer, type Token } from './protobuf-json-tokenizer.js';

/** Types of members that the lock calls have. */
export type FieldType = 'string' | 'int32';

/** Members of a message by their names in JSON (camelCase). */
export type Fields = Readonly<Record<string, FieldType>>;

/** A message with all its members; one that was absent has protobuf's default, '' or 0. */
export type Message<F extends Fields> = { -readonly [Name in keyof F]: F[Name] extends 'int32' ? number : string };

/** How deep unknown members may be nested: protobuf-go's limit of 10,000 less the message itself. */
const MAX_DEPTH = 9_999;

/**
 * Reads a message from JSON as protobuf-go does with Dapr's options (distributed-lock contract section 2): members have two names
 * (`lockOwner`, `lock_owner`) and may come once, null is absence, integers may be spelled as strings or with exponents, and unknown
 * members are passed over, though they must be JSON.
 *
 * @throws ProtobufJsonError
 */
export function readMessage<F extends Fields>(bytes: Buffer, fields: F): Message<F> {
  const values: Record<string, string | number> = {};
  const names = new Map<string, string>();
  for (const [name, type] of Object.entries(fields)) {
    values[name] = type === 'int32' ? 0 : '';
    names.set(name, name).set(snakeCase(name), name);
  }
  const tokens = new ProtobufJsonTokenizer(bytes);
  const seen = new Set<string>();
  expectKind(tokens, tokens.next(), 'open-object');
  for (let token = tokens.next(); token.kind !== 'close-object'; token = tokens.next()) {
    expectKind(tokens, token, 'name');
    const name = names.get(token.text);
    if (name === undefined) {
      tokens.skipValue(MAX_DEPTH);
      continue;
    }
    if (seen.has(name)) throw refused(tokens, token, `duplicate field ${tokens.raw(token)}`);
    seen.add(name);
    const value = tokens.next();
    if (value.kind !== 'null') values[name] = readValue(tokens, value, name, fields[name]!);
  }
  expectKind(tokens, tokens.next(), 'end');
  return values as Message<F>;
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function expectKind(tokens: ProtobufJsonTokenizer, token: Token, kind: Token['kind']): void {
  if (token.kind !== kind) throw tokens.unexpected(token);
}

function refused(tokens: ProtobufJsonTokenizer, token: Token, detail: string): ProtobufJsonError {
  return new ProtobufJsonError(`${tokens.positionOf(token.start)}: ${detail}`);
}

function readValue(tokens: ProtobufJsonTokenizer, token: Token, name: string, type: FieldType): string | number {
  const value = type === 'int32' ? int32From(tokens, token) : token.kind === 'string' ? token.text : undefined;
  if (value === undefined)
    throw refused(tokens, token, `invalid value for ${type} field ${name}: ${tokens.raw(token)}`);
  return value;
}

function int32From(tokens: ProtobufJsonTokenizer, token: Token): number | undefined {
  if (token.kind === 'number') return int32Of(tokens.raw(token));
  if (token.kind !== 'string') return undefined;
  // A string must be the number and nothing else, not even a blank.
  const bytes = Buffer.from(token.text);
  return endOfNumber(bytes, 0) === bytes.length ? int32Of(token.text) : undefined;
}
