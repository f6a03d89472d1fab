/**
 * The text of one member of a JSON object as its sender wrote it, white space around it apart: parsed and written again, numbers lose
 * digits and members their order. Of members of the same name the last counts, as for `JSON.parse`.
 *
 * @param text a valid JSON text of an object
 * @returns undefined when there is no such member
 */
export function rawMember(text: string, name: string): string | undefined {
  let found: string | undefined;
  let depth = 0;
  /** Of the value that is being passed, and before it of the name. */
  let start = -1;
  let current: string | undefined;
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case '"': {
        const end = endOfString(text, i);
        if (depth === 1 && current === undefined) current = JSON.parse(text.slice(i, end)) as string;
        i = end - 1;
        break;
      }
      case ':':
        if (depth === 1) start = i + 1;
        break;
      case '{':
      case '[':
        depth++;
        break;
      case '}':
      case ']':
      case ',':
        if (depth === 1) {
          if (current === name) found = text.slice(start, i).trim();
          current = undefined;
        }
        if (text[i] !== ',') depth--;
    }
  }
  return found;
}

/** Index behind the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i + 1;
}
