import { inputError } from '../../command/command-error.js';
import { quoted } from '../quoted.js';

/** What a nested file can hold once read: numbers are texts already, with the digits that the file has. */
export type Tree = string | boolean | null | Tree[] | { readonly [name: string]: Tree };

export interface Leaf {
  readonly key: string;
  readonly value: string | null;
}

/**
 * Objects flattened to keys: members joined by the separator, arrays by index from 0, as the Azure CLI does it. Empty objects and
 * arrays have no leaves and leave nothing.
 */
export function* flatten(tree: Tree, separator: string, path: readonly string[] = []): Generator<Leaf> {
  if (typeof tree !== 'object' || tree === null) {
    yield { key: path.join(separator), value: tree === null ? null : String(tree) };
    return;
  }
  for (const [name, child] of Object.entries(tree)) yield* flatten(child, separator, [...path, name]);
}

class Node {
  readonly children = new Map<string, Node>();
  leaf: Leaf | undefined;
}

/**
 * The inverse of {@link flatten}. Members that are exactly 0, 1, 2, … make an array.
 *
 * @throws CommandError when a key is a value and the beginning of another (`a` and `a:b`), which no nesting can hold
 */
export function nest(leaves: Iterable<Leaf>, separator: string): Tree {
  const root = new Node();
  for (const leaf of leaves) {
    let node = root;
    for (const name of leaf.key.split(separator)) {
      if (name === '__proto__') throw inputError(`the key ${quoted(leaf.key)} cannot be nested: a part is __proto__`);
      if (node.leaf) throw conflict(node.leaf.key, leaf.key);
      let child = node.children.get(name);
      if (!child) node.children.set(name, (child = new Node()));
      node = child;
    }
    if (node.children.size > 0) throw conflict(leaf.key, firstLeaf(node).key);
    node.leaf = leaf;
  }
  return toTree(root);
}

const conflict = (value: string, below: string): Error =>
  inputError(
    `the key ${quoted(value)} is a value and the beginning of ${quoted(below)}, which cannot be nested: ` +
      'choose another --separator, or the format kvset',
  );

function firstLeaf(node: Node): Leaf {
  return node.leaf ?? firstLeaf(node.children.values().next().value!);
}

function toTree(node: Node): Tree {
  if (node.leaf) return node.leaf.value;
  const { children } = node;
  const isArray =
    children.size > 0 && Array.from({ length: children.size }, (_, i) => String(i)).every((i) => children.has(i));
  if (isArray) return Array.from({ length: children.size }, (_, i) => toTree(children.get(String(i))!));
  return Object.fromEntries([...children].map(([name, child]) => [name, toTree(child)]));
}
