// Requests of the configuration API as bytes, signed like the official clients sign.
import { createHash, createHmac } from 'node:crypto';

export const KEY = { id: 'bench', secret: Buffer.from('a secret for benchmarks').toString('base64') };

/**
 * Good for a quarter of an hour: so long may the date be off.
 *
 * @param options.headers behind the signed ones, themselves not signed
 */
export function signed(port, method, path, { body = '', headers = {} } = {}) {
  const target = `${path}${path.includes('?') ? '&' : '?'}api-version=2023-11-01`;
  const host = `127.0.0.1:${port}`;
  const date = new Date().toUTCString();
  const hash = createHash('sha256').update(body).digest('base64');
  const signature = createHmac('sha256', Buffer.from(KEY.secret, 'base64'))
    .update(`${method}\n${target}\n${date};${host};${hash}`)
    .digest('base64');
  const lines = {
    Host: host,
    'x-ms-date': date,
    'x-ms-content-sha256': hash,
    Authorization: `HMAC-SHA256 Credential=${KEY.id}&SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature}`,
    Accept: 'application/vnd.microsoft.appconfig.kv+json',
    ...(body ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) } : {}),
    ...headers,
  };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${head.join('')}\r\n${body}`);
}
