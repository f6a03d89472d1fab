import { type Settings } from '../config/settings.js';
import { type ApiRequest } from '../http/api-request.js';

/**
 * Whether passwords and bearer tokens may be taken from this request; a token is a password while it lasts. Off loopback the service
 * itself does not start without TLS or a proxy that ends it, but only the proxy knows whether it also took the request over plain http.
 */
export function isConfidential(
  request: Pick<ApiRequest, 'isEncrypted' | 'header'>,
  settings: Pick<Settings, 'isLoopback' | 'trustedTlsProxy'>,
): boolean {
  if (request.isEncrypted || settings.isLoopback) return true;
  const [scheme = ''] = (request.header('x-forwarded-proto') ?? 'https').split(',');
  return settings.trustedTlsProxy && scheme.trim().toLowerCase() === 'https';
}
