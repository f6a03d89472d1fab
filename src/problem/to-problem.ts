import { HttpException } from '@nestjs/common';
import { notFound, serverError } from './catalogue.js';
import { Problem } from './problem.js';

/**
 * Names anything that was thrown. Nest's own exceptions keep their status; everything that nobody planned is a 500 that shows
 * nothing of its cause.
 */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof HttpException) {
    const status = error.getStatus();
    if (status === 404) return notFound();
    if (Number.isInteger(status) && status >= 400 && status <= 599) {
      return new Problem('request-refused', status, { title: error.message, cause: error });
    }
  }
  return serverError(error);
}
