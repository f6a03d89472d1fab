/**
 * Fields as a JSON object that PostgreSQL's own JSON functions can take apart: they know no U+0000, so texts in it are escaped like
 * `toStoredText` does it, at the level of JSON's escapes. Everything else of the object stays as JSON writes it, order included.
 */
export function toStoredFields(fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(fields).replace(ESCAPES, (escape) => STORED[escape] ?? escape);
}

/** @param stored what `toStoredFields` wrote, or what PostgreSQL put together from several of them */
export function fromStoredFields(stored: string): Record<string, unknown> {
  return JSON.parse(stored.replace(STORED_ESCAPES, (escape) => SENT[escape] ?? escape)) as Record<string, unknown>;
}

// A backslash that is itself escaped must be read as one thing: what follows it is no escape then.
const ESCAPES = /\\\\|\\u000[01]/g;
const STORED_ESCAPES = /\\\\|\\u0001[01]/g;
const STORED: Readonly<Record<string, string>> = { '\\u0000': '\\u00010', '\\u0001': '\\u00011' };
const SENT: Readonly<Record<string, string>> = { '\\u00010': '\\u0000', '\\u00011': '\\u0001' };
