import { readFileSync } from 'node:fs';
import { isDatabaseUrl, serversOf, withoutPassword } from './database-url.js';

describe('isDatabaseUrl', () => {
  it.each([
    'postgres://localhost',
    'postgresql://user@localhost:5432/db',
    'postgres://u:p@h1:5432,h2:5432/db',
    'postgres://u:p@h1,h2,h3/db?target_session_attrs=read-write',
    'postgres://u:p@[::1]:5432/db',
    'postgres://u:p@%2Fvar%2Frun%2Fpostgresql/db',
    'postgres://u:p%40ss@h/db',
    'postgres://u@h/db?password=p@ss',
  ])('accepts %s', (text) => {
    expect(isDatabaseUrl(text)).toBe(true);
  });

  it.each([
    '',
    'postgres',
    'postgres:',
    'postgres://',
    'postgres:///db',
    'http://localhost/db',
    'POSTGRES://localhost/db',
    'postgres://h:0/db',
    'postgres://h:65536/db',
    'postgres://h:port/db',
    'postgres://h1,/db',
    'postgres://h 1/db',
    'postgres://h/db\n',
    'postgres://u:12/ss@h/db',
    'postgres://u:12?ss@h/db',
    'postgres://u:12#ss@h/db',
    'postgres://u:p@h/db#ss',
  ])('refuses %p', (text) => {
    expect(isDatabaseUrl(text)).toBe(false);
  });
});

describe('withoutPassword', () => {
  it.each([
    ['postgres://u:hush@h:5432/db', 'postgres://u@h:5432/db'],
    ['postgresql://u:hu@sh@h/db', 'postgres://u@h/db'],
    ['postgres://u:hush@h1:5432,h2:5433/db?password=hush', 'postgres://u@h1:5432,h2:5433/db'],
    ['postgres://:hush@h', 'postgres://h'],
    ['postgres://u:hush@%2Fsocket%2Fdir/db', 'postgres://u@%2Fsocket%2Fdir/db'],
    ['nonsense:hush', 'a PostgreSQL database'],
    ['postgres://u:12/hush@h/db', 'a PostgreSQL database'],
    ['postgres://u:12?hush@h/db', 'a PostgreSQL database'],
  ])('shows %s as %s', (text, shown) => {
    expect(withoutPassword(text)).toBe(shown);
  });
});

describe('serversOf', () => {
  const login = { user: 'u', password: 'p' };

  it('gives the servers in the order of the URL, all with the same login', () => {
    expect(serversOf('postgres://u:p@h1:5432,[::1]:5433,%2Frun%2Fpg:5434/db')).toEqual([
      { host: 'h1', port: 5432, ...login, database: 'db' },
      { host: '::1', port: 5433, ...login, database: 'db' },
      { host: '/run/pg', port: 5434, ...login, database: 'db' },
    ]);
  });

  it.each(['', '/', '/db'])('asks each of them for the TLS that the URL asks for, with the path %p', (path) => {
    const ssl = { ca: readFileSync(__filename, 'utf8') };
    const database = path === '/db' ? 'db' : 'u';
    expect(serversOf(`postgres://u:p@h1:5432,h2:5433${path}?sslmode=verify-full&sslrootcert=${__filename}`)).toEqual([
      { host: 'h1', port: 5432, ...login, database, ssl },
      { host: 'h2', port: 5433, ...login, database, ssl },
    ]);
    expect(serversOf(`postgres://u:p@h1,h2${path}?sslmode=verify-full`).map((server) => server.ssl)).toEqual([{}, {}]);
  });
});
