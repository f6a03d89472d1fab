import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Document,
  LineCounter,
  type Node,
  parseAllDocuments,
} from 'yaml';

/** A component file has a few dozen nodes; aliases multiply what a file says. */
const MAX_NODES = 10_000;
/** A component is five levels deep. */
const MAX_DEPTH = 50;

/** A piece of YAML that knows the line, from 1, on which it stands. */
export type YamlTree = YamlScalar | YamlList | YamlMap;

export interface YamlScalar {
  readonly kind: 'scalar';
  readonly line: number;
  /** What YAML's core schema makes of it; numbers only tell that it is one. */
  readonly value: string | boolean | number | null;
  /** As it was written, without quotes: `007` stays `007`; the empty text for null. */
  readonly text: string;
}

export interface YamlList {
  readonly kind: 'list';
  readonly line: number;
  readonly items: readonly YamlTree[];
}

export interface YamlMap {
  readonly kind: 'map';
  readonly line: number;
  readonly members: ReadonlyMap<string, YamlTree>;
}

/** What is no YAML, or more YAML than a component needs. */
export interface YamlFault {
  readonly kind: 'fault';
  readonly line: number;
  readonly what: string;
}

/**
 * The documents of a YAML 1.2 text, aliases followed; empty ones (a leading `---`, nothing but comments) are left out. Each document
 * that cannot be read is one fault in its place. Never throws, whatever the text.
 */
export function readYamlDocuments(text: string): (YamlTree | YamlFault)[] {
  const lines = new LineCounter();
  let documents: Document[];
  try {
    const options = { version: '1.2', schema: 'core', merge: false, logLevel: 'silent', lineCounter: lines } as const;
    documents = [...parseAllDocuments(text, options)] as Document[];
  } catch (error) {
    // The parser recurses into nested collections, until the stack ends.
    return [{ kind: 'fault', line: 1, what: `cannot be read as YAML (${messageOf(error)})` }];
  }
  const read: (YamlTree | YamlFault)[] = [];
  for (const document of documents) {
    const tree = readDocument(document, lines);
    if (tree.kind !== 'scalar' || tree.value !== null) read.push(tree);
  }
  return read;
}

/** Carries a fault out of the recursion. */
class Unreadable extends Error {
  constructor(
    readonly line: number,
    message: string,
  ) {
    super(message);
  }
}

function readDocument(document: Document, lines: LineCounter): YamlTree | YamlFault {
  // Warnings are unknown tags: the text behind one is not what its author means it to be.
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) {
    const line = problem.linePos?.[0].line ?? lines.linePos(problem.pos[0]).line;
    return { kind: 'fault', line, what: `is no YAML: ${problem.message.split('\n')[0]!.replace(/:$/, '')}` };
  }
  try {
    return new Reader(document, lines).read(document.contents, 0, 1);
  } catch (error) {
    const line = error instanceof Unreadable ? error.line : 1;
    return { kind: 'fault', line, what: messageOf(error) };
  }
}

class Reader {
  private count = 0;
  /** Looking for an anchor walks the whole document. */
  private readonly targets = new Map<string, Node>();

  constructor(
    private readonly document: Document,
    private readonly lines: LineCounter,
  ) {}

  /** @param around line of what the node is part of, for nodes that are not written out */
  read(node: Node | null, depth: number, around: number): YamlTree {
    const line = this.lineOf(node, around);
    if (++this.count > MAX_NODES || depth > MAX_DEPTH) {
      throw new Unreadable(line, 'is too deep, or its aliases make too much of it');
    }
    if (node === null) return { kind: 'scalar', line, value: null, text: '' };
    if (isAlias(node)) return this.read(this.targetOf(node, line), depth + 1, line);
    if (isSeq(node)) {
      return { kind: 'list', line, items: node.items.map((item) => this.read(item as Node | null, depth + 1, line)) };
    }
    if (isMap(node)) {
      const members = new Map<string, YamlTree>();
      for (const { key, value } of node.items) {
        const name = this.memberName(key as Node | null, depth, line);
        // The parser compares keys as they are written; an alias can repeat one.
        if (members.has(name.text)) throw new Unreadable(name.line, `names ${JSON.stringify(name.text)} twice`);
        members.set(name.text, this.read(value as Node | null, depth + 1, name.line));
      }
      return { kind: 'map', line, members };
    }
    if (!isScalar(node)) throw new Unreadable(line, 'has a YAML node of an unknown kind');
    return scalar(node.value, node.source, line);
  }

  private memberName(node: Node | null, depth: number, line: number): YamlScalar {
    const name = this.read(node, depth + 1, line);
    if (name.kind !== 'scalar') throw new Unreadable(line, 'has a mapping whose key is not a plain text');
    return name;
  }

  private targetOf(alias: Alias, line: number): Node {
    const target = this.targets.get(alias.source) ?? alias.resolve(this.document);
    if (target === undefined) throw new Unreadable(line, `the alias *${alias.source} has no anchor`);
    return target;
  }

  private lineOf(node: Node | null, around: number): number {
    const start = node?.range?.[0];
    return start === undefined ? around : this.lines.linePos(start).line;
  }
}

function scalar(value: unknown, source: string | undefined, line: number): YamlScalar {
  if (value === null) return { kind: 'scalar', line, value, text: '' };
  if (typeof value === 'string') return { kind: 'scalar', line, value, text: value };
  const text = source ?? JSON.stringify(value);
  return { kind: 'scalar', line, value: typeof value === 'boolean' ? value : Number(value), text };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
