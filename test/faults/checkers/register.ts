import { type KeyValueOperation } from '../harness/history';

/** What a key holds in the model: a value, or null for nothing. */
type State = string | null;

/** What the checker says about the history of one key. */
export interface RegisterVerdict {
  readonly key: string;
  readonly operations: number;
  /** `undecided` when the search was too long to finish; that counts as a failure too. */
  readonly verdict: 'linearizable' | 'violation' | 'undecided';
  /** Of a violation: the operation behind which no order goes on, as JSON. */
  readonly at?: string;
}

/** Steps of the search for one key; a history of some thousand operations takes about as many. */
const MAX_STEPS = 2_000_000;

interface Entry {
  readonly operation: KeyValueOperation;
  readonly call: number;
  /** Infinity where the outcome is unknown: it may take effect at any later time, or never. */
  readonly ret: number;
  isOrdered: boolean;
}

/**
 * Whether each key's history is one of a register with compare-and-set and delete (promise P3): whether its operations can be put in
 * an order that agrees with real time and in which each answer is right. Wing and Gong's search with Lowe's memo of the configurations
 * that led nowhere. Written for 16 clients and up to 5,000 operations of a key.
 */
export function checkRegisters(history: readonly KeyValueOperation[]): RegisterVerdict[] {
  const byKey = new Map<string, KeyValueOperation[]>();
  for (const operation of history) {
    const operations = byKey.get(operation.key);
    if (operations) operations.push(operation);
    else byKey.set(operation.key, [operation]);
  }
  return [...byKey].map(([key, operations]) => checkRegister(key, operations));
}

/** What an operation makes of a state, and null when its answer contradicts that state. An unknown one may always take effect. */
function apply({ op, args, outcome, isDone, value }: KeyValueOperation, state: State): { state: State } | null {
  const isUnknown = outcome === 'unknown';
  const conditional = (holds: boolean): { state: State } | null => {
    if (isUnknown) return holds ? { state: args.value! } : null;
    if (isDone !== holds) return null;
    return { state: isDone ? args.value! : state };
  };
  switch (op) {
    case 'get':
      return value === state ? { state } : null;
    case 'put':
      return { state: args.value! };
    case 'cas':
      return conditional(state === args.expected);
    case 'create':
      return conditional(state === null);
    case 'delete':
      return isUnknown || value === state ? { state: null } : null;
  }
}

function checkRegister(key: string, history: readonly KeyValueOperation[]): RegisterVerdict {
  const entries: Entry[] = history
    // What failed did nothing, and a read without an answer says nothing.
    .filter(({ outcome, op }) => outcome !== 'fail' && !(outcome === 'unknown' && op === 'get'))
    .map((operation) => ({
      operation,
      call: operation.call_ns,
      ret: operation.outcome === 'unknown' ? Infinity : operation.ret_ns,
      isOrdered: false,
    }))
    .sort((a, b) => a.call - b.call);
  const known = entries.filter(({ ret }) => ret !== Infinity);
  const unknown = entries.filter(({ ret }) => ret === Infinity);
  // Unanswered writes of values that nobody ever saw, and unanswered deletes, are each as good as any other of their kind: the search
  // takes the first, and remembers how many it took. All it needs of such a value is that it is no other.
  const seenValues = new Set(known.flatMap(({ operation: { value, args } }) => [value, args.expected ?? null]));
  for (const { operation } of unknown) seenValues.add(operation.args.expected ?? null);
  const kindOf = ({ operation: { op, args } }: Entry): 'unseen' | 'delete' | 'other' =>
    op === 'delete' ? 'delete' : op === 'put' && !seenValues.has(args.value!) ? 'unseen' : 'other';
  const unseen = unknown.filter((entry) => kindOf(entry) === 'unseen');
  const deletes = unknown.filter((entry) => kindOf(entry) === 'delete');
  const others = unknown.filter((entry) => kindOf(entry) === 'other');
  const isUnseen = new Set(unseen.map(({ operation }) => operation.args.value!));

  /** By configuration: how many of the interchangeable ones were taken. To have taken fewer is never worse. */
  const seen = new Map<string, [number, number][]>();
  const stack: { entry: Entry; before: State; alternatives: Entry[]; low: number; quiet: Entry[] }[] = [];
  let state: State = null;
  let low = 0;
  let furthest = 0;
  let ordered = 0;
  const skipOrdered = (): void => {
    while (low < known.length && known[low]!.isOrdered) low++;
  };

  /** Operations that may come next: called before the first return of those that are left. */
  const candidates = (): Entry[] => {
    let firstReturn = Infinity;
    const found: Entry[] = [];
    for (let i = low; i < known.length && known[i]!.call <= firstReturn; i++) {
      const entry = known[i]!;
      if (entry.isOrdered) continue;
      found.push(entry);
      if (entry.ret < firstReturn) firstReturn = entry.ret;
    }
    const enabled = found.filter(({ call }) => call <= firstReturn).sort((a, b) => a.ret - b.ret);
    const late = [...others, unseen.find(({ isOrdered }) => !isOrdered), deletes.find(({ isOrdered }) => !isOrdered)];
    return enabled.concat(
      late.filter((entry) => entry !== undefined && !entry.isOrdered && entry.call <= firstReturn) as Entry[],
    );
  };
  /** Where nothing changes, the earliest place is as good as any other: such operations need no search. */
  const takeQuiet = (quiet: Entry[]): void => {
    for (let isAgain = true; isAgain;) {
      isAgain = false;
      for (const entry of candidates()) {
        if (entry.ret === Infinity || apply(entry.operation, state)?.state !== state) continue;
        if (writes(entry.operation)) continue;
        entry.isOrdered = true;
        quiet.push(entry);
        ordered++;
        isAgain = true;
      }
      skipOrdered();
    }
  };
  const configuration = (): string => {
    const beyond: number[] = [];
    let left = ordered - low;
    for (let i = low; left > 0 && i < known.length; i++) {
      if (!known[i]!.isOrdered) continue;
      beyond.push(i);
      left--;
    }
    const late = others.flatMap(({ isOrdered }, index) => (isOrdered ? [index] : []));
    return `${low}|${beyond.join()}|${late.join()}|${state !== null && isUnseen.has(state) ? '*' : JSON.stringify(state)}`;
  };
  /** Whether the search was here before, with no more taken than now. */
  const wasHere = (): boolean => {
    const here = configuration();
    const taken: [number, number] = [countOrdered(unseen), countOrdered(deletes)];
    const before = seen.get(here);
    if (before?.some(([writes, removals]) => writes <= taken[0] && removals <= taken[1])) return true;
    if (before) before.push(taken);
    else seen.set(here, [taken]);
    return false;
  };

  takeQuiet([]);
  let next = candidates();
  for (let steps = 0; ; steps++) {
    if (low === known.length) return { key, operations: entries.length, verdict: 'linearizable' };
    if (steps > MAX_STEPS) return { key, operations: entries.length, verdict: 'undecided' };
    if (low > furthest) furthest = low;
    const entry = next.shift();
    if (entry) {
      const applied = apply(entry.operation, state);
      if (applied === null) continue;
      const before: State = state;
      const lowBefore = low;
      entry.isOrdered = true;
      if (entry.ret !== Infinity) ordered++;
      state = applied.state;
      skipOrdered();
      const quiet: Entry[] = [];
      takeQuiet(quiet);
      if (!wasHere()) {
        stack.push({ entry, before, alternatives: next, low: lowBefore, quiet });
        next = candidates();
        continue;
      }
      undo(entry, quiet);
      state = before;
      low = lowBefore;
      continue;
    }
    const last = stack.pop();
    if (!last) {
      const at = JSON.stringify(known[furthest]?.operation);
      return { key, operations: entries.length, verdict: 'violation', at };
    }
    undo(last.entry, last.quiet);
    state = last.before;
    low = last.low;
    next = last.alternatives;
  }

  function undo(entry: Entry, quiet: readonly Entry[]): void {
    for (const each of quiet) each.isOrdered = false;
    entry.isOrdered = false;
    ordered -= quiet.length + (entry.ret === Infinity ? 0 : 1);
  }
}

const countOrdered = (entries: readonly Entry[]): number =>
  entries.reduce((count, { isOrdered }) => count + Number(isOrdered), 0);

/** Whether an operation with its answer changed something, even to the state that was there. */
const writes = ({ op, isDone, value }: KeyValueOperation): boolean =>
  op === 'put' || (op === 'cas' && isDone) || (op === 'create' && isDone) || (op === 'delete' && value !== null);
