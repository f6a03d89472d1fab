import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { CommandError, inputError } from '../command/command-error.js';
import { operatingSystemUser } from '../command/operating-system-user.js';
import { EXIT, readSettings, runProgram } from '../command/run-program.js';
import { withDatabase } from '../command/with-database.js';
import { isAccessKeyId } from '../config/credential-lists.js';
import { loadMasterKey } from '../config/development-credentials.js';
import { type Settings } from '../config/settings.js';
import { seal } from '../auth/secret-box.js';
import { createLogger } from '../logging/logger.js';
import { type StoredKey, StoredKeys } from './stored-keys.js';

const SECRET_BYTES = 32;
const ID_BYTES = 6;

/** Those that concern the secrets in the database. */
const SETTINGS = ['MASTER_KEY', 'MASTER_KEY_FILE', 'PUBLIC_URL'];

/** Runs the command and tells its exit code. Results go to stdout, everything about the way there to stderr. */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = EXIT.done;
  const program = new Command('npm run keys --').description(
    'Access keys of the configuration API that are kept in the database, beside those of ACCESS_KEYS.',
  );
  program
    .command('create')
    .description('make a key and show its secret, once')
    .argument('[id]', 'what clients send as Id; made up when left out')
    .option('--read-only', 'a key that may only read')
    .option('-o, --output <file>', 'write it to this new file, for its owner only, instead of showing it')
    .action(async (id: string | undefined, options: { readOnly?: boolean; output?: string }) => {
      code = await create(id ?? randomBytes(ID_BYTES).toString('base64url'), options);
    });
  program
    .command('list')
    .description('list the keys, without their secrets')
    .action(async () => {
      code = await list();
    });
  program
    .command('revoke')
    .description('end a key: running services refuse it within seconds')
    .argument('<id>')
    .action(async (id: string) => {
      code = await revoke(id);
    });
  return runProgram(program, args, say, () => code);
}

async function create(
  id: string,
  { readOnly = false, output }: { readOnly?: boolean; output?: string },
): Promise<number> {
  if (!isAccessKeyId(id)) throw inputError('an id is visible ASCII without ";" and "&"');
  const settings = readSettings(...SETTINGS);
  const secret = randomBytes(SECRET_BYTES);
  const endpoint = settings.publicUrl === undefined ? '' : `Endpoint=${settings.publicUrl};`;
  const line = `${endpoint}Id=${id};Secret=${secret.toString('base64')}\n`;
  const isMade = await withKeys(settings, true, async (keys) => {
    const sealed = seal(secret, masterKeyOf(settings), id);
    // First, so that there is never a key whose secret nobody has got.
    if (output !== undefined) writeNew(output, line);
    try {
      const added = await keys.create(id, sealed, readOnly);
      if (!added && output !== undefined) rmSync(output);
      // At once: nothing that goes wrong from here on may take the secret of a key that is there.
      if (added && output === undefined) process.stdout.write(line);
      return added;
    } catch (error) {
      const mayBeThere = error instanceof CommandError && error.kind === 'unknown';
      if (!mayBeThere && output !== undefined) rmSync(output);
      throw error;
    }
  });
  if (!isMade) {
    say(`there is a key with the id ${id} already`);
    return EXIT.conflict;
  }
  if (output !== undefined) say(`the key ${id} is in ${output}`);
  return EXIT.done;
}

async function list(): Promise<number> {
  const keys = await withKeys(readSettings(...SETTINGS), false, (stored) => stored.list());
  for (const key of keys) process.stdout.write(`${rowOf(key)}\n`);
  return EXIT.done;
}

async function revoke(id: string): Promise<number> {
  if (await withKeys(readSettings(...SETTINGS), false, (keys) => keys.revoke(id))) return EXIT.done;
  say(`${id} is no key that was made with this command`);
  return EXIT.failure;
}

const rowOf = ({ id, readOnly, generated, createdAt }: StoredKey): string =>
  [id, readOnly ? 'ro' : 'rw', createdAt, generated ? 'generated' : 'made'].join('\t');

function withKeys<T>(settings: Settings, mayMake: boolean, work: (keys: StoredKeys) => Promise<T>): Promise<T> {
  const logger = createLogger('warn', 'pretty');
  return withDatabase(settings, mayMake, logger, say, ({ runner }) =>
    work(new StoredKeys(runner, `keys:${operatingSystemUser()}`)),
  );
}

/** A key that was sealed under another master key than the service's would be of no use. */
function masterKeyOf(settings: Settings): Buffer {
  const dataDir = resolve(settings.dataDir);
  const masterKey = loadMasterKey(settings, dataDir, { mayMake: settings.databaseUrl === undefined });
  if (!masterKey) throw inputError(`${dataDir} has no master.key: say MASTER_KEY, or DATA_DIR, of the service`);
  return masterKey;
}

function writeNew(path: string, content: string): void {
  try {
    writeFileSync(path, content, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    throw inputError(`${path} cannot be written: ${(error as Error).message}`);
  }
}

const say = (line: string): void => void process.stderr.write(`keys: ${line}\n`);
