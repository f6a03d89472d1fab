import { type Problem } from '../../problem/problem.js';
import { type Answer } from '../answer.js';

/** RFC 9457 as our own surface writes it: `type` is `urn:latchkey:problem:<kind>`, and there is always a body. */
export function renderProblemJson(problem: Problem): Answer {
  return {
    status: problem.status,
    headers: ['Content-Type', 'application/problem+json; charset=utf-8', ...problem.headers.flat()],
    body: JSON.stringify({
      type: `urn:latchkey:problem:${problem.kind}`,
      title: problem.title,
      status: problem.status,
      detail: problem.detail || undefined,
      parameter: problem.parameter,
      ...problem.members,
    }),
  };
}
