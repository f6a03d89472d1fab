import { hash } from 'node:crypto';

/** What a client needs to know whether its copy of a page is current, and to go on behind it. */
export interface PageMark {
  readonly etag: string;
  /** Decoded continuation token of the following page, null on the last page. */
  readonly next: string | null;
}

/**
 * Entity tag of a page of key-values or revisions (Azure contract 4.6). Wire-stable: provider libraries keep it between restarts and
 * watch it for changes.
 *
 * @param itemEtags entity tags of the page's items, in order
 * @param nextToken decoded continuation token of the following page, null on the last page
 */
export function pageEtag(itemEtags: readonly string[], nextToken: string | null): string {
  // A page without items has the one line feed that the contract asks for.
  const text = `kvset\n${itemEtags.join('\n')}\n${nextToken ?? ''}`;
  return hash('sha256', Buffer.from(text, 'utf16le'), 'base64url');
}
