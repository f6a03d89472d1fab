import { invalidArgument } from '../../problem/catalogue.js';

/** Fences are PostgreSQL's `bigint`. */
const HIGHEST_FENCE = 9_223_372_036_854_775_807n;

/**
 * A fence as callers write it: decimal digits, as it was given to them. Texts are compared after this, so one fence has one spelling.
 *
 * @param parameter what the refusal names
 * @throws Problem `invalid-argument`
 */
export function parseFence(parameter: string, text: unknown): string {
  const isDecimal = typeof text === 'string' && /^(?:0|[1-9]\d{0,18})$/.test(text);
  if (isDecimal && BigInt(text) <= HIGHEST_FENCE) return text;
  throw invalidArgument(parameter, 'A fence is a text of decimal digits, such as "42".');
}
