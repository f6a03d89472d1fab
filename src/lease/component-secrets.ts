import { SECRET_SETTINGS } from '../config/settings.js';
import { type SecretStoreComponent, shown } from './component-file.js';
import { type Outcome } from './key-prefix.js';
import { readTextFile } from './text-file.js';

const ENVIRONMENT_TYPE = 'secretstores.local.env';
const FILE_TYPE = 'secretstores.local.file';

/**
 * The secrets that components may refer to: environment variables and Dapr's two local secret stores. Faults never show a secret.
 * What is set but empty counts as missing: composed environments set empty variables, and an empty key prefix would silently be another
 * one than meant.
 */
export class ComponentSecrets {
  constructor(
    private readonly stores: readonly SecretStoreComponent[],
    private readonly environment: NodeJS.ProcessEnv,
  ) {}

  /** `envRef`: the value of an environment variable. */
  variable(name: string): Outcome {
    // Dapr guards its tokens so; a key prefix can be read by whoever lists locks.
    if (/^(DAPR_.*|APP_API_TOKEN)$/i.test(name) || OWN_SECRETS.has(name.toUpperCase())) {
      return {
        fault: `names the environment variable ${shown(name)}, which components may not read; expected another`,
      };
    }
    const text = this.environment[name];
    return text
      ? { text }
      : { fault: `names the environment variable ${shown(name)}, which is not set; expected it to be` };
  }

  /**
   * `secretKeyRef`: a secret of a store, in self-hosted Dapr's way.
   *
   * @param storeName `auth.secretStore`; without one, secrets are environment variables
   * @param key the empty text means the same as `name`
   */
  secret(storeName: string | undefined, name: string, key: string): Outcome {
    if (storeName === undefined) return this.environmentSecret('', name, key);
    const [store, another] = this.stores.filter((each) => each.name === storeName);
    if (store === undefined) {
      return {
        fault: `needs the secret store ${shown(storeName)}; expected a component of that name and of type ${TYPES}`,
      };
    }
    if (another) {
      return {
        fault: `needs the secret store ${shown(storeName)}, which ${store.place} and ${another.place} both describe`,
      };
    }
    if (store.type === ENVIRONMENT_TYPE) return this.environmentSecret(this.option(store, 'prefix') ?? '', name, key);
    if (store.type === FILE_TYPE) return this.fileSecret(store, name, key);
    return { fault: `needs the secret store ${shown(storeName)}, whose type is ${store.type}; expected ${TYPES}` };
  }

  private environmentSecret(prefix: string, name: string, key: string): Outcome {
    // An environment variable is one value; Dapr, too, knows it under its own name alone.
    if (key !== '' && key !== name) {
      return { fault: `has the key ${shown(key)}; expected none, or the name, for an environment variable` };
    }
    return this.variable(prefix + name);
  }

  private fileSecret(store: SecretStoreComponent, name: string, key: string): Outcome {
    const path = this.option(store, 'secretsfile');
    if (!path) return { fault: `needs ${store.place}, which has no secretsFile; expected a path` };
    const file = readTextFile(path);
    if ('fault' in file) return { fault: `needs ${path}, which ${file.fault}` };
    let secrets: unknown;
    try {
      secrets = JSON.parse(file.text);
    } catch {
      // The parser's message would quote what is in the file.
      return { fault: `needs ${path}, which is no JSON; expected a JSON object` };
    }
    const separator = this.option(store, 'nestedseparator') || ':';
    const isMultiValued = this.option(store, 'multivalued')?.toLowerCase() === 'true';
    const values = isMultiValued ? valuesOfMember(secrets, name, separator) : flatten(secrets, separator);
    const member = isMultiValued ? key || name : name;
    const isKeyOfItsOwn = !isMultiValued && key !== '' && key !== name;
    const value = isKeyOfItsOwn ? undefined : values.get(member);
    const found = key === '' || key === name ? shown(name) : `${shown(name)} with key ${shown(key)}`;
    return value
      ? { text: value }
      : { fault: `needs the secret ${found}, which ${path} does not have; expected it to` };
  }

  /** Value of an item of `spec.metadata`, whose names are case-insensitive. */
  private option({ spec }: SecretStoreComponent, lowerCaseName: string): string | undefined {
    const list = spec.members.get('metadata');
    for (const item of list?.kind === 'list' ? list.items : []) {
      if (item.kind !== 'map') continue;
      const name = item.members.get('name');
      const value = item.members.get('value');
      if (name?.kind === 'scalar' && name.text.toLowerCase() === lowerCaseName && value?.kind === 'scalar') {
        return value.text;
      }
    }
    return undefined;
  }
}

const TYPES = `${ENVIRONMENT_TYPE} or ${FILE_TYPE}`;

/** `accessKeys` → `ACCESS_KEYS` */
const OWN_SECRETS: ReadonlySet<string> = new Set(
  [...SECRET_SETTINGS].map((property) => property.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()),
);

/** The leaves of a JSON value by their paths: `{"a": {"b": 1}}` is `a:b` = `1`. */
function flatten(value: unknown, separator: string): Map<string, string> {
  const leaves = new Map<string, string>();
  const open: [string, unknown][] = membersOf(value);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [path, content] = next;
    if (typeof content === 'object' && content !== null) {
      for (const [name, member] of membersOf(content)) open.push([path + separator + name, member]);
    } else if (content !== null) {
      leaves.set(path, typeof content === 'string' ? content : JSON.stringify(content));
    }
  }
  return leaves;
}

/** One level of secrets, each with values of its own; a plain text is a secret whose only key is its name. */
function valuesOfMember(secrets: unknown, name: string, separator: string): Map<string, string> {
  const [, content] = membersOf(secrets).find(([each]) => each === name) ?? [];
  return typeof content === 'object' ? flatten(content, separator) : flatten({ [name]: content ?? null }, separator);
}

const membersOf = (value: unknown): [string, unknown][] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : [];
