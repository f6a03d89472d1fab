import { type Answer, emptyAnswer } from '../http/answer.js';
import { type ContentRequest } from '../http/content/content-request.js';
import { type ContentObject, type ContentSummary, isFolderish } from './content-object.js';
import { type ContentUrls, type Placement } from './content.service.js';
import { isNotModified, representationTag, versionTag } from './rules/version-match.js';

/** Objects as Plone's clients read them (content contract section 8). */

const JSON_HEADERS = ['Content-Type', 'application/json; charset=utf-8'];
/** There is no workflow: what is there, everybody sees. */
export const REVIEW_STATE = 'published';

/** What of a folder's content is shown with it; undefined where it is left out. */
export interface ShownItems {
  readonly items: readonly object[];
  readonly total: number;
  readonly batching: object | undefined;
}

/** As in lists; `parent` is one too. */
export function summaryJson(summary: ContentSummary, urls: ContentUrls): Record<string, unknown> {
  const { uid, id, type, title, description, created, modified, path } = summary;
  return {
    '@id': urls.urlOf(path),
    '@type': type,
    UID: uid,
    id,
    title,
    description,
    review_state: REVIEW_STATE,
    is_folderish: isFolderish(summary),
    created,
    modified,
  };
}

/** In full. @param members what the serializers add */
export function objectJson(
  object: ContentObject,
  members: Readonly<Record<string, unknown>>,
  shown: ShownItems | undefined,
  urls: ContentUrls,
): Record<string, unknown> {
  return {
    ...object.fields,
    ...summaryJson(object, urls),
    parent: object.parent === null ? {} : summaryJson(object.parent, urls),
    ...(shown && { items: shown.items, items_total: shown.total, batching: shown.batching }),
    ...members,
  };
}

/** 200, or 304 where the client has exactly this already. What is shown depends on who asks, so nobody else may keep it. */
export function objectAnswer(object: ContentObject, json: object, request: ContentRequest): Answer {
  const body = JSON.stringify(json);
  const etag = representationTag(object.version, body);
  const headers = ['ETag', etag, 'Cache-Control', 'private, no-cache', 'Vary', 'Authorization'];
  if (isNotModified(request.header('if-none-match'), etag)) return emptyAnswer(304, headers);
  return { status: 200, headers: [...JSON_HEADERS, ...headers], body };
}

export function createdAnswer(object: ContentObject, json: object, urls: ContentUrls): Answer {
  const headers = [...JSON_HEADERS, 'Location', urls.urlOf(object.path), 'ETag', versionTag(object.version)];
  return { status: 201, headers, body: JSON.stringify(json) };
}

export const changedAnswer = (version: string): Answer => emptyAnswer(204, ['ETag', versionTag(version)]);

export function changedObjectAnswer(object: ContentObject, json: object): Answer {
  const headers = [...JSON_HEADERS, 'Preference-Applied', 'return=representation', 'ETag', versionTag(object.version)];
  return { status: 200, headers, body: JSON.stringify(json) };
}

export const placedAnswer = (placements: readonly Placement[], urls: ContentUrls): Answer => ({
  status: 200,
  headers: [...JSON_HEADERS],
  body: JSON.stringify(placements.map(({ from, to }) => ({ source: urls.urlOf(from), target: urls.urlOf(to) }))),
});
