import { type TlsOptions } from 'node:tls';
import { parse as readUrl } from 'pg-connection-string';

/**
 * Connection URLs as libpq reads them: `postgres://user:password@host:5432,host2:5432/name?…`. Node's own URL class knows neither
 * several hosts nor a socket folder (`%2Fvar%2Frun%2Fpostgresql`) as the host, so these few rules are kept here.
 */

interface DatabaseUrl {
  /** Decoded only where needed; empty when the URL has none. */
  user: string;
  /** At least one, each `host` or `host:port`, as written. */
  hosts: string[];
  /** Database name, as written; empty when the URL has none. */
  name: string;
}

const SCHEMES = ['postgres://', 'postgresql://'];

function parse(text: string): DatabaseUrl | null {
  const scheme = SCHEMES.find((candidate) => text.startsWith(candidate));
  if (scheme === undefined || /[\s\p{Cc}#]/u.test(text)) return null;
  const [, server = '', path = '', options = ''] = /^([^/?]*)([^?]*)(.*)$/.exec(text.slice(scheme.length)) ?? [];
  // The last "@" ends the credentials, so that a password with an unencoded "@" is never taken for a part of the host and shown.
  const at = server.lastIndexOf('@');
  // One further on belongs to a password with an unencoded "/" or "?".
  if (path.includes('@') || (at < 0 && options.includes('@'))) return null;
  const hosts = server.slice(at + 1).split(',');
  if (!hosts.every(isHostAndPort)) return null;
  return { user: before(server.slice(0, Math.max(at, 0)), ':'), hosts, name: path.slice(1) };
}

/** `host`, `host:port`, `[ipv6]:port` or `%2Fsocket%2Ffolder`. */
function isHostAndPort(text: string): boolean {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+|%2[Ff][A-Za-z0-9._%-]*)(:(\d{1,5}))?$/.exec(text);
  if (match === null) return false;
  return match[3] === undefined || (Number(match[3]) >= 1 && Number(match[3]) <= 65_535);
}

function before(text: string, mark: string): string {
  const at = text.indexOf(mark);
  return at < 0 ? text : text.slice(0, at);
}

/** Whether the text names at least one PostgreSQL server. */
export function isDatabaseUrl(text: string): boolean {
  return parse(text) !== null;
}

/** The same place without password and without options, fit to be shown: `postgres://user@h1:5432,h2:5432/name`. */
export function withoutPassword(databaseUrl: string): string {
  const url = parse(databaseUrl);
  if (url === null) return 'a PostgreSQL database';
  const user = url.user === '' ? '' : `${url.user}@`;
  const name = url.name === '' ? '' : `/${url.name}`;
  return `postgres://${user}${url.hosts.join(',')}${name}`;
}

/** One server of a URL, and how to log in there. */
export interface DatabaseServer {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  /** As the URL says; absent when it does not. */
  ssl?: boolean | TlsOptions;
}

/**
 * The servers that a URL lists, in its order. Reads the files that it names.
 *
 * @throws whatever the driver's parser throws, which never shows the password
 */
export function serversOf(databaseUrl: string): DatabaseServer[] {
  return singleHostUrls(databaseUrl).map(fromUrl);
}

/**
 * One URL for each of the servers that a URL lists, in its order. The parser that the driver uses knows a single host only; the last
 * `@` before path and options ends the credentials.
 */
function singleHostUrls(url: string): string[] {
  const schemeEnd = url.indexOf('://') + 3;
  const serverEnd = schemeEnd + url.slice(schemeEnd).search(/[/?]|$/);
  const hostsStart =
    url.lastIndexOf('@', serverEnd - 1) >= schemeEnd ? url.lastIndexOf('@', serverEnd - 1) + 1 : schemeEnd;
  const hosts = url.slice(hostsStart, serverEnd).split(',');
  return hosts.map((host) => url.slice(0, hostsStart) + host + url.slice(serverEnd));
}

/** Our own reading of a URL: TypeORM's loses unix socket folders and TLS parameters. */
function fromUrl(url: string): DatabaseServer {
  const { host, port, user, password, database, ssl } = readUrl(url);
  return {
    host: host ?? 'localhost',
    port: Number(port ?? 5432),
    user: user ?? 'postgres',
    password: password ?? '',
    database: database ?? user ?? 'postgres',
    ...(ssl === undefined ? {} : { ssl: ssl as TlsOptions }),
  };
}
