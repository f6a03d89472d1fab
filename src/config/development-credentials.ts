import { createHash, hkdfSync, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { decodeBase64, isUserRole } from './credential-lists.js';
import { readOrCreateSecretFile, replaceSecretFile, unusable } from './secret-file.js';
import type { AccessKeySetting, Settings, UserSetting } from './settings.js';

/** The secrets that the service runs with where the operator set none. */
export interface DevelopmentCredentials {
  /** 32 bytes; configured or generated. */
  masterKey: Buffer;
  /** At least 32 characters; configured or generated. */
  jwtSecret: string;
  /** The generated access key; absent off loopback and when ACCESS_KEYS is set. */
  accessKey?: AccessKeySetting;
  /** The generated users; absent off loopback and when CMS_USERS is set. */
  users?: UserSetting[];
}

/** What `credentials.json` holds: only what is in force, so that nobody tries a key that the service does not know. */
type CredentialsFile = Pick<DevelopmentCredentials, 'accessKey' | 'users'>;

/** Names of the generated files. Part of the documented interface. */
export const CREDENTIALS_FILE = 'credentials.json';
const MASTER_KEY_FILE = 'master.key';
const JWT_SECRET_FILE = 'jwt.secret';

/**
 * Master key and login secret, generated once into the folder when unset; on loopback also an access key and two users. Replicas that
 * share the folder agree on all of them. There is no fixed default secret anywhere.
 *
 * @param generatedDir folder for the files; made when missing
 * @throws SettingsError with one line that names the file at fault
 */
export function loadDevelopmentCredentials(settings: Settings, generatedDir: string): DevelopmentCredentials {
  const masterKey = loadMasterKey(settings, generatedDir, { mayMake: true })!;
  const jwtSecret = settings.jwtSecret ?? readJwtSecret(join(generatedDir, JWT_SECRET_FILE));
  const needed = {
    accessKey: settings.isLoopback && settings.accessKeys === undefined,
    users: settings.isLoopback && settings.cmsUsers === undefined,
  };
  if (!needed.accessKey && !needed.users) return { masterKey, jwtSecret };
  const { accessKey, users } = readCredentials(join(generatedDir, CREDENTIALS_FILE), needed, masterKey);
  return { masterKey, jwtSecret, ...(needed.accessKey && { accessKey }), ...(needed.users && { users }) };
}

/**
 * The configured master key, or that of the folder.
 *
 * @param mayMake whether a missing one is generated
 * @returns null when there is none
 */
export function loadMasterKey(
  settings: Settings,
  generatedDir: string,
  { mayMake }: { mayMake: boolean },
): Buffer | null {
  if (settings.masterKey) return settings.masterKey;
  const path = join(generatedDir, MASTER_KEY_FILE);
  return mayMake || existsSync(path) ? readMasterKey(path) : null;
}

function readMasterKey(path: string): Buffer {
  const text = readOrCreateSecretFile(path, () => `${randomBytes(32).toString('base64')}\n`);
  const key = decodeBase64(text.trimEnd());
  if (key?.length !== 32) throw unusable(path, 'does not hold a master key', '32 bytes in base64');
  return key;
}

function readJwtSecret(path: string): string {
  const secret = readOrCreateSecretFile(path, () => `${randomBytes(48).toString('base64url')}\n`).trimEnd();
  if (secret.length < 32) throw unusable(path, 'does not hold a login secret', 'at least 32 characters');
  return secret;
}

type Needed = Record<keyof CredentialsFile, boolean>;

function readCredentials(path: string, needed: Needed, masterKey: Buffer): CredentialsFile {
  const content = readOrCreateSecretFile(path, () => serialize(generate(needed, (size) => randomBytes(size))));
  const existing = parse(path, content);
  const missing = {
    accessKey: needed.accessKey && existing.accessKey === undefined,
    users: needed.users && existing.users === undefined,
  };
  if (!missing.accessKey && !missing.users) return existing;

  // ACCESS_KEYS or CMS_USERS was set when the file was made and is not now. A file cannot be exchanged exclusively as it can be
  // created, so processes that race here agree in another way: each derives the same parts from the master key and the old content.
  const salt = createHash('sha256').update(content).digest();
  let draws = 0;
  const completed = {
    ...generate(missing, (size) =>
      Buffer.from(hkdfSync('sha256', masterKey, salt, `credentials.json ${draws++}`, size)),
    ),
    ...existing,
  };
  replaceSecretFile(path, serialize(completed));
  return completed;
}

function generate(needed: Needed, bytes: (size: number) => Buffer): CredentialsFile {
  const made: CredentialsFile = {};
  if (needed.accessKey) {
    // Eight characters: with them the connection string of the banner stays within 100 columns.
    made.accessKey = { id: bytes(6).toString('base64url'), secret: bytes(32).toString('base64'), readOnly: false };
  }
  if (needed.users) {
    made.users = [
      { name: 'admin', password: bytes(18).toString('base64url'), role: 'manager' },
      { name: 'editor', password: bytes(18).toString('base64url'), role: 'editor' },
    ];
  }
  return made;
}

function serialize(credentials: CredentialsFile): string {
  return `${JSON.stringify(credentials, null, 2)}\n`;
}

function parse(path: string, content: string): CredentialsFile {
  let found: unknown;
  try {
    found = JSON.parse(content);
  } catch {
    throw unusable(path, 'is not JSON', 'generated credentials');
  }
  if (!isObject(found)) throw unusable(path, 'is not a JSON object', 'generated credentials');
  const { accessKey, users } = found;
  if (accessKey !== undefined && !isAccessKey(accessKey)) {
    throw unusable(path, 'has an unusable "accessKey"', 'id, secret in base64 and readOnly');
  }
  if (users !== undefined && !(Array.isArray(users) && users.every(isUser))) {
    throw unusable(path, 'has unusable "users"', 'a list of name, password and role');
  }
  return { ...(accessKey && { accessKey }), ...(users && { users }) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAccessKey(value: unknown): value is AccessKeySetting {
  if (!isObject(value) || typeof value.id !== 'string' || typeof value.secret !== 'string') return false;
  return value.id !== '' && decodeBase64(value.secret) !== null && typeof value.readOnly === 'boolean';
}

function isUser(value: unknown): value is UserSetting {
  if (!isObject(value) || typeof value.name !== 'string' || typeof value.password !== 'string') return false;
  return value.name !== '' && value.password !== '' && isUserRole(value.role);
}
