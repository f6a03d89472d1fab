import { Problem, type ProblemOptions } from '../../problem/problem.js';
import { type Answer } from '../answer.js';
import { type ContentRequest } from './content-request.js';

/**
 * The two shapes of errors on the content surface (content contract section 10): what Plone raises is `{"type","message","context"}`,
 * what one of its services answers is `{"error":{"type","message"}}`. Clients read `error.message`, then `message`.
 */

type Options = Pick<ProblemOptions, 'headers' | 'cause'> & { context?: string };

/** A problem in Plone's shape of raised exceptions. `context` is the URL of the nearest object that exists; the root's when left out. */
export const raised = (
  kind: string,
  status: number,
  type: string,
  message: string,
  { context, ...options }: Options = {},
): Problem => new Problem(kind, status, { title: message, members: { type, message, context }, ...options });

/** A problem in the shape of errors that a service answers by itself. */
export const serviceError = (
  kind: string,
  status: number,
  type: string,
  message: string,
  options: Omit<Options, 'context'> = {},
): Problem => new Problem(kind, status, { title: message, members: { error: { type, message } }, ...options });

/** 400: the request is not what the contract allows. */
export const badRequest = (message: string): Problem => raised('invalid-argument', 400, 'BadRequest', message);

/** 400: the body is no JSON object. */
export const unreadableBody = (): Problem =>
  serviceError('invalid-body', 400, 'DeserializationError', 'No JSON object could be decoded');

/** 400: Plone's very words for a new object without a type. */
export const typeIsMissing = (): Problem => badRequest("Property '@type' is required");

/** 403: a known caller may do this kind of thing, but not this. */
export const notAllowed = (message: string): Problem => serviceError('forbidden', 403, 'Forbidden', message);

/** 404: no such object. `context` is the URL of the nearest one that exists. */
export const noSuchObject = (url: string, context: string): Problem =>
  raised('not-found', 404, 'NotFound', `Resource not found: ${url}`, { context });

/** What problems of the shared catalogue are called here. */
const TYPE_OF: Readonly<Record<string, string>> = {
  'ambiguous-request': 'BadRequest',
  'invalid-argument': 'BadRequest',
  'malformed-path': 'BadRequest',
  unauthorized: 'Unauthorized',
  forbidden: 'Forbidden',
  'not-found': 'NotFound',
  'method-not-allowed': 'MethodNotAllowed',
  'precondition-failed': 'PreconditionFailed',
  'payload-too-large': 'RequestEntityTooLarge',
  'too-many-failed-logins': 'TooManyRequests',
  'server-error': 'InternalServerError',
};

const NOT_AUTHORIZED = 'You are not authorized to access this resource.';

/** Every refusal has a JSON body, whatever the client says it accepts, and nothing of a cause in it. */
export function renderContentProblem(problem: Problem, request: ContentRequest): Answer {
  const { members, headers, status } = problem;
  const body = members['error'] === undefined ? raisedBody(problem, request) : members;
  return {
    status,
    headers: ['Content-Type', 'application/json; charset=utf-8', ...headers.flat()],
    body: JSON.stringify(body),
  };
}

function raisedBody(problem: Problem, request: ContentRequest): Record<string, unknown> {
  const { members } = problem;
  return {
    type: members['type'] ?? TYPE_OF[problem.kind] ?? pascalCase(problem.kind),
    message: members['message'] ?? messageOf(problem, request),
    ...members,
    context: members['context'] ?? request.baseUrl,
  };
}

function messageOf({ kind, title, detail }: Problem, request: ContentRequest): string {
  if (kind === 'unauthorized' || kind === 'forbidden') return NOT_AUTHORIZED;
  if (kind === 'not-found') return `Resource not found: ${request.baseUrl}${request.path}`;
  return detail ? `${title}: ${detail}` : title;
}

const pascalCase = (kind: string): string =>
  kind.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
