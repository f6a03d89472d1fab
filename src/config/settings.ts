import { inspect } from 'node:util';
import { isBaseUrl, isHost, isLoopbackHost, isOrigin } from './addresses.js';
import { isDatabaseUrl } from './database-url.js';
import { Expect, OneOf, Switch, Text, Unsettable, WholeNumber, WholeNumberOr } from './expectations.js';

/** Roles of the people who log in (interface page, `CMS_USERS`). */
export const USER_ROLES = ['reader', 'editor', 'manager'] as const;
export type UserRole = (typeof USER_ROLES)[number];

/** A key of the configuration API as configured or generated. */
export interface AccessKeySetting {
  id: string;
  /** Shared secret in base64. */
  secret: string;
  readOnly: boolean;
}

/** Somebody who logs in with name and password. */
export interface UserSetting {
  name: string;
  password: string;
  role: UserRole;
}

/**
 * What `DEFAULT_API_VERSION` may be. The key-value feature holds the rules of each version; shared folders import no feature, so the
 * names stand here once more.
 */
const API_VERSIONS = ['1.0', '2023-10-01', '2023-11-01', '2024-09-01', '2026-04-01'];
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** Properties that may also come from a file (`NAME_FILE`), and that are never shown. */
export const SECRET_SETTINGS: ReadonlySet<string> = new Set([
  'databaseUrl',
  'accessKeys',
  'daprApiToken',
  'cmsUsers',
  'jwtSecret',
  'masterKey',
]);

const isPresent = (text: string): boolean => text !== '' && text.trim() === text;
const isVisibleAscii = (text: string): boolean => /^[!-~]+$/.test(text);

/**
 * Everything an operator can set, typed and checked: one property per environment variable, named alike (`DB_POOL_MAX`,
 * `dbPoolMax`). Made by `loadSettings`, frozen, and handed to whoever needs it; nobody else reads the environment.
 */
export class Settings {
  /** HOST: address or name that HTTP and gRPC listen on. */
  @Text('an address or host name without port or brackets', isHost)
  readonly host: string = '127.0.0.1';

  /** PORT: HTTP for all four APIs; 0 picks a free one. */
  @WholeNumber(0, 65_535)
  readonly port: number = 8080;

  /** GRPC_PORT: Dapr's gRPC lock service; 0 picks a free one. */
  @WholeNumberOr('off', 0, 65_535)
  readonly grpcPort: number | 'off' = 50_001;

  /** APP_ID: what Dapr calls app id, the default key prefix of lock stores. */
  @Text('a name without blanks', isVisibleAscii)
  readonly appId: string = 'latchkey';

  /** NAMESPACE: what Dapr calls namespace; components of others are not loaded. */
  @Unsettable()
  @Text('a name without blanks', isVisibleAscii)
  readonly namespace: string | undefined = undefined;

  /** PUBLIC_URL: base of absolute URLs, without a slash at the end; unset = from the request. */
  @Unsettable()
  @Text('an http or https URL without credentials, query or fragment', isBaseUrl)
  readonly publicUrl: string | undefined = undefined;

  /** DATABASE_URL: PostgreSQL server, or several for failover; unset = the embedded one. Secret. */
  @Unsettable()
  @Text('postgres://user:password@host:5432/name (several hosts separated by commas)', isDatabaseUrl)
  readonly databaseUrl: string | undefined = undefined;

  /** DATA_DIR: embedded database and generated secrets, as given (may be relative). */
  @Text('a folder', isPresent)
  readonly dataDir: string = '.data';

  /** DB_POOL_MAX: connections per process. */
  @WholeNumber(1, 1000)
  readonly dbPoolMax: number = 10;

  /** MIGRATE_ON_START: run pending migrations; otherwise a schema that is behind stops the start. */
  @Switch()
  readonly migrateOnStart: boolean = true;

  /** WORKERS: processes sharing the port; `auto` = one per core. */
  @WholeNumberOr('auto', 1, 256)
  readonly workers: number | 'auto' = 1;

  /** ACCESS_KEYS: keys of the configuration API. Secret. */
  readonly accessKeys: readonly AccessKeySetting[] | undefined = undefined;

  /** DEFAULT_API_VERSION: assumed when a request names none; unset = 400. */
  @Unsettable()
  @OneOf(API_VERSIONS)
  readonly defaultApiVersion: string | undefined = undefined;

  /** ALLOW_ANONYMOUS_CONFIG: the configuration API without signatures, on loopback only. */
  @Switch()
  readonly allowAnonymousConfig: boolean = false;

  /** DAPR_API_TOKEN: token of the Dapr surface; unset on loopback only. Secret. */
  @Unsettable()
  @Text('visible ASCII characters without blanks', isVisibleAscii)
  readonly daprApiToken: string | undefined = undefined;

  /** LOCK_COMPONENTS_DIR: folder of Dapr component files; unset = one store named `lockstore`. */
  @Unsettable()
  @Text('a folder', isPresent)
  readonly lockComponentsDir: string | undefined = undefined;

  /** CMS_USERS: people who log in. Secret. */
  readonly cmsUsers: readonly UserSetting[] | undefined = undefined;

  /** JWT_SECRET: signs login tokens; unset = generated in DATA_DIR. Secret. */
  @Unsettable()
  @Text('at least 32 characters', (text) => text.length >= 32)
  readonly jwtSecret: string | undefined = undefined;

  /** MASTER_KEY: encrypts stored secrets, 32 bytes; unset = generated in DATA_DIR. Secret. */
  @Unsettable()
  @Expect('32 bytes in base64', (value) => Buffer.isBuffer(value) && value.length === 32)
  readonly masterKey: Buffer | undefined = undefined;

  /** OIDC_ISSUER: bearer tokens of this issuer are accepted. */
  @Unsettable()
  @Text('an http or https URL without credentials, query or fragment', isBaseUrl)
  readonly oidcIssuer: string | undefined = undefined;

  /** OIDC_AUDIENCE: audience that those tokens must be for. */
  @Unsettable()
  @Text('a text without blanks around it', isPresent)
  readonly oidcAudience: string | undefined = undefined;

  /** CORS_ORIGINS: origins allowed, comma separated; unset = as each surface's contract says. */
  @Unsettable()
  @Expect(
    'origins such as https://app.example, comma separated, without a path',
    (value) => Array.isArray(value) && value.every((origin) => typeof origin === 'string' && isOrigin(origin)),
  )
  readonly corsOrigins: readonly string[] | undefined = undefined;

  /** FAILED_LOGINS_PER_MINUTE: wrong passwords and tokens per address, then 429. */
  @WholeNumber(1, 1_000_000)
  readonly failedLoginsPerMinute: number = 10;

  /** CONTENT_LOCK_TIME: how a content lock's `time` is written. */
  @OneOf(['epoch', 'iso'])
  readonly contentLockTime: 'epoch' | 'iso' = 'epoch';

  /** SEED_FILE: key-values applied at start. */
  @Unsettable()
  @Text('a file', isPresent)
  readonly seedFile: string | undefined = undefined;

  /** TLS_CERT_FILE: certificate chain in PEM; with TLS_KEY_FILE the service speaks https. */
  @Unsettable()
  @Text('a file', isPresent)
  readonly tlsCertFile: string | undefined = undefined;

  /** TLS_KEY_FILE: private key in PEM. */
  @Unsettable()
  @Text('a file', isPresent)
  readonly tlsKeyFile: string | undefined = undefined;

  /** TRUSTED_TLS_PROXY: TLS ends at a proxy in front, so HOST no longer tells who can reach the service. */
  @Switch()
  readonly trustedTlsProxy: boolean = false;

  /** REVISION_RETENTION_DAYS: how long a superseded or deleted revision is kept. */
  @WholeNumber(1, 36_500)
  readonly revisionRetentionDays: number = 30;

  /** MAX_ITEM_BYTES: decoded size of a key-value; the body that carries it is read up to 64 KB, hence the bound. */
  @WholeNumber(1, 65_536)
  readonly maxItemBytes: number = 10_240;

  /** MAX_NAME_BYTES: UTF-8 size of key and label together; rows of PostgreSQL's index end at 2,704 bytes, hence the bound. */
  @WholeNumber(1, 2_600)
  readonly maxNameBytes: number = 2_000;

  /** BIND_OWNER_TO_PRINCIPAL: an unlock needs the principal of the lock, not only its owner text. */
  @Switch()
  readonly bindOwnerToPrincipal: boolean = false;

  /** LOCK_DELAY_MS: how long an expired lock stays refused to others. */
  @WholeNumber(0, 3_600_000)
  readonly lockDelayMs: number = 0;

  /** STRICT_REPLAY: a signature serves one write only. */
  @Switch()
  readonly strictReplay: boolean = false;

  /** HTTP_HOST_QUIRK: also try the host that Python's client signs over plain http; unset = true on loopback. */
  @Switch()
  readonly httpHostQuirk: boolean = true;

  /** DB_POOLER: a transaction pooler is in front of PostgreSQL, so no named statements. */
  @Switch()
  readonly dbPooler: boolean = false;

  /** LOG_LEVEL: least severe level that is logged. */
  @OneOf(LOG_LEVELS)
  readonly logLevel: string = 'info';

  /** LOG_FORMAT: unset = pretty on a terminal, else json. */
  @OneOf(['pretty', 'json'])
  readonly logFormat: 'pretty' | 'json' = 'json';

  /** SHUTDOWN_GRACE_SECONDS: how long requests in flight may take after SIGTERM. */
  @WholeNumber(0, 3600)
  readonly shutdownGraceSeconds: number = 10;

  /** Whether only this machine reaches the service; behind a TLS proxy never, whatever HOST is. Every rule that says loopback asks this. */
  get isLoopback(): boolean {
    return isLoopbackHost(this.host) && !this.trustedTlsProxy;
  }

  /** Whether the service itself speaks https (and gRPC over TLS). */
  get hasTls(): boolean {
    return this.tlsCertFile !== undefined && this.tlsKeyFile !== undefined;
  }

  /** Whether bearer tokens of an identity provider are accepted. */
  get hasOidc(): boolean {
    return this.oidcIssuer !== undefined && this.oidcAudience !== undefined;
  }

  /** What may be printed: everything, but of secrets only that they are set. */
  toJSON(): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(this).map(([name, value]: [string, unknown]) => [
        name,
        SECRET_SETTINGS.has(name) && value !== undefined ? '[set]' : value,
      ]),
    );
  }

  [inspect.custom](): Record<string, unknown> {
    return this.toJSON();
  }
}
