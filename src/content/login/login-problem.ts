import { serviceError } from '../../http/content/content-problem.js';
import { type Problem } from '../../problem/problem.js';

/**
 * Why nobody is logged in, in Plone's very words (content contract section 9). The challenge names no scheme that browsers know: they
 * would ask for the password themselves, over the front end's own form.
 */
const CHALLENGE = [['WWW-Authenticate', 'Bearer realm="latchkey"']] as const;
const STALE_TOKEN_CHALLENGE = [['WWW-Authenticate', 'Bearer realm="latchkey", error="invalid_token"']] as const;

/** 400: the body does not name both. */
export const credentialsMissing = (): Problem =>
  serviceError('missing-credentials', 400, 'Missing credentials', 'Login and password must be provided in body.');

/** 401: not these; which of the two is wrong stays unsaid. */
export const credentialsWrong = (): Problem =>
  serviceError('invalid-credentials', 401, 'Invalid credentials', 'Wrong login and/or password.', {
    headers: CHALLENGE,
  });

/** 401: nobody is logged in any more whose login could be renewed. */
export const tokenInvalid = (): Problem =>
  serviceError(
    'invalid-token',
    401,
    'Invalid or expired authentication token',
    'The authentication token is invalid or expired.',
    { headers: STALE_TOKEN_CHALLENGE },
  );
