/** What the shell learns when it is not the command's own code. `docs/lock-command.md` lists them. */
export const EXIT = {
  done: 0,
  failure: 1,
  usage: 2,
  /** The lock was not got in time. */
  conflict: 3,
  forbidden: 6,
  /** The lock was lost while the command ran: says so even when the command then ended with 0. */
  lost: 7,
  /** As shells have it. */
  notExecutable: 126,
  notFound: 127,
  /** Plus the number of the signal, as shells have it. */
  signal: 128,
} as const;

/** Ends the program with a code and one line on stderr. */
export class Refusal extends Error {
  constructor(
    readonly exitCode: number,
    message: string,
  ) {
    super(message);
  }
}

export const usageError = (message: string): Refusal => new Refusal(EXIT.usage, message);
