import { HttpException } from '@nestjs/common';
import { notFound, serverError } from './catalogue.js';
import { Problem } from './problem.js';

/**
 * Names anything that was thrown. Nest's own exceptions, and refusals of Express's, keep their status; everything that nobody planned is
 * a 500 that shows nothing of its cause.
 */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const status = statusOf(error);
  if (status === 404) return notFound();
  if (status === undefined) return serverError(error);
  return new Problem('request-refused', status, { title: (error as Error).message, cause: error });
}

/** Of Nest's exceptions, and of the refusals of Express's file server: conditions and ranges that a file does not meet. */
function statusOf(error: unknown): number | undefined {
  const isNest = error instanceof HttpException;
  const status: unknown = isNest ? error.getStatus() : error instanceof Error && 'status' in error && error.status;
  const isKnown = Number.isInteger(status) && (status as number) >= 400 && (status as number) <= (isNest ? 599 : 499);
  return isKnown ? (status as number) : undefined;
}
