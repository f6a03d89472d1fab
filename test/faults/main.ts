import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cleanUp } from './harness/clean-up';
import { Context, type FaultTest } from './harness/context';
import { Findings } from './harness/findings';
import { writeHistory } from './harness/history';
import { Random } from './harness/random';
import { now } from './harness/wait';
import { NOT_PLANTED, PLANTED, type PlantedBug } from './planted';
import { SCENARIOS } from './scenarios';

const RESULTS = join(__dirname, 'results');

interface Outcome {
  readonly id: string;
  readonly title: string;
  readonly promises: readonly string[];
  readonly isPassed: boolean;
  readonly seconds: number;
  readonly findings: Findings;
  readonly error?: string;
}

const { values: options } = parseArgs({
  options: {
    long: { type: 'boolean', default: false },
    seed: { type: 'string' },
    only: { type: 'string' },
    'no-planted': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    outputFile: { type: 'string' },
  },
});
const seed = options.seed === undefined ? Date.now() % 1_000_000_000 : Number(options.seed);
const only = options.only?.split(',');
const isWanted = (ids: readonly string[]): boolean => only === undefined || ids.some((id) => only.includes(id));

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    process.stderr.write(`${signal}: cleaning up\n`);
    void cleanUp().finally(() => process.exit(1));
  });
}

void main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    void cleanUp().finally(() => {
      process.stdout.write('0 passed, 1 failed\n');
      process.exit(1);
    });
  },
);

async function main(): Promise<number> {
  const startedAt = new Date();
  process.stdout.write(
    `seed ${seed} (replay: npm run ${options.long ? 'test:faults:long' : 'test:faults'} -- --seed ${seed})\n`,
  );
  const bugs = options['no-planted']
    ? []
    : PLANTED.filter(({ id, isLong = false }) => isWanted(['F0', id]) && (options.long || !isLong));
  // First of all: a place that is no longer in the build should not be told at the end of an hour.
  const builds = new Map(bugs.map((bug) => [bug, Context.build(bug.patches)]));
  const outcomes: Outcome[] = [];
  const wanted = SCENARIOS.filter(({ faults }) => isWanted(faults));
  for (const test of wanted.filter(({ lane }) => lane === 'load')) outcomes.push(await runTest(test));
  outcomes.push(
    ...(await inLanes(
      wanted.filter(({ lane }) => lane === 'light'),
      runTest,
      3,
    )),
  );
  outcomes.push(...(await inLanes(bugs, (bug) => findPlanted(bug, builds.get(bug)!), 2)));
  await cleanUp();
  report(outcomes, startedAt);
  return outcomes.length > 0 && outcomes.every(({ isPassed }) => isPassed) ? 0 : 1;
}

/** Runs what needs little at the same time: most of what it does is wait. */
async function inLanes<T>(work: readonly T[], run: (each: T) => Promise<Outcome>, lanes: number): Promise<Outcome[]> {
  const left = [...work];
  const outcomes: Outcome[] = [];
  const lane = async (): Promise<void> => {
    for (let each = left.shift(); each !== undefined; each = left.shift()) outcomes.push(await run(each));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return outcomes;
}

async function runTest(test: FaultTest): Promise<Outcome> {
  const id = test.faults.join(' ');
  const context = new Context(new Findings(), new Random(seed, id), options.long, Context.build());
  const outcome = await timed(id, test.title, test.promises, context, () => test.run(context));
  if (!outcome.isPassed && context.history.length > 0) {
    mkdirSync(RESULTS, { recursive: true });
    const file = join(RESULTS, `history-${test.faults[0]}-${seed}.jsonl`);
    writeHistory(file, context.history);
    process.stdout.write(`        the recorded history is in ${file}\n`);
  }
  return outcome;
}

/** Whether requests meet where a bug shows is chance, in a share of the usual load above all: each time anew. */
const TURNS_FOR_A_BUG = 5;

async function findPlanted(bug: PlantedBug, build: string): Promise<Outcome> {
  for (let turn = 1; ; turn++) {
    const outcome = await runPlanted(bug, build, new Random(seed, turn === 1 ? bug.id : `${bug.id} again ${turn}`));
    if (outcome.isPassed || turn === TURNS_FOR_A_BUG) return outcome;
  }
}

/** A planted bug is found when the test that is there for it fails, for the reason that is expected. */
async function runPlanted(bug: PlantedBug, build: string, random: Random): Promise<Outcome> {
  const context = new Context(new Findings(), random, bug.isLong === true, build, bug.share);
  const verdict = new Findings();
  const outcome = await timed(bug.id, `planted: ${bug.title}`, [], context, async () => {
    await bug.run(context);
    const found = context.findings.violations.filter((text) => bug.sign.test(text));
    verdict.atLeast(`found by ${bug.foundBy}`, found.length, 1);
    if (found.length === 0)
      verdict.violations.push(...context.findings.violations.map((text) => `another one: ${text}`));
    if (found[0] !== undefined) process.stdout.write(`        found: ${found[0].slice(0, 200)}\n`);
  });
  return { ...outcome, findings: verdict, isPassed: outcome.error === undefined && verdict.isPassed };
}

async function timed(
  id: string,
  title: string,
  promises: readonly string[],
  context: Context,
  work: () => Promise<void>,
): Promise<Outcome> {
  const startedAt = now();
  let error: string | undefined;
  try {
    await work();
  } catch (thrown) {
    error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  }
  const seconds = (now() - startedAt) / 1000;
  const { findings } = context;
  const isPassed = error === undefined && findings.isPassed;
  if (!id.startsWith('F0')) show(id, title, isPassed, seconds, findings);
  else process.stdout.write(`${seconds.toFixed(1).padStart(6)} s  ${id}  ${title}\n`);
  if (error !== undefined) process.stdout.write(`        ${error.replaceAll('\n', '\n        ')}\n`);
  return { id, title, promises, isPassed, seconds, findings, ...(error === undefined ? {} : { error }) };
}

function show(id: string, title: string, isPassed: boolean, seconds: number, findings: Findings): void {
  process.stdout.write(`${isPassed ? 'ok    ' : 'FAILED'} ${id}  ${title} (${seconds.toFixed(1)} s)\n`);
  for (const { what, value, target, isMet } of findings.measures) {
    process.stdout.write(`        ${isMet ? ' ' : '!'} ${String(value).padStart(9)} ${target.padEnd(9)} ${what}\n`);
  }
  for (const text of findings.violations.slice(0, 5)) process.stdout.write(`        ! ${text.slice(0, 500)}\n`);
  for (const { what, why, instead } of findings.notRun) {
    process.stdout.write(`        not run: ${what}: ${why}; instead: ${instead}\n`);
  }
}

function report(outcomes: readonly Outcome[], startedAt: Date): void {
  const failed = outcomes.filter(({ isPassed }) => !isPassed);
  const passed = outcomes.length - failed.length;
  const seconds = (Date.now() - startedAt.getTime()) / 1000;
  const content = {
    startedAt: startedAt.toISOString(),
    kind: options.long ? 'long' : 'quick',
    seed,
    seconds,
    machine: { cores: availableParallelism(), platform: process.platform, node: process.version },
    numPassedTests: passed,
    numFailedTests: failed.length,
    notRun: [
      ...outcomes.flatMap(({ id, findings }) => findings.notRun.map((each) => ({ id, ...each }))),
      ...(options['no-planted'] ? [] : NOT_PLANTED.filter(({ id }) => isWanted(['F0', id]))),
    ],
    tests: outcomes.map(({ findings, ...outcome }) => ({
      ...outcome,
      measures: findings.measures,
      violations: findings.violations,
      notRun: findings.notRun,
    })),
  };
  const text = `${JSON.stringify(content, null, 2)}\n`;
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, `${startedAt.toISOString().replaceAll(':', '-')}.json`);
  writeFileSync(file, text);
  if (options.outputFile !== undefined) writeFileSync(options.outputFile, text);
  process.stdout.write('\n');
  for (const { id, title, isPassed, seconds: took } of outcomes) {
    process.stdout.write(
      `${isPassed ? 'ok    ' : 'FAILED'} ${took.toFixed(1).padStart(6)} s  ${id.padEnd(8)} ${title}\n`,
    );
  }
  for (const { id, what, why } of content.notRun) process.stdout.write(`not run  ${id}: ${what}: ${why}\n`);
  process.stdout.write(`\n${Math.round(seconds)} s, report in ${file}\n${passed} passed, ${failed.length} failed\n`);
}
