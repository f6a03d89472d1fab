/**
 * PostgreSQL's `text` cannot hold U+0000, which a value may contain. U+0001 serves as the escape character, so any well-formed
 * text survives the round trip, equal texts stay equal, and everything else stays readable in psql.
 */
const ESCAPE = '\u0001';

/** @param text well-formed Unicode; anything else must have been refused before */
export function toStoredText(text: string): string {
  if (!text.includes('\u0000') && !text.includes(ESCAPE)) return text;
  return text.replaceAll(ESCAPE, `${ESCAPE}1`).replaceAll('\u0000', `${ESCAPE}0`);
}

export function fromStoredText(stored: string): string {
  if (!stored.includes(ESCAPE)) return stored;
  return stored.replaceAll(`${ESCAPE}0`, '\u0000').replaceAll(`${ESCAPE}1`, ESCAPE);
}
