import { type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions } from 'jose';
import { loadJose } from './jose.js';

/**
 * Bearer tokens of the configured OpenID issuer (Azure contract section 9.3): from the text of an `Authorization` header to claims
 * that can be believed. What the claims allow is the business of `oidc-access.ts`.
 */

/** What tokens are judged by. */
export interface TokenRules {
  readonly issuer: string;
  readonly audience: string;
  /** Milliseconds since 1970 by the database's clock. */
  readonly nowMs: number;
}

/** The claims of a token that is believed, or the `error_description` of its refusal and what an operator may know of it. */
export type TokenVerdict =
  | { readonly ok: true; readonly claims: JWTPayload & { sub: string } }
  | { readonly ok: false; readonly description: string; readonly reason: string };

/** Keys could not be fetched and none are known from before: nobody can say whether the token is good. */
export class KeySetUnavailableError extends Error {
  constructor(cause: unknown) {
    super('the signature keys of the token issuer cannot be fetched', { cause });
    this.name = 'KeySetUnavailableError';
  }
}

const SCHEME = 'bearer';
/**
 * Signatures by a private key only: `none` proves nothing, and an HS* signature could be made by anybody who takes the issuer's
 * public key for the shared secret.
 */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA'];
/** Tokens of issuers with hundreds of groups in them reach about 10,000 characters; beyond that nothing is worth parsing. */
const MAX_TOKEN_LENGTH = 16_384;
/** Seconds that an issuer's clock may differ from the database's: hosts that keep time at all are nearer than that. */
const CLOCK_TOLERANCE_SECONDS = 60;
/** OpenID Connect Core §2: "It MUST NOT exceed 255 ASCII characters". */
const MAX_SUBJECT_LENGTH = 255;

const INVALID_TOKEN = 'Authorization token failed validation';
/** The real service's wording; wire-stable. */
const WRONG_ISSUER =
  'The access token is from the wrong issuer. It must match the AD tenant associated with the subscription, to which the ' +
  'configuration store belongs. If you just transferred your subscription and see this error message, please try back later.';

/** The token of a `Bearer` header, empty if it has none; undefined for another scheme. RFC 9110 §11.1: case-insensitive. */
export function bearerTokenOf(authorization: string): string | undefined {
  const space = authorization.indexOf(' ');
  const scheme = space < 0 ? authorization : authorization.slice(0, space);
  if (scheme.length !== SCHEME.length || scheme.toLowerCase() !== SCHEME) return undefined;
  return space < 0 ? '' : authorization.slice(space + 1).trim();
}

/**
 * Judges a token. Keys are asked for only when issuer and algorithm are right, so that nobody can make the service fetch keys with
 * a text that merely looks like a token. Throws `KeySetUnavailableError` where there are no keys to judge by.
 */
export async function verifyToken(token: string, rules: TokenRules, keys: JWTVerifyGetKey): Promise<TokenVerdict> {
  if (token.length > MAX_TOKEN_LENGTH) return refuse('too long');
  const { decodeJwt, decodeProtectedHeader, errors, jwtVerify } = loadJose();
  const options: JWTVerifyOptions = {
    algorithms: ALGORITHMS,
    currentDate: new Date(rules.nowMs),
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    requiredClaims: ['exp'],
  };
  try {
    const { alg } = decodeProtectedHeader(token);
    const { iss } = decodeJwt(token);
    if (typeof iss !== 'string') return refuse('no issuer');
    if (!isSameIssuer(iss, rules.issuer)) return refuse('another issuer', WRONG_ISSUER);
    if (alg === undefined || !ALGORITHMS.includes(alg)) return refuse('algorithm not allowed');
    const { payload } = await jwtVerify(token, keys, options);
    if (!isForAudience(payload.aud, rules.audience)) return refuse('another audience');
    if (!hasSubject(payload)) return refuse('no usable subject');
    return { ok: true, claims: payload };
  } catch (error) {
    if (error instanceof KeySetUnavailableError) throw error;
    if (error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed) {
      return refuse(`${error.claim}: ${error.reason}`);
    }
    // Whatever else goes wrong with a token, such as a key of the issuer that cannot be used, does not prove it right.
    return refuse(error instanceof Error ? error.name : 'unreadable');
  }
}

/** The two `WWW-Authenticate` lines of a 401 about a bearer token. */
export function bearerChallenges(description: string): string[] {
  return ['HMAC-SHA256', `Bearer error="invalid_token", error_description="${description}"`];
}

/** Some issuers end their name in a slash in one place and not in the other. */
export function isSameIssuer(one: string, other: string): boolean {
  return withoutSlash(one) === withoutSlash(other);
}

export function withoutSlash(url: string): string {
  return url.endsWith('/') ? url.slice(0, -1) : url;
}

function refuse(reason: string, description = INVALID_TOKEN): TokenVerdict {
  return { ok: false, description, reason };
}

/** Contract section 9.3: audiences are compared without regard to case. */
function isForAudience(claim: unknown, audience: string): boolean {
  const wanted = audience.toLowerCase();
  return [claim].flat().some((each) => typeof each === 'string' && each.toLowerCase() === wanted);
}

/** The subject is stored in history as it is. */
function hasSubject(claims: JWTPayload): claims is JWTPayload & { sub: string } {
  const { sub } = claims as { sub?: unknown };
  return typeof sub === 'string' && sub.length <= MAX_SUBJECT_LENGTH && /^[ -~]*[!-~][ -~]*$/.test(sub);
}
