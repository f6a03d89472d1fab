/** Whether the text has a character of U+0000–U+001F or U+007F–U+009F, which no name may contain (Azure contract section 3). */
export function hasControlCharacter(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true;
  }
  return false;
}
