import { type Answer } from '../answer.js';

/** Characters that Go's JSON encoder escapes and JavaScript's does not; in JSON text they stand only inside strings. */
const ESCAPED = /[<>&\u2028\u2029]/g;
const ESCAPES: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** JSON text as Dapr writes it: no blanks, `<`, `>` and `&` escaped (contract section 2), and no line end behind it. */
export function daprJson(value: unknown): string {
  return JSON.stringify(value).replace(ESCAPED, (character) => ESCAPES[character]!);
}

/** An answer with such a body. The type carries no charset (contract section 3). */
export function daprJsonAnswer(status: number, value: unknown, headers: readonly string[] = []): Answer {
  return { status, headers: ['Content-Type', 'application/json', ...headers], body: daprJson(value) };
}
