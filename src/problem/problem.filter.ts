import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import { type Response } from 'express';
import { type Logger } from 'pino';
import { renderProblemJson } from '../http/native/problem-json.js';
import { LOGGER } from '../logging/logger.js';
import { isFailure } from './problem.js';
import { toProblem } from './to-problem.js';

/**
 * The only way out for errors in Nest's own pipeline, which serves the cold paths. It names the error and renders it with the very
 * functions that the dispatcher uses for hot paths, so that there is one shape per surface wherever an error comes from.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const problem = toProblem(error);
    if (isFailure(problem)) this.logger.error({ err: problem.cause }, 'request failed');
    const response = host.switchToHttp().getResponse<Response>();
    if (response.headersSent) return void response.end();
    const answer = renderProblemJson(problem);
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body);
  }
}
