/**
 * The token of a `Lock-Token` header: plain, or as WebDAV spells it, `<opaquelocktoken:…>` and `<urn:uuid:…>` (content contract section
 * 7). Anything else is a token that no lock has. Null when nothing is named.
 */
export function parseLockToken(header: string | undefined): string | null {
  let token = header?.trim() ?? '';
  if (token.startsWith('<') && token.endsWith('>')) token = token.slice(1, -1).trim();
  for (const scheme of ['opaquelocktoken:', 'urn:uuid:']) {
    if (token.slice(0, scheme.length).toLowerCase() === scheme) token = token.slice(scheme.length);
  }
  return token === '' ? null : token;
}
