import { type QueryString } from '../../http/query-string.js';

/**
 * The relative address of the next page (Azure contract 4.5): the request's own parameters in their order, then `after`. Clients read
 * it as a query string and so lose its first parameter's name to the path; `after` therefore never comes first, which holds because
 * an `api-version` is always there.
 *
 * @param path the request's path, in ASCII
 * @param token the encoded continuation token
 * @param apiVersion the version that applies, put in front when the request named none and a default was assumed
 */
export function nextLink(path: string, query: QueryString, token: string, apiVersion: string): string {
  let link = query.first('api-version') === undefined ? `&api-version=${encodeURIComponent(apiVersion)}` : '';
  for (const { name, value } of query.pairs) {
    const lowerCaseName = name.toLowerCase();
    if (lowerCaseName === 'after' || (lowerCaseName === 'api-version' && value === '')) continue;
    link += `&${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
  }
  return `${path}?${link.slice(1)}&after=${encodeURIComponent(token)}`;
}
