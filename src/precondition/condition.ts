import { parseEntityTags } from './entity-tag.js';

/**
 * What a request demands of the resource's current entity tag. A pure value: guards make it from headers, one SQL fragment applies
 * it under the row lock, and the functions below name what it means for an operation (Azure's contract, table of section 5).
 */
export type Condition =
  | { readonly kind: 'none' }
  | { readonly kind: 'match'; readonly tag: string }
  | { readonly kind: 'match-any' }
  | { readonly kind: 'none-match'; readonly tag: string }
  | { readonly kind: 'none-match-any' };

export const NO_CONDITION: Condition = Object.freeze({ kind: 'none' });
const MATCH_ANY: Condition = Object.freeze({ kind: 'match-any' });
const NONE_MATCH_ANY: Condition = Object.freeze({ kind: 'none-match-any' });

/** What a read answers: the representation, 304, 404 or 412. */
export type ReadOutcome = 'proceed' | 'not-modified' | 'not-found' | 'precondition-failed';
/** What a read of a page answers; a list is never missing. */
export type PageOutcome = 'proceed' | 'not-modified' | 'precondition-failed';
/** What a change to an existing resource answers before its own rules are asked. */
export type ChangeOutcome = 'proceed' | 'not-found' | 'precondition-failed';

/**
 * The condition of a request. `If-Match` is used alone when both headers are valid. An invalid header is ignored, which means "as if
 * absent": an invalid `If-Match` therefore leaves `If-None-Match` in force.
 */
export function conditionFrom(ifMatch: string | undefined, ifNoneMatch: string | undefined): Condition {
  const match = parseEntityTags(ifMatch);
  if (match !== null) return match.kind === 'any' ? MATCH_ANY : { kind: 'match', tag: match.tag };
  const noneMatch = parseEntityTags(ifNoneMatch);
  if (noneMatch !== null) return noneMatch.kind === 'any' ? NONE_MATCH_ANY : { kind: 'none-match', tag: noneMatch.tag };
  return NO_CONDITION;
}

/**
 * GET and HEAD of one key-value or snapshot.
 * @param etag current entity tag without quotes; null when the resource does not exist
 */
export function readOutcome(condition: Condition, etag: string | null): ReadOutcome {
  // A missing resource is 404 whatever the headers say, `If-Match` included.
  return etag === null ? 'not-found' : pageOutcome(condition, etag);
}

/** GET and HEAD of a key-value list or of a snapshot's items, against the entity tag of the page. */
export function pageOutcome(condition: Condition, pageEtag: string): PageOutcome {
  if (holds(condition, pageEtag)) return 'proceed';
  return condition.kind === 'match' ? 'precondition-failed' : 'not-modified';
}

/**
 * PUT and DELETE of a key-value: whether the condition lets the write go on; if not, the answer is 412.
 * @param etag current entity tag without quotes; null when the key-value does not exist
 */
export function writeHolds(condition: Condition, etag: string | null): boolean {
  return etag === null ? mayCreate(condition) : holds(condition, etag);
}

/** Whether a PUT may create what does not exist yet: `If-Match`, with a tag or `*`, demands that something is there. */
export function mayCreate(condition: Condition): boolean {
  return condition.kind !== 'match' && condition.kind !== 'match-any';
}

/** PUT and DELETE of `/locks/{key}`: a missing key-value is 412 under `If-Match` and 404 otherwise. */
export function lockOutcome(condition: Condition, etag: string | null): ChangeOutcome {
  if (!writeHolds(condition, etag)) return 'precondition-failed';
  return etag === null ? 'not-found' : 'proceed';
}

/** PATCH of a snapshot: a missing snapshot is 404 whatever the headers say. */
export function patchOutcome(condition: Condition, etag: string | null): ChangeOutcome {
  if (etag === null) return 'not-found';
  return holds(condition, etag) ? 'proceed' : 'precondition-failed';
}

/** Whether the condition holds for a resource that exists with this entity tag. RFC 9110 §13.1.1, §13.1.2. */
function holds(condition: Condition, etag: string): boolean {
  switch (condition.kind) {
    case 'none':
    case 'match-any':
      return true;
    case 'match':
      return condition.tag === etag;
    case 'none-match':
      return condition.tag !== etag;
    case 'none-match-any':
      return false;
  }
}
