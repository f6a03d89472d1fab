import { type IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { type Problem } from '../../problem/problem.js';
import { type Answer } from '../answer.js';
import { ApiRequest } from '../api-request.js';
import { renderProblemJson } from '../native/problem-json.js';
import { type Surface } from '../surface.js';

/**
 * Every path that no other surface claims, the site root included. It has no routes yet, so everything in it is a plain 404
 * problem.
 */
@Injectable()
export class ContentSurface implements Surface {
  readonly name = 'content';
  readonly segments = ['++api++'];
  readonly maxBodyBytes = 1024 * 1024;

  createRequest(incoming: IncomingMessage): ApiRequest {
    return new ApiRequest(incoming);
  }

  preflight(): null {
    return null;
  }

  addHeaders(headers: string[], request: ApiRequest): void {
    headers.push('x-request-id', request.id);
  }

  render(problem: Problem): Answer {
    return renderProblemJson(problem);
  }
}
