import { badRequest } from '../../http/content/content-problem.js';

/** Longest id that is taken; those made from titles are much shorter. */
const MAX_ID_LENGTH = 255;
/** Where Plone cuts ids that it makes from titles (plone.i18n, `MAX_URL_LENGTH`). */
const MAX_TITLE_ID_LENGTH = 255;

/**
 * An id that was sent. As in Plone: letters and digits of ASCII and `-_~,.$()`, not beginning with `_` and not only dots, so that no
 * address needs escapes, is taken for a view (`@`) or for something of a server's own (`+`).
 *
 * @throws 400
 */
export function checkId(id: unknown): string {
  if (typeof id !== 'string') throw badRequest('The id must be a text.');
  if (id.length > MAX_ID_LENGTH) throw badRequest(`The id has more than ${MAX_ID_LENGTH} characters.`);
  if (/^[A-Za-z0-9~,.$()-][\w~,.$()-]*$/.test(id) && !/^\.+$/.test(id)) return id;
  throw badRequest(`The id ${JSON.stringify(id.slice(0, 50).toWellFormed())} contains characters that no id may have.`);
}

/** 32 hexadecimal digits in lower case. */
export const isUid = (text: string): boolean => /^[0-9a-f]{32}$/.test(text);

/** @throws 400 unless it is 32 hexadecimal digits */
export function checkUid(uid: unknown): string {
  if (typeof uid === 'string' && isUid(uid)) return uid;
  throw badRequest('The UID must be 32 hexadecimal digits in lower case.');
}

/**
 * The id that a title makes: lower case, letters without their marks, everything else a hyphen, at most 255 characters and cut between
 * words. Roughly what Plone's normalizer makes of it; a letter that it cannot spell is written as the number that it has in Unicode.
 *
 * @param substitute where nothing of the title is left
 */
export function idFromTitle(title: string, substitute: string): string {
  let text = '';
  for (const letter of title.normalize('NFKD').toLowerCase()) {
    text += spell(letter);
    // Longer titles change nothing any more.
    if (text.length > 4 * MAX_TITLE_ID_LENGTH) break;
  }
  const id = text.replace(/-{2,}/g, '-').replace(/^[-_]+|-+$/g, '');
  if (id.length <= MAX_TITLE_ID_LENGTH) return id === '' ? substitute : id;
  const start = id.slice(0, MAX_TITLE_ID_LENGTH);
  const wordEnd = id[MAX_TITLE_ID_LENGTH] === '-' ? -1 : start.lastIndexOf('-');
  return (wordEnd > 0 ? start.slice(0, wordEnd) : start).replace(/-+$/, '');
}

function spell(letter: string): string {
  if (/[a-z0-9_]/.test(letter)) return letter;
  if (/\p{M}|['’‘"“”]/u.test(letter)) return '';
  const spelled = SPELLINGS.get(letter);
  if (spelled !== undefined) return spelled;
  return /[\p{L}\p{N}]/u.test(letter) ? letter.codePointAt(0)!.toString(16) : '-';
}

/** Letters that do not come apart into one of ASCII and a mark; Greek and Cyrillic as they are usually written in Latin letters. */
const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ...pairs('ß ss æ ae œ oe ø o đ d ð d þ th ł l ħ h ı i ŋ n ŧ t ĸ k'),
  ...pairs('α a β b γ g δ d ε e ζ z η i θ th ι i κ k λ l μ m ν n ξ x ο o π p ρ r σ s ς s τ t υ y φ f χ ch ψ ps ω o'),
  ...pairs('а a б b в v г g д d е e ж zh з z и i к k л l м m н n о o п p р r с s т t у u ф f х h ц ts ч ch ш sh щ sch'),
  ...pairs('ы y э e ю yu я ya є ie і i ґ g ј j љ lj њ nj ћ c ђ dj џ dz'),
  ['ъ', ''],
  ['ь', ''],
]);

function pairs(text: string): [string, string][] {
  const words = text.split(' ');
  return words.flatMap((word, index) => (index % 2 === 0 ? [[word, words[index + 1]!] as [string, string]] : []));
}
