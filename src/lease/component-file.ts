import { type DaprIdentity } from './key-prefix.js';
import type * as YamlDocuments from './yaml-documents.js';
import { type YamlList, type YamlMap, type YamlTree } from './yaml-documents.js';

/** The one type of lock store that there is: locks live in the service's own database. */
export const LOCK_TYPE = 'lock.postgres';

/** Where something stands, for faults: `components/locks.yaml:7`. */
export type Place = string;

/** Where the value of a metadata item comes from. */
export type ValueSource =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'environment'; readonly variable: string }
  /** @property key the empty text when the file gives none */
  | { readonly kind: 'secret'; readonly name: string; readonly key: string };

/** One item of `spec.metadata`. */
export interface MetadataItem {
  readonly name: string;
  /** Field that holds the value: `spec.metadata[0].value` */
  readonly field: string;
  readonly place: Place;
  readonly source: ValueSource;
}

/** A component of type `lock.postgres` that this service is to load, checked but for the value of its key prefix. */
export interface LockComponent {
  readonly place: Place;
  readonly name: string;
  /** As written: Dapr's metadata answer shows it so. */
  readonly type: string;
  readonly version: string;
  readonly ignoresErrors: boolean;
  /** `auth.secretStore` */
  readonly secretStore: string | undefined;
  readonly keyPrefix: MetadataItem | undefined;
}

/** A component that locks may read secrets from. It is looked at when one does, not before: Dapr's other programs use it too. */
export interface SecretStoreComponent {
  readonly place: Place;
  readonly name: string;
  /** Lower-cased. */
  readonly type: string;
  readonly spec: YamlMap;
}

/** A line for the log. */
export interface Note {
  readonly level: 'info' | 'warn';
  readonly text: string;
}

/** What one file says. Each fault is one line: place, field, what is wrong, what is expected. */
export interface ComponentFile {
  readonly locks: readonly LockComponent[];
  readonly secretStores: readonly SecretStoreComponent[];
  readonly notes: readonly Note[];
  readonly faults: readonly string[];
}

/**
 * Reads the Dapr component file of distributed-lock contract section 8. Several documents may share a file. Resources that are no lock
 * stores are not ours to check: they are noted and left out, since Dapr's folders hold all kinds of them. Never throws.
 *
 * @param fileName as faults show it
 */
export function parseComponentFile(
  text: string,
  fileName: string,
  identity: Pick<DaprIdentity, 'appId' | 'namespace'>,
): ComponentFile {
  const file: Findings = { locks: [], secretStores: [], notes: [], faults: [] };
  const documents = loadYaml().readYamlDocuments(text);
  if (documents.length === 0) file.faults.push(`${fileName}: is empty; expected a Dapr component`);
  for (const document of documents) new DocumentReader(fileName, identity, file).read(document);
  return file;
}

/** Loaded with the first file: a start without any does not wait the 50 ms that the parser takes. */
function loadYaml(): typeof YamlDocuments {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- `import()` would be another module system, which Jest lacks
  return require('./yaml-documents.js') as typeof YamlDocuments;
}

/** A `ComponentFile` while its documents are read. */
interface Findings {
  locks: LockComponent[];
  secretStores: SecretStoreComponent[];
  notes: Note[];
  faults: string[];
}

/** Go's duration text, as `time.ParseDuration` reads it; a negative one waits for nothing. */
const DURATION = /^\+?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$/;
/** Versions that Dapr counts as the first one. */
const FIRST_VERSIONS: readonly string[] = ['', 'v0', 'v1'];
/** Beside name and namespace, what Kubernetes itself keeps there. */
const KUBERNETES_METADATA = [
  'annotations',
  'creationTimestamp',
  'finalizers',
  'generation',
  'labels',
  'managedFields',
  'ownerReferences',
  'resourceVersion',
  'selfLink',
  'uid',
];
const UNPAIRED_SURROGATE = /\p{Surrogate}/u;

/** Reads one document; what is wrong with it is collected, so that an operator mends all of it in one go. */
class DocumentReader {
  private readonly faults: string[] = [];

  constructor(
    private readonly fileName: string,
    private readonly identity: Pick<DaprIdentity, 'appId' | 'namespace'>,
    private readonly file: Findings,
  ) {}

  read(document: ReturnType<typeof YamlDocuments.readYamlDocuments>[number]): void {
    const place = this.placeOf(document);
    if (document.kind === 'fault') return void this.file.faults.push(`${place}: ${document.what}`);
    if (document.kind !== 'map') {
      return void this.file.faults.push(`${place}: is a ${document.kind}; expected a Dapr component`);
    }
    const spec = document.members.get('spec');
    const ignoreErrors = spec?.kind === 'map' ? spec.members.get('ignoreErrors') : undefined;
    this.readResource(document, place);
    if (ignoreErrors?.kind === 'scalar' && ignoreErrors.value === true) {
      for (const fault of this.faults) this.warn(`${fault} (not loaded, as spec.ignoreErrors allows)`);
    } else {
      this.file.faults.push(...this.faults);
    }
  }

  private readResource(root: YamlMap, place: Place): void {
    const kind = this.requiredText(root, 'kind', '');
    if (kind === undefined) return;
    if (kind !== 'Component') {
      if (kind.toLowerCase() === 'component') return this.refuse(root, 'kind', kind, 'Component');
      return this.note(`${place}: a resource of kind ${shown(kind)} is none of ours; ignored`);
    }
    const spec = this.requiredMap(root, 'spec', '');
    const type = spec && this.requiredText(spec, 'type', 'spec.');
    if (type === undefined) return;
    // `lock` alone is meant to be one, and must not vanish in the log.
    if (/^lock(\.|$)/i.test(type)) this.readLock(root, spec!, type, place);
    else this.readOther(root, spec!, type.toLowerCase(), place);
  }

  /** State stores, pub/sub and the like; of secret stores it is kept where they are. */
  private readOther(root: YamlMap, spec: YamlMap, type: string, place: Place): void {
    const metadata = root.members.get('metadata');
    const name = metadata?.kind === 'map' ? metadata.members.get('name') : undefined;
    if (type.startsWith('secretstores.') && name?.kind === 'scalar' && typeof name.value === 'string') {
      const { length } = this.faults;
      const isOurs = this.isForUs(root, metadata as YamlMap) === null;
      this.faults.length = length;
      if (isOurs) this.file.secretStores.push({ place, name: name.value, type, spec });
      return;
    }
    this.note(`${place}: a component of type ${shown(type)} is no lock store; ignored`);
  }

  private readLock(root: YamlMap, spec: YamlMap, type: string, place: Place): void {
    this.allow(root, '', ['apiVersion', 'kind', 'metadata', 'spec', 'auth', 'scopes']);
    const apiVersion = this.requiredText(root, 'apiVersion', '');
    if (apiVersion !== undefined && apiVersion !== 'dapr.io/v1alpha1') {
      this.refuse(root, 'apiVersion', apiVersion, 'dapr.io/v1alpha1');
    }
    const metadata = this.requiredMap(root, 'metadata', '');
    const name = metadata && this.requiredText(metadata, 'name', 'metadata.');
    if (metadata) this.allow(metadata, 'metadata.', ['name', 'namespace', ...KUBERNETES_METADATA]);
    if (name !== undefined && UNPAIRED_SURROGATE.test(name)) {
      this.fault(
        metadata!.members.get('name')!,
        'metadata.name',
        'has half a surrogate pair; expected well-formed text',
      );
    }
    const reason = metadata ? this.isForUs(root, metadata) : null;
    if (reason !== null) {
      // What others load is theirs to check.
      if (this.faults.length === 0) this.note(`${place}: lock store ${shown(name!)} is not loaded: ${reason}`);
      return;
    }

    this.allow(spec, 'spec.', ['type', 'version', 'ignoreErrors', 'initTimeout', 'metadata']);
    const version = this.optionalText(spec, 'version', 'spec.');
    if (!spec.members.has('version')) this.fault(spec, 'spec.version', 'is missing; expected v1');
    else if (version !== undefined && !FIRST_VERSIONS.includes(version.toLowerCase())) {
      this.refuse(spec, 'version', version, 'v1', 'spec.');
    }
    const ignoresErrors = this.flag(spec, 'ignoreErrors', 'spec.');
    const initTimeout = this.optionalText(spec, 'initTimeout', 'spec.');
    if (initTimeout && !DURATION.test(initTimeout)) {
      this.refuse(spec, 'initTimeout', initTimeout, 'a duration such as 5s or 500ms', 'spec.');
    }
    const auth = this.optionalMap(root, 'auth', '');
    if (auth) this.allow(auth, 'auth.', ['secretStore']);
    const secretStore = auth && this.optionalText(auth, 'secretStore', 'auth.');

    if (type.toLowerCase() !== LOCK_TYPE) {
      const way = 'or spec.ignoreErrors: true, to start without this store';
      return this.refuse(spec, 'type', type, `${LOCK_TYPE} (docs/lock-stores.md), ${way}`, 'spec.');
    }
    const keyPrefix = this.keyPrefix(spec);
    if (this.faults.length > 0 || name === undefined) return;
    this.file.locks.push({
      place,
      name,
      type,
      version: version ?? '',
      ignoresErrors,
      secretStore: secretStore === '' ? undefined : secretStore,
      keyPrefix,
    });
  }

  /** Why a component is meant for others; null when it is for us, or a fault says more. */
  private isForUs(root: YamlMap, metadata: YamlMap): string | null {
    const { appId, namespace } = this.identity;
    const itsNamespace = this.optionalText(metadata, 'namespace', 'metadata.');
    const scopes = this.optionalList(root, 'scopes', '');
    const apps = scopes?.items.map((item, index) => this.text(item, `scopes[${index}]`)) ?? [];
    if (namespace !== undefined && itsNamespace && itsNamespace !== namespace) {
      return `metadata.namespace is ${shown(itsNamespace)}, NAMESPACE is ${shown(namespace)}`;
    }
    if (apps.length > 0 && !apps.includes(undefined) && !apps.includes(appId)) {
      return `scopes do not list APP_ID ${shown(appId)}`;
    }
    return null;
  }

  private keyPrefix(spec: YamlMap): MetadataItem | undefined {
    let found: MetadataItem | undefined;
    const list = this.optionalList(spec, 'metadata', 'spec.');
    for (const [index, item] of (list?.items ?? []).entries()) {
      const field = `spec.metadata[${index}]`;
      const read = this.item(item, field);
      if (read === undefined) continue;
      if (read.name.toLowerCase() !== 'keyprefix') {
        this.fault(
          item,
          `${field}.name`,
          `is ${shown(read.name)}; expected keyPrefix, the only one that ${LOCK_TYPE} has`,
        );
      } else if (found) {
        this.fault(item, `${field}.name`, 'is keyPrefix for the second time; expected it once');
      } else {
        found = read;
      }
    }
    return found;
  }

  private item(tree: YamlTree, field: string): MetadataItem | undefined {
    if (tree.kind !== 'map') {
      this.fault(tree, field, 'is no mapping; expected name and value');
      return undefined;
    }
    const { length } = this.faults;
    this.allow(tree, `${field}.`, ['name', 'value', 'secretKeyRef', 'envRef']);
    const name = this.requiredText(tree, 'name', `${field}.`);
    const given = ['value', 'secretKeyRef', 'envRef'].filter((each) => tree.members.has(each));
    if (given.length !== 1) {
      const found = given.length === 0 ? 'has no value' : `has ${given.join(' and ')}`;
      this.fault(tree, field, `${found}; expected one of value, secretKeyRef and envRef`);
      return undefined;
    }
    const source = this.source(tree, given[0]!, `${field}.`);
    if (this.faults.length > length || name === undefined || source === undefined) return undefined;
    const place = this.placeOf(tree.members.get(given[0]!)!);
    return { name, field: `${field}.${given[0]!}`, place, source };
  }

  private source(item: YamlMap, member: string, path: string): ValueSource | undefined {
    if (member === 'envRef') {
      const variable = this.requiredText(item, member, path);
      return variable === undefined ? undefined : { kind: 'environment', variable };
    }
    if (member === 'secretKeyRef') {
      const reference = this.requiredMap(item, member, path);
      if (!reference) return undefined;
      this.allow(reference, `${path}${member}.`, ['name', 'key']);
      const name = this.requiredText(reference, 'name', `${path}${member}.`);
      const key = this.optionalText(reference, 'key', `${path}${member}.`);
      return name === undefined ? undefined : { kind: 'secret', name, key: key ?? '' };
    }
    const value = item.members.get(member)!;
    // Any scalar is taken as text: `007` and `true` are what is written.
    if (value.kind === 'scalar') return { kind: 'text', text: value.text };
    this.fault(value, path + member, `is a ${value.kind}; expected a text`);
    return undefined;
  }

  private allow(map: YamlMap, path: string, names: readonly string[]): void {
    for (const [name, tree] of map.members) {
      if (names.includes(name)) continue;
      const field = path + (/^[\w.-]{1,60}$/.test(name) ? name : shown(name));
      this.fault(
        tree,
        field,
        'is not known; expected ' + names.filter((each) => !KUBERNETES_METADATA.includes(each)).join(', '),
      );
    }
  }

  private requiredText(map: YamlMap, name: string, path: string): string | undefined {
    const text = this.optionalText(map, name, path);
    const tree = map.members.get(name);
    if (tree === undefined) this.fault(map, path + name, 'is missing; expected a text');
    else if (text === '' || isNull(tree)) this.fault(tree, path + name, 'is empty; expected a text');
    return text === '' ? undefined : text;
  }

  private optionalText(map: YamlMap, name: string, path: string): string | undefined {
    const tree = map.members.get(name);
    return tree === undefined || isNull(tree) ? undefined : this.text(tree, path + name);
  }

  private text(tree: YamlTree, field: string): string | undefined {
    if (tree.kind === 'scalar' && typeof tree.value === 'string') return tree.value;
    const found = tree.kind === 'scalar' ? (tree.text === '' ? 'empty' : `${tree.text}, no text`) : `a ${tree.kind}`;
    this.fault(tree, field, `is ${found}; expected a text${tree.kind === 'scalar' ? ' (in quotes)' : ''}`);
    return undefined;
  }

  private flag(map: YamlMap, name: string, path: string): boolean {
    const tree = map.members.get(name);
    if (tree === undefined || isNull(tree)) return false;
    if (tree.kind === 'scalar' && typeof tree.value === 'boolean') return tree.value;
    const found = tree.kind === 'scalar' ? shown(tree.text) : `a ${tree.kind}`;
    this.fault(tree, path + name, `is ${found}; expected true or false`);
    return false;
  }

  private requiredMap(map: YamlMap, name: string, path: string): YamlMap | undefined {
    const tree = map.members.get(name);
    if (tree === undefined) this.fault(map, path + name, 'is missing; expected a mapping');
    else if (isNull(tree)) this.fault(tree, path + name, 'is empty; expected a mapping');
    return this.optionalMap(map, name, path);
  }

  private optionalMap(map: YamlMap, name: string, path: string): YamlMap | undefined {
    const tree = map.members.get(name);
    if (tree === undefined || isNull(tree)) return undefined;
    if (tree.kind === 'map') return tree;
    this.fault(tree, path + name, `is a ${tree.kind}; expected a mapping`);
    return undefined;
  }

  private optionalList(map: YamlMap, name: string, path: string): YamlList | undefined {
    const tree = map.members.get(name);
    if (tree === undefined || isNull(tree)) return undefined;
    if (tree.kind === 'list') return tree;
    this.fault(tree, path + name, `is a ${tree.kind}; expected a list`);
    return undefined;
  }

  private refuse(map: YamlMap, name: string, found: string, expected: string, path = ''): void {
    this.fault(map.members.get(name)!, path + name, `is ${shown(found)}; expected ${expected}`);
  }

  private fault(tree: { line: number }, field: string, what: string): void {
    this.faults.push(`${this.placeOf(tree)}: ${field}: ${what}`);
  }

  private note(text: string): void {
    this.file.notes.push({ level: 'info', text });
  }

  private warn(text: string): void {
    this.file.notes.push({ level: 'warn', text });
  }

  private placeOf({ line }: { line: number }): Place {
    return `${this.fileName}:${line}`;
  }
}

const isNull = (tree: YamlTree): boolean => tree.kind === 'scalar' && tree.value === null;

/** On one line, and no longer than a line. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
