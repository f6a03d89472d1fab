import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf } from '../config/environment.js';
import { SettingsError } from '../config/settings-error.js';
import { type Settings } from '../config/settings.js';
import {
  type ComponentFile,
  LOCK_TYPE,
  type LockComponent,
  type MetadataItem,
  type Note,
  parseComponentFile,
  shown,
} from './component-file.js';
import { ComponentSecrets } from './component-secrets.js';
import { type DaprIdentity, fillTemplates, type Outcome, prefixOf } from './key-prefix.js';
import { LockStore, LockStores } from './lock-stores.js';
import { readTextFile } from './text-file.js';

/** The store of a service that has no component files. */
export const DEFAULT_STORE = 'lockstore';

export interface LoadedLockStores {
  readonly stores: LockStores;
  /** What the log should tell: what was left out, and why. */
  readonly notes: readonly Note[];
}

/**
 * Decides the lock stores: those of the files in `LOCK_COMPONENTS_DIR`, or the one default store. Read once per service, by its primary:
 * `{uuid}` is another text each time, and files may change while workers come and go.
 *
 * @param environment where `envRef`, secrets and the pod's name come from
 * @throws SettingsError with every fault of every file
 */
export function loadLockStores(
  settings: Pick<Settings, 'appId' | 'namespace' | 'lockComponentsDir'>,
  environment: NodeJS.ProcessEnv,
): LoadedLockStores {
  const podName = environment['POD_NAME'] || undefined;
  const identity = { appId: settings.appId, namespace: settings.namespace, podName };
  const faults: string[] = [];
  const notes: Note[] = [];
  const stores =
    settings.lockComponentsDir === undefined
      ? defaultStores(settings.appId, faults)
      : storesOf(settings.lockComponentsDir, identity, environment, faults, notes);
  if (faults.length > 0) throw new SettingsError(faults);
  return { stores: new LockStores(stores), notes };
}

function defaultStores(appId: string, faults: string[]): LockStore[] {
  const prefix = prefixOf('appid', DEFAULT_STORE, appId);
  if ('text' in prefix) return [new LockStore(DEFAULT_STORE, LOCK_TYPE, 'v1', prefix.text)];
  faults.push(`APP_ID is ${shown(appId)}; expected a text without "||"`);
  return [];
}

function storesOf(
  folder: string,
  identity: DaprIdentity,
  environment: NodeJS.ProcessEnv,
  faults: string[],
  notes: Note[],
): LockStore[] {
  const files = componentFiles(folder, identity, faults);
  for (const file of files) {
    notes.push(...file.notes);
    faults.push(...file.faults);
  }
  const secrets = new ComponentSecrets(
    files.flatMap(({ secretStores }) => secretStores),
    environment,
  );
  const placeByName = new Map<string, string>();
  const stores: LockStore[] = [];
  for (const component of files.flatMap(({ locks }) => locks)) {
    const { name, type, version, place } = component;
    const first = placeByName.get(name);
    const prefix = prefixOfComponent(component, identity, secrets, notes);
    if (first !== undefined) {
      faults.push(`${place}: metadata.name: is ${shown(name)}, as in ${first}; expected each lock store once`);
    } else if ('text' in prefix) {
      stores.push(new LockStore(name, type, version, prefix.text));
    } else if (component.ignoresErrors) {
      notes.push({ level: 'warn', text: `${prefix.fault} (not loaded, as spec.ignoreErrors allows)` });
    } else {
      faults.push(prefix.fault);
    }
    placeByName.set(name, first ?? place);
  }
  if (stores.length === 0) notes.push({ level: 'warn', text: `${folder} describes no lock store: there is none` });
  return stores;
}

/** Files of one folder, by name; folders in it are not looked into (Dapr does not either). */
function componentFiles(folder: string, identity: DaprIdentity, faults: string[]): ComponentFile[] {
  let names: string[];
  try {
    names = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && /\.ya?ml$/i.test(entry.name))
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    faults.push(
      `LOCK_COMPONENTS_DIR is ${JSON.stringify(folder)}, which cannot be read (${reasonOf(error)}); expected a readable folder`,
    );
    return [];
  }
  return names.map((name) => {
    const path = join(folder, name);
    const file = readTextFile(path);
    if ('text' in file) return parseComponentFile(file.text, path, identity);
    return { locks: [], secretStores: [], notes: [], faults: [`${path}: ${file.fault}`] };
  });
}

function prefixOfComponent(
  { name, place, keyPrefix, secretStore }: LockComponent,
  identity: DaprIdentity,
  secrets: ComponentSecrets,
  notes: Note[],
): Outcome {
  const value = keyPrefix ? valueOf(keyPrefix, secretStore, secrets) : { text: '' };
  const filled = 'text' in value ? fillTemplates(value.text, identity, randomUUID) : value;
  const prefix = 'text' in filled ? prefixOf(filled.text, name, identity.appId) : filled;
  if ('text' in prefix) {
    if ('text' in value && value.text.includes('{uuid}')) {
      const text = `${place}: the key prefix of lock store ${shown(name)} has {uuid}: its locks end with this process`;
      notes.push({ level: 'warn', text });
    }
    return prefix;
  }
  const where = keyPrefix ? `${keyPrefix.place}: ${keyPrefix.field}` : `${place}: spec.metadata: keyPrefix`;
  return { fault: `${where}: ${prefix.fault}` };
}

function valueOf(item: MetadataItem, secretStore: string | undefined, secrets: ComponentSecrets): Outcome {
  const { source } = item;
  if (source.kind === 'text') return source;
  return source.kind === 'environment'
    ? secrets.variable(source.variable)
    : secrets.secret(secretStore, source.name, source.key);
}
