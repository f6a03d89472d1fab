import { constants } from 'node:os';
import { acquire, type AcquireRequest } from './acquire.js';
import { formatDuration } from './duration.js';
import { EXIT } from './exit-codes.js';
import { GuardedCommand } from './guarded-command.js';
import { type HeldLock } from './held-lock.js';
import { type LockClient } from './lock-client.js';

/** Passed on to the command, or the end of the waiting. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export interface RunRequest extends AcquireRequest {
  readonly command: readonly [string, ...string[]];
  readonly killAfterMs: number;
}

/**
 * Runs the command while the lock is held, and ends it when the lock is lost.
 *
 * @returns exit code
 * @throws Refusal when the lock was not got; the command has not run then
 */
export async function run(client: LockClient, request: RunRequest, say: (line: string) => void): Promise<number> {
  const waiting = new AbortController();
  let command: GuardedCommand | null = null;
  const onSignal = (signal: (typeof SIGNALS)[number]): void => {
    if (command === null) waiting.abort(signal);
    else command.send(signal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  // Stopped by Ctrl-Z, we would lose the lock while the command, which is not in the terminal's foreground, went on.
  process.on('SIGTSTP', () => say('Ctrl-Z is ignored: the lock would be lost'));

  const lock = await acquire(client, request, waiting.signal, say);
  if (waiting.signal.aborted) {
    if (lock !== null) await release(lock, request, say);
    say(`interrupted while waiting for ${request.resource}`);
    return EXIT.signal + constants.signals[waiting.signal.reason as NodeJS.Signals];
  }
  if (lock === null) return EXIT.failure;

  command = new GuardedCommand(request.command, { ...process.env, ...variablesFor(client.store, request, lock) }, say);
  const ended = new AbortController();
  const loss = lock.keep(ended.signal);
  const first = await Promise.race([command.exitCode, loss]);
  if (typeof first === 'number') ended.abort();
  const whyLost = await loss;
  if (whyLost !== null) {
    say(
      `${request.resource} ${whyLost}; ending the command (SIGTERM, after ${formatDuration(request.killAfterMs)} SIGKILL)`,
    );
    await command.stop(request.killAfterMs);
    return EXIT.lost;
  }
  const isLost = (await release(lock, request, say)) === 'lost';
  return isLost ? EXIT.lost : command.exitCode;
}

async function release(lock: HeldLock, { ttlMs }: RunRequest, say: (line: string) => void): Promise<string> {
  const outcome = await lock.release();
  if (outcome.kind === 'lost') say(`${lock.resource} was lost before the command ended`);
  if (outcome.kind === 'failed') {
    say(
      `warning: ${lock.resource} could not be released and stays locked for up to ${formatDuration(ttlMs)}: ${outcome.why}`,
    );
  }
  return outcome.kind;
}

/** What the command may need to prove to others that it holds the lock. */
function variablesFor(store: string, { owner }: RunRequest, { resource, fence }: HeldLock): Record<string, string> {
  return {
    LATCHKEY_LOCK_STORE: store,
    LATCHKEY_LOCK_RESOURCE: resource,
    LATCHKEY_LOCK_OWNER: owner,
    LATCHKEY_LOCK_FENCE: fence,
    // native-api.md section 5.
    LATCHKEY_LOCK_FENCE_HEADER: `${encodeURIComponent(store)}/${encodeURIComponent(resource)};${fence}`,
  };
}
