import { type ContentRequest } from '../../http/content/content-request.js';
import { notFound } from '../../problem/catalogue.js';

/**
 * Views that the site root has and no other object.
 *
 * @throws 404
 */
export function requireSiteRoot({ objectPath }: Pick<ContentRequest, 'objectPath'>): void {
  if (objectPath.length > 0) throw notFound();
}
