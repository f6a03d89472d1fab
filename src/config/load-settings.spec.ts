import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { loadSettings } from './load-settings.js';
import { SettingsError } from './settings-error.js';
import type { Settings } from './settings.js';

/** Made for this file only; protects nothing. */
const CERT = `-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIUfjS5bpS0R6sn/EebWIZTySjf4NIwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjAyMzUyMjZaGA8yMTI2MTAyNzIzNTIy
NlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEtG
AaJhmGPvJALH16M/xoYfObRQwt5yW4wlT7uaijC3yU/6pYEPsIKv5Nk4zQ/wwCYV
Lfhlbqko8cRoItVuXOyjUzBRMB0GA1UdDgQWBBSYovNjf9X2K842Au9UZBhaQUic
NjAfBgNVHSMEGDAWgBSYovNjf9X2K842Au9UZBhaQUicNjAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0cAMEQCIErzkUxB8OkfpKNJeOZvblcm1qK+xuu0pDTa
masE4tn+AiBJZn9qOLMGYOJVHukjN6skSoolYqqONJoSpw85ArrQAA==
-----END CERTIFICATE-----
`;
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCNpfkk+GrnhLBu1g
N6sRWJbxMjjvxUHG9que/pptZf+hRANCAARLRgGiYZhj7yQCx9ejP8aGHzm0UMLe
cluMJU+7moowt8lP+qWBD7CCr+TZOM0P8MAmFS34ZW6pKPHEaCLVblzs
-----END PRIVATE KEY-----
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'settings-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const load = (env: NodeJS.ProcessEnv = {}): Settings => loadSettings(env, false);

function faultsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    load(env);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
}

const MASTER_KEY = Buffer.alloc(32, 1).toString('base64');

describe('loadSettings without anything set', () => {
  it('gives the documented defaults', () => {
    expect({ ...load() }).toEqual({
      host: '127.0.0.1',
      port: 8080,
      grpcPort: 50_001,
      appId: 'latchkey',
      namespace: undefined,
      publicUrl: undefined,
      databaseUrl: undefined,
      dataDir: '.data',
      dbPoolMax: 10,
      migrateOnStart: true,
      workers: 1,
      accessKeys: undefined,
      defaultApiVersion: undefined,
      allowAnonymousConfig: false,
      daprApiToken: undefined,
      lockComponentsDir: undefined,
      cmsUsers: undefined,
      jwtSecret: undefined,
      masterKey: undefined,
      oidcIssuer: undefined,
      oidcAudience: undefined,
      corsOrigins: undefined,
      failedLoginsPerMinute: 10,
      contentLockTime: 'epoch',
      seedFile: undefined,
      tlsCertFile: undefined,
      tlsKeyFile: undefined,
      trustedTlsProxy: false,
      revisionRetentionDays: 30,
      maxItemBytes: 10_240,
      maxNameBytes: 2_000,
      bindOwnerToPrincipal: false,
      lockDelayMs: 0,
      strictReplay: false,
      httpHostQuirk: true,
      dbPooler: false,
      logLevel: 'info',
      logFormat: 'json',
      shutdownGraceSeconds: 10,
    });
  });

  it('takes the empty text for unset', () => {
    const empty = {
      PORT: '',
      ACCESS_KEYS: '',
      DATABASE_URL: '',
      DATABASE_URL_FILE: '',
      LOG_FORMAT: '',
      TRUSTED_TLS_PROXY: '',
    };
    expect(load(empty)).toEqual(load());
  });

  it('logs prettily on a terminal', () => {
    expect(loadSettings({}, true).logFormat).toBe('pretty');
    expect(loadSettings({ LOG_FORMAT: 'json' }, true).logFormat).toBe('json');
  });

  it('cannot be changed', () => {
    const settings = load({ ACCESS_KEYS: 'a:c2VjcmV0:rw', CORS_ORIGINS: 'https://a.example' });
    expect(Object.isFrozen(settings)).toBe(true);
    expect(Object.isFrozen(settings.accessKeys)).toBe(true);
    expect(Object.isFrozen(settings.accessKeys?.[0])).toBe(true);
    expect(Object.isFrozen(settings.corsOrigins)).toBe(true);
  });
});

describe('loadSettings with everything set', () => {
  it('gives typed values', () => {
    const settings = load({
      HOST: '::1',
      PORT: '0',
      GRPC_PORT: 'off',
      APP_ID: 'app',
      NAMESPACE: 'prod',
      PUBLIC_URL: 'https://config.example/',
      DATABASE_URL: 'postgres://u:p@h1:5432,h2:5433/db?sslmode=require',
      DATA_DIR: '/srv/latchkey',
      DB_POOL_MAX: '20',
      MIGRATE_ON_START: 'false',
      WORKERS: 'auto',
      ACCESS_KEYS: 'a:b:c2VjcmV0:rw,reader:b3RoZXI=:ro',
      DEFAULT_API_VERSION: '2023-11-01',
      ALLOW_ANONYMOUS_CONFIG: 'true',
      DAPR_API_TOKEN: 'token',
      LOCK_COMPONENTS_DIR: folder,
      CMS_USERS: 'admin:a:b:c:manager,eve:pw:reader',
      JWT_SECRET: 'j'.repeat(32),
      MASTER_KEY,
      OIDC_ISSUER: 'https://login.example/tenant',
      OIDC_AUDIENCE: 'https://azconfig.io',
      CORS_ORIGINS: 'https://a.example, http://localhost:3000',
      FAILED_LOGINS_PER_MINUTE: '5',
      CONTENT_LOCK_TIME: 'iso',
      SEED_FILE: file('seed.json', '{}'),
      TLS_CERT_FILE: file('cert.pem', CERT),
      TLS_KEY_FILE: file('key.pem', KEY),
      TRUSTED_TLS_PROXY: 'false',
      REVISION_RETENTION_DAYS: '7',
      MAX_ITEM_BYTES: '20480',
      MAX_NAME_BYTES: '1000',
      BIND_OWNER_TO_PRINCIPAL: 'true',
      LOCK_DELAY_MS: '15000',
      STRICT_REPLAY: 'true',
      HTTP_HOST_QUIRK: 'false',
      DB_POOLER: 'true',
      LOG_LEVEL: 'debug',
      LOG_FORMAT: 'pretty',
      SHUTDOWN_GRACE_SECONDS: '30',
    });
    expect({ ...settings }).toEqual({
      host: '::1',
      port: 0,
      grpcPort: 'off',
      appId: 'app',
      namespace: 'prod',
      publicUrl: 'https://config.example',
      databaseUrl: 'postgres://u:p@h1:5432,h2:5433/db?sslmode=require',
      dataDir: '/srv/latchkey',
      dbPoolMax: 20,
      migrateOnStart: false,
      workers: 'auto',
      accessKeys: [
        { id: 'a:b', secret: 'c2VjcmV0', readOnly: false },
        { id: 'reader', secret: 'b3RoZXI=', readOnly: true },
      ],
      defaultApiVersion: '2023-11-01',
      allowAnonymousConfig: true,
      daprApiToken: 'token',
      lockComponentsDir: folder,
      cmsUsers: [
        { name: 'admin', password: 'a:b:c', role: 'manager' },
        { name: 'eve', password: 'pw', role: 'reader' },
      ],
      jwtSecret: 'j'.repeat(32),
      masterKey: Buffer.alloc(32, 1),
      oidcIssuer: 'https://login.example/tenant',
      oidcAudience: 'https://azconfig.io',
      corsOrigins: ['https://a.example', 'http://localhost:3000'],
      failedLoginsPerMinute: 5,
      contentLockTime: 'iso',
      seedFile: join(folder, 'seed.json'),
      tlsCertFile: join(folder, 'cert.pem'),
      tlsKeyFile: join(folder, 'key.pem'),
      trustedTlsProxy: false,
      revisionRetentionDays: 7,
      maxItemBytes: 20_480,
      maxNameBytes: 1_000,
      bindOwnerToPrincipal: true,
      lockDelayMs: 15_000,
      strictReplay: true,
      httpHostQuirk: false,
      dbPooler: true,
      logLevel: 'debug',
      logFormat: 'pretty',
      shutdownGraceSeconds: 30,
    });
    expect(settings).toMatchObject({ isLoopback: true, hasTls: true, hasOidc: true });
  });

  it('never prints a secret', () => {
    const env = {
      DATABASE_URL: 'postgres://u:hush@h/db',
      ACCESS_KEYS: 'a:aHVzaA==:rw',
      DAPR_API_TOKEN: 'hush',
      CMS_USERS: 'admin:hush:manager',
      JWT_SECRET: 'hush'.repeat(8),
      MASTER_KEY: Buffer.from('hush'.repeat(8)).toString('base64'),
    };
    const settings = load(env);
    const printed = inspect(settings, { depth: 9 }) + JSON.stringify(settings);
    expect(printed).not.toMatch(/hush|aHVza|104,117,115,104|68 75 73 68/);
    expect(settings.toJSON()).toMatchObject({ port: 8080, jwtSecret: '[set]', masterKey: '[set]' });
  });
});

describe('a value that does not fit', () => {
  it.each([
    ['HOST', '[::1]', 'an address or host name without port or brackets'],
    ['HOST', 'localhost:80', 'an address or host name without port or brackets'],
    ['PORT', 'http', 'a whole number from 0 to 65535'],
    ['PORT', '65536', 'a whole number from 0 to 65535'],
    ['PORT', '-1', 'a whole number from 0 to 65535'],
    ['PORT', '80.5', 'a whole number from 0 to 65535'],
    ['PORT', '1e3', 'a whole number from 0 to 65535'],
    ['PORT', '0x50', 'a whole number from 0 to 65535'],
    ['PORT', ' 80', 'a whole number from 0 to 65535'],
    ['GRPC_PORT', 'Off', 'a whole number from 0 to 65535, or off'],
    ['GRPC_PORT', '70000', 'a whole number from 0 to 65535, or off'],
    ['APP_ID', 'my app', 'a name without blanks'],
    ['NAMESPACE', ' ', 'a name without blanks'],
    ['PUBLIC_URL', 'config.example', 'an http or https URL without credentials, query or fragment'],
    ['PUBLIC_URL', 'https://u:p@config.example', 'an http or https URL without credentials, query or fragment'],
    ['DATA_DIR', ' ', 'a folder'],
    ['DB_POOL_MAX', '0', 'a whole number from 1 to 1000'],
    ['MIGRATE_ON_START', 'yes', 'true or false'],
    ['MIGRATE_ON_START', 'TRUE', 'true or false'],
    ['WORKERS', '0', 'a whole number from 1 to 256, or auto'],
    ['DEFAULT_API_VERSION', '2022-11-01-preview', '1.0, 2023-10-01, 2023-11-01, 2024-09-01 or 2026-04-01'],
    ['ALLOW_ANONYMOUS_CONFIG', '1', 'true or false'],
    ['CORS_ORIGINS', 'https://a.example/', 'origins such as https://app.example, comma separated, without a path'],
    ['CORS_ORIGINS', 'https://a.example,*', 'origins such as https://app.example, comma separated, without a path'],
    ['FAILED_LOGINS_PER_MINUTE', '0', 'a whole number from 1 to 1000000'],
    ['CONTENT_LOCK_TIME', 'unix', 'epoch or iso'],
    ['TRUSTED_TLS_PROXY', 'on', 'true or false'],
    ['REVISION_RETENTION_DAYS', '0', 'a whole number from 1 to 36500'],
    ['MAX_ITEM_BYTES', '65537', 'a whole number from 1 to 65536'],
    ['MAX_NAME_BYTES', '2601', 'a whole number from 1 to 2600'],
    ['LOCK_DELAY_MS', '-5', 'a whole number from 0 to 3600000'],
    ['HTTP_HOST_QUIRK', 'no', 'true or false'],
    ['DB_POOLER', 'no', 'true or false'],
    ['LOG_LEVEL', 'verbose', 'trace, debug, info, warn, error, fatal or silent'],
    ['LOG_FORMAT', 'text', 'pretty or json'],
    ['SHUTDOWN_GRACE_SECONDS', '10s', 'a whole number from 0 to 3600'],
  ])('is one fault: %s=%s', (variable, text, expected) => {
    expect(faultsOf({ [variable]: text })).toEqual([`${variable} is ${JSON.stringify(text)}; expected ${expected}`]);
  });

  it.each([
    ['PORT', '0'],
    ['PORT', '65535'],
    ['GRPC_PORT', '65535'],
    ['DB_POOL_MAX', '1000'],
  ])('is none at a bound itself: %s=%s', (variable, text) => {
    expect(faultsOf({ [variable]: text })).toEqual([]);
  });

  it.each([
    [
      'DATABASE_URL',
      'mysql://u:hush@h/db',
      'postgres://user:password@host:5432/name (several hosts separated by commas)',
    ],
    ['DAPR_API_TOKEN', 'hush hush', 'visible ASCII characters without blanks'],
    ['JWT_SECRET', 'hush', 'at least 32 characters'],
    ['MASTER_KEY', 'hush', '32 bytes in base64'],
    ['MASTER_KEY', Buffer.alloc(31).toString('base64'), '32 bytes in base64'],
    ['MASTER_KEY', MASTER_KEY.slice(0, -1), '32 bytes in base64'],
  ])('is not shown when it is a secret: %s', (variable, text, expected) => {
    const fault = `${variable} is set to something else (not shown); expected ${expected}`;
    expect(faultsOf({ [variable]: text })).toEqual([fault]);
  });

  it('is reported together with all others', () => {
    const faults = faultsOf({
      PORT: 'x',
      WORKERS: '-1',
      ACCESS_KEYS: 'nonsense,a:***:rw',
      MASTER_KEY: 'x',
      TLS_CERT_FILE: '/nowhere',
      OIDC_ISSUER: 'https://login.example',
      JWT_SECRET: 'a',
      JWT_SECRET_FILE: 'b',
    });
    const variables = faults.map((fault) => /^[A-Z_]+/.exec(fault)?.[0]).sort();
    expect(variables).toEqual([
      'ACCESS_KEYS',
      'ACCESS_KEYS',
      'JWT_SECRET',
      'MASTER_KEY',
      'OIDC_ISSUER',
      'PORT',
      'TLS_CERT_FILE',
      'TLS_CERT_FILE',
      'WORKERS',
    ]);
    expect(new SettingsError(faults).message.split('\n')).toEqual(faults);
  });
});

describe('ACCESS_KEYS', () => {
  const threeParts = 'is not of three parts; expected id:base64secret:rw or id:base64secret:ro';
  it.each([
    ['c2VjcmV0', `entry 1 ${threeParts}`],
    ['a:c2VjcmV0', `entry 1 ${threeParts}`],
    ['a:c2VjcmV0:rw,', `entry 2 ${threeParts}`],
    [':c2VjcmV0:rw', 'entry 1 has an unusable id; expected visible ASCII without ";" and "&"'],
    ['a;b:c2VjcmV0:rw', 'entry 1 has an unusable id; expected visible ASCII without ";" and "&"'],
    ['a:c2VjcmV0:rw, b:c2VjcmV0:rw', 'entry 2 has an unusable id; expected visible ASCII without ";" and "&"'],
    ['a::rw', 'entry 1 has a secret that is not base64 (not shown); expected base64'],
    ['a:hush:rx', 'entry 1 does not end in its mode; expected rw or ro'],
    ['a:aHVzaA:rw', 'entry 1 has a secret that is not base64 (not shown); expected base64'],
    ['a:aHVz aA==:rw', 'entry 1 has a secret that is not base64 (not shown); expected base64'],
    ['a:aHVzaA==:RW', 'entry 1 does not end in its mode; expected rw or ro'],
    ['a:c2VjcmV0:rw,a:aHVzaA==:ro', 'entry 2 has the id of an earlier entry; expected each id once'],
  ])('is refused as %s', (text, fault) => {
    expect(faultsOf({ ACCESS_KEYS: text })).toEqual([`ACCESS_KEYS: ${fault}`]);
  });
});

describe('CMS_USERS', () => {
  it.each([
    ['admin', 'entry 1 is not of three parts; expected name:password:role'],
    ['admin:manager', 'entry 1 is not of three parts; expected name:password:role'],
    [':hush:manager', 'entry 1 has no usable name; expected a name without blanks around it'],
    ['a:hush:manager, b:hush:manager', 'entry 2 has no usable name; expected a name without blanks around it'],
    ['admin::manager', 'entry 1 has no password; expected a password without commas'],
    ['admin:hush:boss', 'entry 1 does not end in a role; expected reader, editor, manager'],
    ['admin:hush:manager,admin:hush:reader', 'entry 2 has the name of an earlier entry; expected each name once'],
  ])('is refused as %s', (text, fault) => {
    expect(faultsOf({ CMS_USERS: text })).toEqual([`CMS_USERS: ${fault}`]);
  });
});

describe('a secret in a file', () => {
  it.each([
    ['ACCESS_KEYS', 'a:c2VjcmV0:rw', { accessKeys: [{ id: 'a', secret: 'c2VjcmV0', readOnly: false }] }],
    ['DAPR_API_TOKEN', 'token', { daprApiToken: 'token' }],
    ['CMS_USERS', 'a:b:reader', { cmsUsers: [{ name: 'a', password: 'b', role: 'reader' }] }],
    ['JWT_SECRET', 'j'.repeat(40), { jwtSecret: 'j'.repeat(40) }],
    ['MASTER_KEY', MASTER_KEY, { masterKey: Buffer.alloc(32, 1) }],
    ['DATABASE_URL', 'postgresql://h/db', { databaseUrl: 'postgresql://h/db' }],
  ])('is read for %s, without the line end', (variable, text, expected) => {
    expect(load({ [`${variable}_FILE`]: file(variable, `${text}\n`) })).toMatchObject(expected);
    expect(load({ [`${variable}_FILE`]: file(variable, `${text}\r\n`) })).toMatchObject(expected);
  });

  it('is a fault beside the secret itself', () => {
    const env = { DAPR_API_TOKEN: 'a', DAPR_API_TOKEN_FILE: file('token', 'b') };
    expect(faultsOf(env)).toEqual(['DAPR_API_TOKEN and DAPR_API_TOKEN_FILE are both set; expected only one of them']);
  });

  it('is a fault when it cannot be read, with the name of the file', () => {
    const path = join(folder, 'absent');
    expect(faultsOf({ MASTER_KEY_FILE: path })).toEqual([
      `MASTER_KEY_FILE is ${JSON.stringify(path)}, which cannot be read (ENOENT); expected a file with the secret`,
    ]);
    expect(faultsOf({ MASTER_KEY_FILE: folder })[0]).toContain('cannot be read (EISDIR)');
  });

  it('is a fault when the file is empty, so that nothing is open by accident', () => {
    const path = file('empty', '\n');
    expect(faultsOf({ DAPR_API_TOKEN_FILE: path })).toEqual([
      `DAPR_API_TOKEN_FILE is ${JSON.stringify(path)}, an empty file; expected a file with the secret`,
    ]);
  });

  it('is named by its file variable when its content does not fit, and not shown', () => {
    expect(faultsOf({ JWT_SECRET_FILE: file('short', 'hush') })).toEqual([
      'JWT_SECRET_FILE is set to something else (not shown); expected at least 32 characters',
    ]);
    expect(faultsOf({ ACCESS_KEYS_FILE: file('keys', 'hush') })[0]).toMatch(/^ACCESS_KEYS_FILE: entry 1 is not/);
  });

  it('exists for secrets only', () => {
    expect(load({ PORT_FILE: '/nowhere', OIDC_ISSUER_FILE: '/nowhere' })).toEqual(load());
  });
});

describe('settings that belong together', () => {
  it('are both set or neither', () => {
    const cert = file('cert.pem', CERT);
    const key = file('key.pem', KEY);
    expect(faultsOf({ TLS_CERT_FILE: cert })).toEqual([
      'TLS_CERT_FILE is set but TLS_KEY_FILE is not; expected both or neither',
    ]);
    expect(faultsOf({ TLS_KEY_FILE: key })).toEqual([
      'TLS_KEY_FILE is set but TLS_CERT_FILE is not; expected both or neither',
    ]);
    expect(faultsOf({ OIDC_AUDIENCE: 'x' })).toEqual([
      'OIDC_AUDIENCE is set but OIDC_ISSUER is not; expected both or neither',
    ]);
  });

  it('name files and folders that are there', () => {
    const absent = join(folder, 'absent');
    const seed = file('seed.json', '{}');
    expect(faultsOf({ SEED_FILE: absent })).toEqual([
      `SEED_FILE is ${JSON.stringify(absent)}, which cannot be read (ENOENT); expected a readable file`,
    ]);
    expect(faultsOf({ SEED_FILE: folder })[0]).toMatch(/which is not a file; expected a readable file$/);
    expect(faultsOf({ LOCK_COMPONENTS_DIR: seed })[0]).toMatch(/which is not a folder; expected a readable folder$/);
  });

  it('are a certificate and its key', () => {
    const faults = faultsOf({ TLS_CERT_FILE: file('cert.pem', CERT), TLS_KEY_FILE: file('bad.pem', 'x') });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^TLS_CERT_FILE and TLS_KEY_FILE are .* which do not work together/);
  });

  it('name files that can be reached', () => {
    const behindFile = join(file('not-a-folder', 'x'), 'seed.json');
    expect(faultsOf({ SEED_FILE: behindFile })).toEqual([
      `SEED_FILE is ${JSON.stringify(behindFile)}, which cannot be read (ENOTDIR); expected a readable file`,
    ]);
    const loop = join(folder, 'loop');
    symlinkSync(loop, loop);
    expect(faultsOf({ LOCK_COMPONENTS_DIR: loop })[0]).toContain('cannot be read (ELOOP); expected a readable folder');
  });

  it('name files of secrets that are files', () => {
    expect(faultsOf({ ACCESS_KEYS_FILE: folder })).toEqual([
      `ACCESS_KEYS_FILE is ${JSON.stringify(folder)}, which cannot be read (EISDIR); expected a file with the secret`,
    ]);
  });
});

describe('a base URL', () => {
  const oidc = { OIDC_AUDIENCE: 'x' };

  it.each(['http://h', 'https://h.example:8443/a/b', 'HTTPS://H', 'http://[::1]:8080'])('may be %s', (url) => {
    expect(faultsOf({ PUBLIC_URL: url, OIDC_ISSUER: url, ...oidc })).toEqual([]);
  });

  it.each([
    'http://h\n',
    ' http://h',
    'http://h/a b',
    'http://h/\u0001a',
    'http://h/\ta',
    'http:h',
    'http:/h',
    'http:///h',
    'http:\\\\h',
    'http://h\\a',
  ])('is nothing that a browser would first put right: %j', (url) => {
    expect(faultsOf({ PUBLIC_URL: url, OIDC_ISSUER: url, ...oidc })).toEqual([
      expect.stringMatching(/^PUBLIC_URL is /),
      expect.stringMatching(/^OIDC_ISSUER is /),
    ]);
  });
});

describe('DATABASE_URL', () => {
  it.each([
    ['postgres://u:hush%ff@h/db', 'URI malformed'],
    ['postgres://u:hush@[1]/db', 'ERR_INVALID_URL'],
    ['postgres://u:hush@h/db?sslrootcert=/nope', 'ENOENT'],
  ])('is a fault when the driver cannot read it, and not shown: %s', (DATABASE_URL, reason) => {
    const expected = 'a URL with its special characters percent-encoded, and readable files in it';
    const faults = [
      `DATABASE_URL is set to something that cannot be used (${reason}, not shown); expected ${expected}`,
    ];
    expect(faultsOf({ DATABASE_URL })).toEqual(faults);
    expect(faultsOf({ DATABASE_URL_FILE: file('url', DATABASE_URL) })[0]).toMatch(/^DATABASE_URL_FILE is set/);
  });
});

describe('who can reach the service', () => {
  const credentials = { ACCESS_KEYS: 'a:c2VjcmV0:rw', DAPR_API_TOKEN: 'token', CMS_USERS: 'a:b:manager' };

  it.each(['127.0.0.1', '127.255.0.9', '::1', '0:0:0:0:0:0:0:1', 'localhost', 'LocalHost'])(
    'is this machine only with HOST=%s',
    (HOST) => {
      expect(load({ HOST })).toMatchObject({ isLoopback: true, httpHostQuirk: true });
    },
  );

  it.each(['0.0.0.0', '::', '128.0.0.1', '10.0.0.1', 'localhost.example', '::2'])('is anybody with HOST=%s', (HOST) => {
    expect(load({ HOST, ...credentials, TRUSTED_TLS_PROXY: 'true' })).toMatchObject({
      isLoopback: false,
      httpHostQuirk: false,
    });
    expect(faultsOf({ HOST })).toEqual([
      `HOST is ${JSON.stringify(HOST)}, which is not loopback; expected to be set as well: ` +
        'ACCESS_KEYS (or OIDC_ISSUER with OIDC_AUDIENCE), DAPR_API_TOKEN, CMS_USERS, ' +
        'TLS_CERT_FILE with TLS_KEY_FILE (or TRUSTED_TLS_PROXY=true behind a proxy that ends TLS)',
    ]);
  });

  it('is anybody behind a TLS proxy, whatever HOST is', () => {
    expect(faultsOf({ TRUSTED_TLS_PROXY: 'true' })).toEqual([
      'TRUSTED_TLS_PROXY is true; expected to be set as well: ' +
        'ACCESS_KEYS (or OIDC_ISSUER with OIDC_AUDIENCE), DAPR_API_TOKEN, CMS_USERS',
    ]);
    expect(load({ TRUSTED_TLS_PROXY: 'true', ...credentials }).isLoopback).toBe(false);
  });

  it.each(['ACCESS_KEYS', 'DAPR_API_TOKEN', 'CMS_USERS'])('asks for what is missing only: %s', (variable) => {
    const faults = faultsOf({ HOST: '0.0.0.0', TRUSTED_TLS_PROXY: 'true', ...credentials, [variable]: '' });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`expected to be set as well: ${variable}[^,]*$`));
  });

  it('may be proven by an identity provider instead of access keys', () => {
    const oidc = { OIDC_ISSUER: 'https://login.example', OIDC_AUDIENCE: 'x' };
    expect(faultsOf({ HOST: '0.0.0.0', TRUSTED_TLS_PROXY: 'true', ...credentials, ACCESS_KEYS: '', ...oidc })).toEqual(
      [],
    );
  });

  it('may be anybody with TLS of our own', () => {
    const tls = { TLS_CERT_FILE: file('cert.pem', CERT), TLS_KEY_FILE: file('key.pem', KEY) };
    expect(load({ HOST: '0.0.0.0', ...credentials, ...tls }).hasTls).toBe(true);
  });

  it('takes a credential that is wrong for one fault, not for missing as well', () => {
    const env = { HOST: '0.0.0.0', TRUSTED_TLS_PROXY: 'true', ...credentials, CMS_USERS: 'nonsense' };
    expect(faultsOf(env)).toEqual(['CMS_USERS: entry 1 is not of three parts; expected name:password:role']);
  });

  it('keeps anonymous access to loopback', () => {
    const env = { HOST: '0.0.0.0', TRUSTED_TLS_PROXY: 'true', ...credentials, ALLOW_ANONYMOUS_CONFIG: 'true' };
    expect(faultsOf(env)).toEqual([
      'ALLOW_ANONYMOUS_CONFIG is true although TRUSTED_TLS_PROXY is true; expected false, except on loopback',
    ]);
  });
});
