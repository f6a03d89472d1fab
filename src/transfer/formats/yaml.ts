import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Document,
  type Node,
  parseAllDocuments,
  stringify,
} from 'yaml';
import { inputError } from '../../command/command-error.js';
import { type Tree } from './nested.js';

/** Aliases multiply what a file says; no honest file of key-values comes near this. */
const MAX_NODES = 1_000_000;
/** As deep as JSON is read. */
const MAX_DEPTH = 100;

/**
 * Reads one YAML 1.2 document. Numbers become the text they were written as; aliases are followed.
 *
 * @throws CommandError with the place of what is no YAML
 */
export function parseYaml(text: string): Tree {
  const documents = parseAllDocuments(text, { version: '1.2', schema: 'core', merge: false, logLevel: 'silent' });
  const [document, more] = Array.isArray(documents) ? documents : [];
  if (document === undefined) return {};
  if (more !== undefined) throw inputError('more than one YAML document; expected one');
  const [fault] = document.errors;
  if (fault) throw inputError(fault.message.split('\n')[0]!.replace(/:$/, ''));
  return new Reader(document).read(document.contents, 0);
}

class Reader {
  private count = 0;
  /** Looking for an anchor walks the whole document. */
  private readonly targets = new Map<Node, Node>();

  constructor(private readonly document: Document) {}

  read(node: Node | null, depth: number): Tree {
    if (++this.count > MAX_NODES || depth > MAX_DEPTH)
      throw inputError('the YAML is too deep or its aliases make too much');
    if (node === null) return null;
    if (isAlias(node)) return this.read(this.targetOf(node), depth + 1);
    if (isSeq(node)) return node.items.map((item) => this.read(item as Node | null, depth + 1));
    if (isMap(node)) {
      const entries = node.items.map(({ key, value }): [string, Tree] => [
        this.memberName(key as Node | null),
        this.read(value as Node | null, depth + 1),
      ]);
      return Object.fromEntries(entries);
    }
    return this.scalar(node);
  }

  private targetOf(alias: Alias): Node {
    const target = this.targets.get(alias) ?? alias.resolve(this.document);
    if (target === undefined) throw inputError(`the alias *${alias.source} has no anchor`);
    this.targets.set(alias, target);
    return target;
  }

  private scalar(node: Node): string | boolean | null {
    if (!isScalar(node)) throw inputError('a YAML node of an unknown kind');
    const { value, source } = node;
    if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
    return source ?? JSON.stringify(value);
  }

  private memberName(node: Node | null): string {
    const resolved = node !== null && isAlias(node) ? this.targetOf(node) : node;
    if (resolved === null || !isScalar(resolved)) throw inputError('a YAML mapping whose key is not a plain text');
    const { value, source } = resolved;
    const name = typeof value === 'string' ? value : (source ?? String(value));
    if (name === '__proto__') throw inputError('a member is named __proto__');
    return name;
  }
}

export const renderYaml = (tree: unknown): string =>
  stringify(tree, { lineWidth: 0, aliasDuplicateObjects: false, version: '1.2', schema: 'core' });

/** The line, from 1, on which a text that should be JSON stops being YAML too; null when it is YAML. */
export function firstFaultyLine(text: string): number | null {
  const [document] = parseAllDocuments(text, { logLevel: 'silent' }) as Document[];
  return document?.errors[0]?.linePos?.[0].line ?? null;
}
