import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { Validator } from './class-validator.js';
import { decodeBase64, parseAccessKeys, parseUsers } from './credential-lists.js';
import { serversOf } from './database-url.js';
import { Environment, type EnvironmentValue, reasonOf } from './environment.js';
import { SettingsError } from './settings-error.js';
import { SECRET_SETTINGS, Settings } from './settings.js';

/**
 * Reads, types and checks the environment. All faults are collected, so that an operator mends them in one go.
 *
 * @param stdoutIsTerminal decides the default of LOG_FORMAT
 * @throws SettingsError with every fault there is
 */
export function loadSettings(env: NodeJS.ProcessEnv, stdoutIsTerminal: boolean): Settings {
  const faults: string[] = [];
  const environment = new Environment(env, faults);
  const settings = new Settings();
  const sources = new Map<string, EnvironmentValue>();

  for (const [name, standard] of Object.entries(settings) as [string, unknown][]) {
    const variable = variableOf(name);
    const source = SECRET_SETTINGS.has(name) ? environment.readSecret(variable) : environment.read(variable);
    if (source === undefined) continue;
    sources.set(name, source);
    Object.assign(settings, { [name]: parse(name, standard, source, faults) });
  }
  if (!sources.has('logFormat')) Object.assign(settings, { logFormat: stdoutIsTerminal ? 'pretty' : 'json' });
  if (!sources.has('httpHostQuirk')) Object.assign(settings, { httpHostQuirk: settings.isLoopback });

  const isFaulty = new Set<string>();
  for (const { property, constraints } of new Validator().validateSync(settings, { stopAtFirstError: true })) {
    isFaulty.add(property);
    const expected = Object.values(constraints ?? {})[0];
    faults.push(`${describe(property, sources.get(property))}; expected ${expected}`);
  }
  const url = sources.get('databaseUrl');
  if (url !== undefined && !isFaulty.has('databaseUrl')) checkDatabaseUrl(url, faults);
  checkFiles(settings, faults);
  checkPairs(settings, faults);
  // Who can reach the service is not known while these two are wrong.
  if (!isFaulty.has('host') && !isFaulty.has('trustedTlsProxy')) checkReach(settings, environment, faults);

  if (faults.length > 0) throw new SettingsError(faults);
  return Object.freeze(settings);
}

/** `dbPoolMax` → `DB_POOL_MAX`. */
function variableOf(property: string): string {
  return property.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/**
 * Typed value of a text. The kind follows from the property's default; a text that does not fit is handed on as it is, and fails
 * the property's own check, which knows what is expected.
 */
function parse(property: string, standard: unknown, source: EnvironmentValue, faults: string[]): unknown {
  const { text } = source;
  switch (property) {
    case 'accessKeys':
      return deepFreeze(parseAccessKeys(source, faults));
    case 'cmsUsers':
      return deepFreeze(parseUsers(source, faults));
    case 'masterKey':
      return decodeBase64(text) ?? text;
    case 'corsOrigins':
      return deepFreeze(text.split(',').map((origin) => origin.trim()));
    case 'publicUrl':
      return text.replace(/\/$/, '');
  }
  if (typeof standard === 'number') return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
  if (typeof standard === 'boolean') return text === 'true' || (text === 'false' ? false : text);
  return text;
}

function deepFreeze<T extends object | string>(list: T[]): readonly T[] {
  return Object.freeze(list.map((entry) => Object.freeze(entry)));
}

/** What was found. Secrets are not shown, not even in part. */
function describe(property: string, source: EnvironmentValue | undefined): string {
  if (source === undefined) return variableOf(property);
  const found = SECRET_SETTINGS.has(property) ? 'set to something else (not shown)' : JSON.stringify(source.text);
  return `${source.variable} is ${found}`;
}

/** Reads the URL as it will be read, with the files that it names. */
function checkDatabaseUrl({ variable, text }: EnvironmentValue, faults: string[]): void {
  try {
    serversOf(text);
  } catch (error) {
    const found = `${variable} is set to something that cannot be used (${reasonOf(error)}, not shown)`;
    faults.push(`${found}; expected a URL with its special characters percent-encoded, and readable files in it`);
  }
}

function checkFiles(settings: Settings, faults: string[]): void {
  const check = (property: keyof Settings & string, path: string | undefined, kind: 'file' | 'folder'): boolean => {
    if (path === undefined) return false;
    const found = `${variableOf(property)} is ${JSON.stringify(path)}`;
    try {
      const status = statSync(path);
      if (kind === 'file' ? status.isDirectory() : !status.isDirectory()) {
        faults.push(`${found}, which is not a ${kind}; expected a readable ${kind}`);
        return false;
      }
      accessSync(path, constants.R_OK);
      return true;
    } catch (error) {
      faults.push(`${found}, which cannot be read (${reasonOf(error)}); expected a readable ${kind}`);
      return false;
    }
  };
  check('seedFile', settings.seedFile, 'file');
  check('lockComponentsDir', settings.lockComponentsDir, 'folder');
  const hasCert = check('tlsCertFile', settings.tlsCertFile, 'file');
  const hasKey = check('tlsKeyFile', settings.tlsKeyFile, 'file');
  if (hasCert && hasKey) checkCertificate(settings.tlsCertFile!, settings.tlsKeyFile!, faults);
}

function checkCertificate(certFile: string, keyFile: string, faults: string[]): void {
  try {
    createSecureContext({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
  } catch (error) {
    const files = `${JSON.stringify(certFile)} and ${JSON.stringify(keyFile)}`;
    const expected = 'a PEM certificate and its private key without passphrase';
    faults.push(
      `TLS_CERT_FILE and TLS_KEY_FILE are ${files}, which do not work together (${reasonOf(error)}); expected ${expected}`,
    );
  }
}

/** Settings that mean nothing without each other. */
function checkPairs(settings: Settings, faults: string[]): void {
  const pairs = [
    ['tlsCertFile', 'tlsKeyFile'],
    ['oidcIssuer', 'oidcAudience'],
  ] as const;
  for (const [one, other] of pairs) {
    const [set, unset] = settings[one] === undefined ? [other, one] : [one, other];
    if (settings[set] !== undefined && settings[unset] === undefined) {
      faults.push(`${variableOf(set)} is set but ${variableOf(unset)} is not; expected both or neither`);
    }
  }
}

/** Whoever can be reached from elsewhere needs real credentials and TLS: nothing is open by accident. */
function checkReach(settings: Settings, environment: Environment, faults: string[]): void {
  if (settings.isLoopback) return;
  const reason = settings.trustedTlsProxy
    ? 'TRUSTED_TLS_PROXY is true'
    : `HOST is ${JSON.stringify(settings.host)}, which is not loopback`;
  const isNamed = (variable: string): boolean => environment.isNamed(variable);
  const missing: string[] = [];
  if (!isNamed('ACCESS_KEYS') && !(isNamed('OIDC_ISSUER') && isNamed('OIDC_AUDIENCE'))) {
    missing.push('ACCESS_KEYS (or OIDC_ISSUER with OIDC_AUDIENCE)');
  }
  if (!isNamed('DAPR_API_TOKEN')) missing.push('DAPR_API_TOKEN');
  if (!isNamed('CMS_USERS')) missing.push('CMS_USERS');
  if (!settings.trustedTlsProxy && !(isNamed('TLS_CERT_FILE') && isNamed('TLS_KEY_FILE'))) {
    missing.push('TLS_CERT_FILE with TLS_KEY_FILE (or TRUSTED_TLS_PROXY=true behind a proxy that ends TLS)');
  }
  if (missing.length > 0) faults.push(`${reason}; expected to be set as well: ${missing.join(', ')}`);
  if (settings.allowAnonymousConfig === true) {
    faults.push(`ALLOW_ANONYMOUS_CONFIG is true although ${reason}; expected false, except on loopback`);
  }
}
