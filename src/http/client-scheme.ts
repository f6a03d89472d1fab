import { type Settings } from '../config/settings.js';
import { type ApiRequest } from './api-request.js';

/**
 * How the client itself sent the request. A trusted proxy in front that ends TLS may say otherwise with `X-Forwarded-Proto`; of a list
 * the first counts, which is the client's own. Undefined when it says neither.
 */
export function clientScheme(
  request: Pick<ApiRequest, 'isEncrypted' | 'header'>,
  settings: Pick<Settings, 'trustedTlsProxy'>,
): 'http' | 'https' | undefined {
  if (!settings.trustedTlsProxy) return request.isEncrypted ? 'https' : 'http';
  const [first = ''] = (request.header('x-forwarded-proto') ?? 'https').split(',');
  const scheme = first.trim().toLowerCase();
  return scheme === 'http' || scheme === 'https' ? scheme : undefined;
}
