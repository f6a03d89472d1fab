import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { refusalOf } from './acquire.js';
import { formatDuration, parseDuration } from './duration.js';
import { EXIT, Refusal, usageError } from './exit-codes.js';
import { ANSWER_LIMIT_MS } from './held-lock.js';
import { type Lock, LockClient, NoAnswer, type ServiceAnswer } from './lock-client.js';
import { run } from './run.js';

/** Below this a lease cannot be renewed in time over any network; in milliseconds. */
const MIN_TTL_MS = 100;

interface ServiceArguments {
  url: string;
  store: string;
  token?: string;
  user?: string;
}

interface RunArguments extends ServiceArguments {
  owner: string;
  ttl: number;
  wait: number;
  killAfter: number;
  conflictExitCode: number;
  reason?: string;
}

interface ShowArguments extends ServiceArguments {
  output: 'text' | 'json';
}

/** Runs the command line and tells the exit code. stdout and stdin are the guarded command's; all that we say goes to stderr. */
export async function main(args: readonly string[]): Promise<number> {
  // Nobody may listen any more; that must not end us while the command runs.
  process.stderr.on('error', () => undefined);
  // Split here, so that no option of the command is ever taken for one of ours.
  const end = args.indexOf('--');
  const guarded = end === -1 ? [] : args.slice(end + 1);
  let code: number = EXIT.done;
  const program = new Command('npm run lock --').description('Distributed locks for shells and scripts.');
  program
    .command('run')
    .description('hold a lock while a command runs: run NAME [options] -- COMMAND')
    .argument('<name>', 'what to lock')
    .addOption(duration('--ttl', 'length of the lease, which is renewed in time', MIN_TTL_MS, 30_000))
    .addOption(duration('--wait', 'wait in line this long; 0: do not wait', 0, 0))
    .addOption(duration('--kill-after', 'from SIGTERM to SIGKILL when the lock is lost', 0, 10_000))
    .option('-E, --conflict-exit-code <code>', 'when the lock is not got in time', exitCode, EXIT.conflict)
    .option('--owner <text>', 'who holds it (default: host:pid:random)')
    .option('--reason <text>', 'shown to whoever looks at the lock')
    .action(async (name: string, options: RunArguments) => {
      code = await runGuarded(name, guarded, options);
    });
  program
    .command('show')
    .description('print a lock and its holder')
    .argument('<name>')
    .addOption(outputOption())
    .action(async (name: string, options: ShowArguments) => {
      const answer = await ask((client) => client.find(nameFrom(name), LIMIT), options);
      print(options, answer.json, [lineOf(answer.json as unknown as Lock)]);
    });
  program
    .command('list')
    .description('print the locks that are held')
    .argument('[prefix]', 'only names that begin with it', '')
    .addOption(outputOption())
    .action(async (prefix: string, options: ShowArguments) => {
      const items: Lock[] = [];
      let after: string | null = null;
      do {
        const { json }: ServiceAnswer = await ask((client) => client.list(prefix, after, LIMIT), options);
        items.push(...(json['items'] as Lock[]));
        after = json['next'] as string | null;
      } while (after !== null);
      print(options, items, items.map(lineOf));
    });
  program
    .command('force')
    .description('take a lock from its holder, who may still be at work (role manager)')
    .argument('<name>')
    .requiredOption('--reason <text>', 'for the audit log')
    .addOption(outputOption())
    .action(async (name: string, options: ShowArguments & { reason: string }) => {
      const answer = await ask((client) => client.force(nameFrom(name), options.reason, LIMIT), options);
      print(options, answer.json, [`broken: ${lineOf(answer.json as unknown as Lock)}`]);
    });
  for (const command of [program, ...program.commands])
    command.exitOverride().showHelpAfterError('(--help tells more)');
  for (const command of program.commands) addServiceOptions(command);
  try {
    if (end !== -1 && args[0] !== 'run') throw usageError('-- goes with run only');
    await program.parseAsync(end === -1 ? args : args.slice(0, end), { from: 'user' });
    return code;
  } catch (error) {
    // Commander has said it already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    say(error instanceof Error ? error.message : String(error));
    return error instanceof Refusal ? error.exitCode : EXIT.failure;
  }
}

const LIMIT = { timeoutMs: ANSWER_LIMIT_MS };

const say = (line: string): void => void process.stderr.write(`lock: ${line}\n`);

const outputOption = (): Option =>
  new Option('-o, --output <format>', 'what to print').choices(['text', 'json']).default('text');

function addServiceOptions(command: Command): void {
  command
    .option('--store <name>', 'lock store', 'lockstore')
    .addOption(new Option('--url <url>', 'service').env('LATCHKEY_URL').default('http://127.0.0.1:8080'))
    .addOption(
      new Option('--user <name>', 'user of the service; the password comes from LATCHKEY_PASSWORD').env(
        'LATCHKEY_USER',
      ),
    )
    .option('--token <token>', 'instead of DAPR_API_TOKEN, but others can see it in the list of processes');
}

function duration(name: string, description: string, least: number, usual: number): Option {
  return new Option(`${name} <duration>`, description)
    .default(usual, usual === 0 ? '0' : formatDuration(usual))
    .argParser((text) => {
      const milliseconds = parseDuration(text);
      if (milliseconds !== undefined && milliseconds >= least) return milliseconds;
      throw new InvalidArgumentError(`Expected ${least === 0 ? '0' : `${least}ms`} to 24h, such as 30s or 5m.`);
    });
}

function exitCode(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) <= 255) return Number(text);
  throw new InvalidArgumentError('Expected 0 to 255.');
}

function nameFrom(name: string): string {
  if (name === '') throw usageError('the name of the lock is empty');
  // URLs cannot say them: as a path segment they mean a place further up, however they are encoded.
  if (name === '.' || name === '..') throw usageError(`${name} cannot be the name of a lock here`);
  return name;
}

async function runGuarded(name: string, guarded: readonly string[], options: RunArguments): Promise<number> {
  const [file, ...args] = guarded;
  if (file === undefined || file === '') throw usageError('say what to run: run NAME -- COMMAND');
  const { ttl: ttlMs, wait: waitMs, killAfter: killAfterMs, conflictExitCode, reason } = options;
  const owner = options.owner ?? `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;
  // Of the command only its name: readers see this, and arguments may hold secrets.
  const metadata = { host: hostname(), command: file, ...(reason === undefined ? {} : { reason }) };
  const request = { resource: nameFrom(name), owner, ttlMs, waitMs, metadata, conflictExitCode, killAfterMs };
  return run(clientFrom(options), { ...request, command: [file, ...args] }, say);
}

function clientFrom({ url, store, token, user }: ServiceArguments): LockClient {
  if (store === '' || store === '.' || store === '..') throw usageError('--store is not the name of a store');
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.search !== '' || parsed.hash !== '') {
    throw usageError(`--url ${url}: expected a URL such as http://127.0.0.1:8080`);
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw usageError('--url: credentials do not go there, but in DAPR_API_TOKEN, or --user and LATCHKEY_PASSWORD');
  }
  return new LockClient(parsed.href.replace(/\/+$/, ''), store, credentialsFrom(token, user));
}

function credentialsFrom(token: string | undefined, user: string | undefined): Record<string, string> {
  if (user !== undefined && user !== '') {
    if (token !== undefined) throw usageError('--token and --user: one of the two');
    const password = secretFrom('LATCHKEY_PASSWORD');
    if (password === undefined) throw usageError('--user needs the password in LATCHKEY_PASSWORD');
    // RFC 7617 §2: the first colon ends the name.
    if (user.includes(':')) throw usageError('--user: a name cannot contain a colon');
    return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
  }
  const chosen = token ?? secretFrom('DAPR_API_TOKEN');
  if (chosen === undefined) return {};
  if (!/^[!-~]+$/.test(chosen)) throw usageError('the token must be visible ASCII characters without blanks');
  return { 'dapr-api-token': chosen };
}

/** A secret of the environment, or of the file that `NAME_FILE` names, as the service's own settings have it. */
function secretFrom(name: string): string | undefined {
  const file = process.env[`${name}_FILE`];
  if (process.env[name] || !file) return process.env[name] || undefined;
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw usageError(`${name}_FILE: ${file} cannot be read: ${(error as Error).message}`);
  }
}

async function ask(
  call: (client: LockClient) => Promise<ServiceAnswer>,
  options: ServiceArguments,
): Promise<ServiceAnswer> {
  const answer = await call(clientFrom(options)).catch((error: unknown) => {
    throw error instanceof NoAnswer ? new Refusal(EXIT.failure, `${error.message}`) : error;
  });
  if (answer.status !== 200) throw refusalOf(answer);
  return answer;
}

function print({ output }: ShowArguments, value: unknown, lines: readonly string[]): void {
  const text = output === 'json' ? [JSON.stringify(value, null, 2)] : lines;
  for (const line of text) process.stdout.write(`${line}\n`);
}

function lineOf({ resource, state, owner, fence, expiresAt, waiters }: Lock): string {
  if (state !== 'held') return `${resource}  free${fence === null ? '' : `, last fence ${fence}`}`;
  return `${resource}  held by ${owner} until ${expiresAt}, fence ${fence}, ${waiters} waiting`;
}
