import { createHash } from 'node:crypto';

/**
 * Entity tags of content. The tag of a change is the object's version. That of a GET adds a digest of what is shown, because that depends
 * on more than the object: its children, its lock, who asks. `If-Match` looks at the version only, so that a save does not fail because a
 * child was added.
 */
export const versionTag = (version: string): string => `"${version}"`;

export function representationTag(version: string, body: string): string {
  return `"${version}-${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
}

const ANY = '*';
/** One member of a list (RFC 9110 §8.8.3) or an empty one, with the comma that ends it. No part of it can be read in two ways. */
const MEMBER = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(,|$)/y;
/** What `versionTag` and `representationTag` begin with; more digits than a bigint surely has are no version. */
const VERSION = /^([0-9]{1,18})(?:-[\w-]*)?$/;

/**
 * The versions that an `If-Match` header allows; null when any will do, as without the header. Weak tags match nothing here (RFC 9110
 * §13.1.1), and a header that cannot be read names nothing: whoever sends one wants to be stopped.
 */
export function versionsFrom(ifMatch: string | undefined): readonly string[] | null {
  if (ifMatch === undefined || ifMatch.trim() === ANY) return null;
  return readTags(ifMatch).flatMap(({ isWeak, tag }) => {
    const version = isWeak ? undefined : VERSION.exec(tag)?.[1];
    return version === undefined ? [] : [version];
  });
}

/** Whether an `If-None-Match` header names the tag; weak and strong compare alike (RFC 9110 §13.1.2). */
export function isNotModified(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.trim() === ANY || readTags(ifNoneMatch).some(({ tag }) => `"${tag}"` === etag);
}

interface Tag {
  readonly isWeak: boolean;
  readonly tag: string;
}

function readTags(header: string): Tag[] {
  const tags: Tag[] = [];
  MEMBER.lastIndex = 0;
  while (MEMBER.lastIndex < header.length) {
    const member = MEMBER.exec(header);
    if (!member) return [];
    const [, weak, tag] = member;
    if (tag !== undefined) tags.push({ isWeak: weak !== undefined, tag });
  }
  return tags;
}
