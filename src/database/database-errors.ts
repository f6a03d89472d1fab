import { types } from 'node:util';
import { invalidArgument, outcomeUnknown, unavailable } from '../problem/catalogue.js';
import { Problem } from '../problem/problem.js';

/** Whether repeating the whole statement is both safe and likely to help. */
const RETRYABLE = new Set(['40001', '40P01', '55P03']);
/** The statement was refused or cut off by the server's state, not by its content. */
const SERVER_STATE = new Set(['57014', '57P01', '57P02', '57P03', '53300', '53100', '53200', '25006', '25P03']);
/** Input that validation should have refused first. */
const BAD_INPUT = new Set(['22021', '22P05', '22003', '22008', '22023', '54000']);

/** Every SQLSTATE has a digit, by which it differs from the system's own `EPIPE`. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** The server takes no writes: what this process is connected to is no longer the primary, or not for now. */
export const isReadOnly = (error: unknown): boolean => sqlState(error) === '25006';

export const isRetryable = (error: unknown): boolean => RETRYABLE.has(sqlState(error) ?? '');

/**
 * Whether the server refused a statement for what it was about and not for the server's own state: for the rows it met or the values
 * it was given. Nothing was changed.
 */
export function isRefusalOfContent(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && !SERVER_STATE.has(state) && !isConnectionLost(error);
}

/** A connection that broke: the driver's own errors carry no SQLSTATE, and class 08 means the same. */
export function isConnectionLost(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined) return state.startsWith('08') || state.startsWith('57P0');
  // Not `instanceof Error`: errors of Node's own modules can come from another realm than this file's (Jest).
  return types.isNativeError(error) && !(error instanceof Problem);
}

/** What an operator is told of a statement that failed; the values of a metric's label, so there are no others. */
export type Failure =
  | 'connection-lost'
  | 'conflict'
  | 'deadline'
  | 'disk-full'
  | 'out-of-memory'
  | 'read-only'
  | 'statement-timeout'
  | 'too-many-connections'
  | 'bad-input'
  | 'other';

const FAILURES: Readonly<Record<string, Failure>> = {
  '57014': 'statement-timeout',
  '25P03': 'statement-timeout',
  '53300': 'too-many-connections',
  '53100': 'disk-full',
  '53200': 'out-of-memory',
  '25006': 'read-only',
};

/** Sorts what a statement failed with after it was sent. */
export function failureOf(error: unknown): Failure {
  // The only problem that a sent statement ends with by itself.
  if (error instanceof Problem) return 'deadline';
  const state = sqlState(error) ?? '';
  if (RETRYABLE.has(state)) return 'conflict';
  if (BAD_INPUT.has(state)) return 'bad-input';
  return FAILURES[state] ?? (isConnectionLost(error) ? 'connection-lost' : 'other');
}

/**
 * Names a failed statement as reliability promise P13 asks: a write that was under way when its connection broke has an unknown
 * outcome; everything else either did not happen or is a defect.
 *
 * @param wasSent whether the statement had been handed to a working connection
 */
export function toDatabaseProblem(error: unknown, isWrite: boolean, wasSent: boolean): unknown {
  if (error instanceof Problem) return error;
  const state = sqlState(error);
  if (state !== undefined && BAD_INPUT.has(state)) return invalidArgument('request');
  // 57014, 53xxx and 25006 are the server's own word that nothing was changed; the others break the connection mid-way.
  const isRefusal =
    state !== undefined && (SERVER_STATE.has(state) || RETRYABLE.has(state)) && !state.startsWith('57P0');
  if (isRefusal) return unavailable(500, { cause: error });
  if (isConnectionLost(error)) return isWrite && wasSent ? outcomeUnknown(error) : unavailable(500, { cause: error });
  return error;
}
