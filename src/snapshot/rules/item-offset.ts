/** The cursor of a snapshot's items: how many were shown (Azure contract 4.5). No snapshot has more than 16,000. */
const MAX_DIGITS = 9;

/** The decoded form of the token behind a page; the page entity tag is computed over it. */
export const offsetTokenText = (offset: number): string => String(offset);

/** @returns null for what is no token of ours, which means page one */
export function decodeOffsetToken(token: string): number | null {
  const text = Buffer.from(token, 'base64').toString('latin1');
  return /^\d+$/.test(text) && text.length <= MAX_DIGITS ? Number(text) : null;
}
