import { CommandError, inputError } from '../command/command-error.js';
import { JsonTextError, type JsonTextFault, parseJsonText } from '../http/json-text.js';
import { decodeProperties, parseProperties } from './formats/properties.js';
import { flatten, type Tree } from './formats/nested.js';
import { firstFaultyLine, parseYaml } from './formats/yaml.js';
import { type FileRow } from './import-row.js';
import { IMPORT_MODES, type ImportMode } from './plan.js';
import { quoted } from './quoted.js';

/** `kvset` lists key-values with all their members; in the others names are nested or flat and only values are said. */
export const IMPORT_FORMATS = ['kvset', 'json', 'yaml', 'properties'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

/** How names are made from a file that has no members for them. */
export interface NameOptions {
  readonly prefix: string;
  /** '' for no label. */
  readonly label: string;
  readonly separator: string;
  readonly contentType?: string;
}

export interface ImportFile {
  readonly rows: readonly FileRow[];
  /** What the file itself asks for; only a key-value set can. */
  readonly mode: ImportMode | undefined;
  readonly scope: { readonly key?: string; readonly label?: string } | undefined;
  readonly isKvset: boolean;
}

/** Members of a key-value as the service lists them. Those that the store decides about are read over. */
const ROW_MEMBERS = new Set([
  'key',
  'label',
  'value',
  'content_type',
  'tags',
  'description',
  'locked',
  'etag',
  'last_modified',
]);
const SET_MEMBERS = new Set(['items', 'mode', 'scope', 'etag', '@nextLink']);

const JSON_FAULTS: Readonly<Record<JsonTextFault, string>> = {
  encoding: 'not UTF-8',
  syntax: 'not JSON',
  depth: 'nested deeper than 100 levels',
  prototype: 'a member is named __proto__',
};

/** The format that a file's name tells. */
export function formatOf(file: string): ImportFormat | undefined {
  const extension = /\.([^./\\]+)$/.exec(file)?.[1]?.toLowerCase();
  if (extension === 'yml') return 'yaml';
  return IMPORT_FORMATS.find((format) => format === extension);
}

/**
 * Reads a file into rows to which no rule was applied yet.
 *
 * @param file its name, for people
 * @param isChosen whether somebody named the format; `json` told only by a file's name may be a key-value set too
 * @throws CommandError for a file that is not of the format
 */
export function parseImportFile(
  file: string,
  bytes: Buffer,
  format: ImportFormat,
  isChosen: boolean,
  names: NameOptions,
): ImportFile {
  try {
    if (format === 'properties') {
      const rows = Array.from(parseProperties(decodeProperties(bytes)), ({ line, key, value }) =>
        nestedRow(`line ${line}`, key, value, names),
      );
      return { rows, mode: undefined, scope: undefined, isKvset: false };
    }
    const tree = format === 'yaml' ? parseYaml(decodeUtf8(bytes)) : parseJson(bytes);
    if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) throw inputError('the file holds no object');
    const mayBeSet = format === 'yaml' || (format === 'json' && !isChosen);
    return format === 'kvset' || (mayBeSet && looksLikeSet(tree)) ? setOf(tree) : nestedOf(tree, names);
  } catch (error) {
    if (error instanceof CommandError) throw inputError(`${file}: ${error.message}`);
    throw error;
  }
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw inputError('not UTF-8');
  }
}

function parseJson(bytes: Buffer): Tree {
  try {
    // Numbers as texts: JavaScript's would lose digits.
    return parseJsonText(bytes, 'text') as Tree;
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
    throw inputError(error.reason === 'syntax' ? syntaxFault(bytes) : JSON_FAULTS[error.reason]);
  }
}

/** Where the text stops being JSON. The parser does not always tell, and what is no JSON is seldom YAML. */
function syntaxFault(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  try {
    JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    if (/end of JSON input|^Unterminated/.test(message)) return 'not JSON: it ends too early';
    const position = /at position (\d+)/.exec(message)?.[1];
    const line = position === undefined ? firstFaultyLine(text) : text.slice(0, Number(position)).split('\n').length;
    if (line !== null) return `not JSON at line ${line}`;
  }
  return 'not JSON';
}

type TreeObject = Readonly<Record<string, Tree>>;

const looksLikeSet = (tree: TreeObject): boolean =>
  Array.isArray(tree['items']) && Object.keys(tree).every((name) => SET_MEMBERS.has(name));

function nestedOf(tree: TreeObject, names: NameOptions): ImportFile {
  const rows = Array.from(flatten(tree, names.separator), ({ key, value }) =>
    nestedRow(`member ${quoted(key)}`, key, value, names),
  );
  return { rows, mode: undefined, scope: undefined, isKvset: false };
}

function nestedRow(
  where: string,
  key: string,
  value: string | null,
  { prefix, label, contentType }: NameOptions,
): FileRow {
  const body = contentType === undefined ? { value } : { value, content_type: contentType };
  // An empty name stays empty, so that it is refused and not taken for the prefix.
  return { where, key: key === '' ? '' : prefix + key, label, body };
}

function setOf(tree: TreeObject): ImportFile {
  const { items, mode, scope } = tree;
  if (!Array.isArray(items)) throw inputError('a key-value set has an array "items"');
  for (const name of Object.keys(tree)) {
    if (!SET_MEMBERS.has(name)) throw inputError(`${quoted(name)} is no member of a key-value set`);
  }
  if (tree['@nextLink'] !== undefined && tree['@nextLink'] !== null) {
    throw inputError('the list goes on behind this page (@nextLink): export the whole list');
  }
  if (mode !== undefined && !IMPORT_MODES.some((known) => known === mode)) {
    throw inputError(`mode is ${quoted(JSON.stringify(mode))}; expected ${IMPORT_MODES.join(', ')}`);
  }
  return {
    rows: items.map((item, index) => setRow(`row ${index + 1}`, item)),
    mode: mode as ImportMode | undefined,
    scope: scopeOf(scope),
    isKvset: true,
  };
}

function scopeOf(scope: Tree | undefined): { key?: string; label?: string } | undefined {
  if (scope === undefined || scope === null) return undefined;
  const entries = typeof scope === 'object' ? Object.entries(scope as TreeObject) : [['', null] as const];
  if (!entries.every(([name, value]) => (name === 'key' || name === 'label') && typeof value === 'string')) {
    throw inputError('scope holds something else than the filters "key" and "label"');
  }
  return Object.fromEntries(entries);
}

function setRow(where: string, item: Tree): FileRow {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) throw inputError(`${where}: not an object`);
  const row = item as TreeObject;
  const { key, label } = row;
  const stranger = Object.keys(row).find((name) => !ROW_MEMBERS.has(name));
  if (stranger !== undefined) {
    const named = typeof key === 'string' ? ` (key ${quoted(key)})` : '';
    throw inputError(`${where}${named}: ${quoted(stranger)} is no member of a key-value`);
  }
  // As in a put: what a row leaves out is empty, except for the description, which older versions of the protocol do not know.
  const { value = null, content_type: contentType, tags, description } = row;
  const body = { value, content_type: contentType ?? null, tags: tags ?? {} };
  return { where, key, label, body: description === undefined ? body : { ...body, description } };
}
