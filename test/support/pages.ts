import { type AzureAnswer, type AzureHttp, type AzureRequestOptions } from './azure-http';

/** More pages than any spec makes: a collection that never ends fails instead of hanging. */
const MAX_PAGES = 50;

/** Every page of a collection from the target on, following `@nextLink` with the same headers, as clients do. */
export async function readPages(
  azure: AzureHttp,
  target: string,
  options: AzureRequestOptions = {},
): Promise<AzureAnswer[]> {
  const pages: AzureAnswer[] = [];
  let next: string | undefined = target;
  while (next !== undefined) {
    if (pages.length === MAX_PAGES) throw new Error(`${target} does not end`);
    const page: AzureAnswer = await azure.get(next, options);
    if (page.status !== 200) throw new Error(`${next} answered ${page.status}: ${page.text}`);
    pages.push(page);
    next = page.json['@nextLink'];
  }
  return pages;
}

/** The items of all pages in order. */
export async function readItems<T = Record<string, unknown>>(
  azure: AzureHttp,
  target: string,
  options: AzureRequestOptions = {},
): Promise<T[]> {
  return (await readPages(azure, target, options)).flatMap((page) => page.json.items as T[]);
}
