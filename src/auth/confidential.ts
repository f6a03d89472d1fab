import { type Settings } from '../config/settings.js';
import { type ApiRequest } from '../http/api-request.js';
import { clientScheme } from '../http/client-scheme.js';

/**
 * Whether passwords and bearer tokens may be taken from this request; a token is a password while it lasts. Off loopback the service
 * itself does not start without TLS or a proxy that ends it, but only the proxy knows whether it also took the request over plain http.
 */
export function isConfidential(
  request: Pick<ApiRequest, 'isEncrypted' | 'header'>,
  settings: Pick<Settings, 'isLoopback' | 'trustedTlsProxy'>,
): boolean {
  return request.isEncrypted || settings.isLoopback || clientScheme(request, settings) === 'https';
}
