import { type ApiRequest } from '../api-request';
import { Settings } from '../../config/settings';
import { publicOrigin } from './azure.surface';

interface Way {
  readonly isEncrypted?: boolean;
  readonly isProxied?: boolean;
  readonly forwarded?: string;
}

describe('publicOrigin', () => {
  it.each<[Way, string]>([
    [{}, 'http'],
    [{ isEncrypted: true }, 'https'],
    [{ forwarded: 'https' }, 'http'],
    [{ isProxied: true }, 'https'],
    [{ isProxied: true, forwarded: 'http' }, 'http'],
    [{ isProxied: true, isEncrypted: true, forwarded: 'http' }, 'http'],
    [{ isProxied: true, forwarded: 'https, http' }, 'https'],
    [{ isProxied: true, forwarded: 'HTTP , https' }, 'http'],
    [{ isProxied: true, forwarded: 'wss' }, 'https'],
    [{ isProxied: true, forwarded: '' }, 'https'],
    [{ isProxied: true, forwarded: 'http://elsewhere/' }, 'https'],
  ])('of %j is of %s', ({ isEncrypted = false, isProxied = false, forwarded }, scheme) => {
    const headers: Record<string, string | undefined> = { host: 'config.example', 'x-forwarded-proto': forwarded };
    const request = { isEncrypted, header: (name: string) => headers[name] } as ApiRequest;
    const settings = Object.assign(new Settings(), { trustedTlsProxy: isProxied });
    expect(publicOrigin(request, settings)).toBe(`${scheme}://config.example`);
  });
});
