import { type Command, CommanderError } from 'commander';
import { loadSettings } from '../config/load-settings.js';
import { SettingsError } from '../config/settings-error.js';
import { type Settings } from '../config/settings.js';
import { CommandError } from './command-error.js';

/** What the shell learns of the commands that work on the database. */
export const EXIT = { done: 0, failure: 1, usage: 2, conflict: 3, differences: 5, interrupted: 130 } as const;

const EXIT_OF: Readonly<Record<CommandError['kind'], number>> = {
  input: EXIT.usage,
  locked: EXIT.conflict,
  failure: EXIT.failure,
  unknown: EXIT.failure,
  interrupted: EXIT.interrupted,
};

const DATABASE_SETTINGS = ['DATABASE_URL', 'DATABASE_URL_FILE', 'DATA_DIR', 'DB_POOLER', 'MIGRATE_ON_START'];

/** Tells the person at the terminal. */
export type Say = (line: string) => void;

/**
 * Runs what the arguments ask for, and tells the exit code. Errors go to the terminal, a line each.
 *
 * @param codeOf asked when the program's action is over without an error
 */
export async function runProgram(
  program: Command,
  args: readonly string[],
  say: Say,
  codeOf: () => number,
): Promise<number> {
  for (const command of [program, ...program.commands])
    command.exitOverride().showHelpAfterError('(--help tells more)');
  try {
    await program.parseAsync(args, { from: 'user' });
    return codeOf();
  } catch (error) {
    // Commander has said it already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (error instanceof SettingsError) {
      for (const fault of error.faults) say(fault);
      return EXIT.usage;
    }
    say(error instanceof Error ? error.message : String(error));
    return error instanceof CommandError ? EXIT_OF[error.kind] : EXIT.failure;
  }
}

/** The settings of the environment that concern the database, and the named ones. The others cannot get in the way. */
export function readSettings(...names: readonly string[]): Settings {
  const env = Object.fromEntries([...DATABASE_SETTINGS, ...names].map((name) => [name, process.env[name]]));
  return loadSettings(env, false);
}
