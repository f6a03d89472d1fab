import { badRequest } from '../../http/content/content-problem.js';
import { decodeObjectPath, OBJECT_VIEW, splitContentPath } from '../../http/content/content-path.js';
import { isUid } from './content-id.js';
import { parseJsonObject } from './content-input.js';

/** What `@move` and `@copy` name as a source: an object by its UID or by the ids along its path. */
export type Source = { readonly uid: string } | { readonly path: readonly string[] };

/** Each costs a look-up, and all are moved by one statement. */
const MAX_SOURCES = 100;

/**
 * `source` of a body: an absolute URL of this site, a path, a UID, or a list of them.
 *
 * @param baseUrl of the site; URLs that begin otherwise are somebody else's
 * @throws 400
 */
export function parseSources(body: Buffer, baseUrl: string): Source[] {
  const { source } = parseJsonObject(body);
  if (source === undefined || source === null || source === '') throw badRequest(`Property 'source' is required`);
  const sources: readonly unknown[] = Array.isArray(source) ? source : [source];
  if (sources.length > MAX_SOURCES) throw badRequest(`Property 'source' names more than ${MAX_SOURCES} objects.`);
  return sources.map((text) => {
    if (typeof text !== 'string') throw badRequest(`Property 'source' must be a URL, a path, a UID or a list of them`);
    return parseSource(text, baseUrl);
  });
}

function parseSource(text: string, baseUrl: string): Source {
  if (isUid(text)) return { uid: text };
  const isUrl = /^https?:/i.test(text);
  if (isUrl && text !== baseUrl && !text.startsWith(`${baseUrl}/`)) {
    throw badRequest(`The source ${text.slice(0, 200)} is not of this site.`);
  }
  const { view, objectSegments } = splitContentPath(isUrl ? text.slice(baseUrl.length) : text);
  if (view !== OBJECT_VIEW) throw badRequest(`The source ${text.slice(0, 200)} names no object.`);
  // Escapes as in an address; other characters may stand for themselves.
  return { path: decodeObjectPath(objectSegments.map((segment) => Buffer.from(segment).toString('latin1'))) };
}
