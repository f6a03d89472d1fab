import { BlockList, isIP, isIPv6 } from 'node:net';

/** Rules about hosts, origins and addresses that settings are checked by. */

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether only this machine can reach a server that listens here: 127.0.0.0/8, `::1`, `localhost`. */
export function isLoopbackHost(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true;
  const family = isIP(host);
  return family !== 0 && LOOPBACK.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/** An address or host name that a server can listen on; without port, scheme or brackets. */
export function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true;
  return text.length <= 253 && /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(text);
}

/** Host and port as they stand in a URL: IPv6 addresses in brackets. */
export function authority(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** An http or https URL without credentials, query or fragment. */
export function isBaseUrl(text: string): boolean {
  const url = httpUrl(text);
  return url !== null && url.username === '' && url.password === '' && !text.includes('?') && !text.includes('#');
}

/** What a browser sends as `Origin`: scheme, host and non-default port, nothing behind. */
export function isOrigin(text: string): boolean {
  return httpUrl(text)?.origin === text;
}

/** Only as it is written in full: `URL` itself trims blanks, drops line ends and adds missing slashes, and the text is used as it is. */
function httpUrl(text: string): URL | null {
  if (!/^https?:\/\/[^\s\p{Cc}\\/][^\s\p{Cc}\\]*$/iu.test(text)) return null;
  return URL.canParse(text) ? new URL(text) : null;
}
