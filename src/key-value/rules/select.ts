/**
 * Reads `$select` (Azure contract 4.4): the fields of each item that the client wants.
 *
 * @param known the fields of the resource, in lower case
 * @returns null for the default set; a set that may be empty otherwise, because unknown names are ignored without an error and a
 * request that has only those gets items of `{}`
 */
export function parseSelect(raw: string | undefined, known: readonly string[]): ReadonlySet<string> | null {
  if (raw === undefined) return null;
  const selected = new Set<string>();
  let isUsable = false;
  for (const part of raw.split(',')) {
    const name = part.trim().toLowerCase();
    if (name === '') continue;
    if (name === '*') return null;
    isUsable = true;
    // Single tags cannot be selected: asking for one brings them all.
    const field = name.startsWith('tags.') ? 'tags' : name;
    if (known.includes(field)) selected.add(field);
  }
  return isUsable ? selected : null;
}
