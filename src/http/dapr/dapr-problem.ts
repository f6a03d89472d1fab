import { Problem, type ProblemOptions } from '../../problem/problem.js';

/** A refusal with the error code and the message that Dapr has for it. Both are wire-stable: clients compare them. */
export class DaprProblem extends Problem {
  /** @param errorCode Dapr's own name, such as `ERR_TRY_LOCK` */
  constructor(
    readonly errorCode: string,
    status: number,
    message: string,
    options: Pick<ProblemOptions, 'headers' | 'cause'> = {},
  ) {
    super('dapr', status, { title: message, ...options });
  }
}

/** A refusal that Dapr words as plain text, because it comes from before its handlers. */
export class DaprTextProblem extends Problem {
  constructor(status: number, text: string) {
    super('dapr-text', status, { title: text });
  }
}

/** 404 of every path and method without a route: in Dapr they are calls of another application (contract section 1). */
export const directInvoke = (): DaprProblem =>
  new DaprProblem('ERR_DIRECT_INVOKE', 404, 'failed getting app id either from the URL path or the header dapr-app-id');

/** 400: the body is too long. The end of the text is that of Go's reader. */
export const bodyTooLarge = (): DaprProblem =>
  new DaprProblem('ERR_BODY_READ', 400, 'failed to read request body: http: request body too large');

/** 400: the request is not what the call takes. */
export const malformedRequest = (message: string): DaprProblem =>
  new DaprProblem('ERR_MALFORMED_REQUEST', 400, message);

/** 401 before routing (contract section 5). */
export const invalidApiToken = (): DaprTextProblem => new DaprTextProblem(401, 'invalid api token');

/** 400: a variable part of the path holds a `%` that starts no escape. */
export const badEscape = (parameter: string, escape: string): DaprTextProblem =>
  new DaprTextProblem(
    400,
    `failed to unescape request parameter "${parameter}". Error: invalid URL escape "${escape}"`,
  );
