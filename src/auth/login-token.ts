import { type KeyObject } from 'node:crypto';
import { loadJose } from './jose.js';

/**
 * Login tokens: what a user gets for name and password and sends as `Bearer` from then on (content contract section 9). They say who,
 * never which role: that is looked up when a token comes, so it follows the configuration.
 */

/** Tells our tokens from those of an identity provider, whose issuer is always a URL. Wire-stable. */
export const LOGIN_ISSUER = 'latchkey';
/** As Plone's; clients ask for a new token before this one ends. */
export const LOGIN_TOKEN_LIFETIME_SECONDS = 12 * 60 * 60;
const ALGORITHM = 'HS256';
/** No token that we could have made comes near this; beyond it nothing is worth parsing. */
const MAX_TOKEN_LENGTH = 16_384;

/**
 * @param user `name` becomes the subject, which clients compare with the creator of a lock
 * @param nowMs milliseconds since 1970 by the database's clock
 */
export function signLoginToken(
  user: { readonly name: string; readonly fullName: string },
  key: KeyObject,
  nowMs: number,
): Promise<string> {
  const { SignJWT } = loadJose();
  const issuedAt = Math.floor(nowMs / 1000);
  return new SignJWT({ fullname: user.fullName })
    .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
    .setIssuer(LOGIN_ISSUER)
    .setSubject(user.name)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + LOGIN_TOKEN_LIFETIME_SECONDS)
    .sign(key);
}

/** The subject of a token that is ours and in force, else null. The caller sees whether the user still exists. */
export async function verifyLoginToken(token: string, key: KeyObject, nowMs: number): Promise<string | null> {
  if (token.length > MAX_TOKEN_LENGTH) return null;
  try {
    const { payload } = await loadJose().jwtVerify(token, key, {
      algorithms: [ALGORITHM],
      issuer: LOGIN_ISSUER,
      requiredClaims: ['sub', 'iat', 'exp'],
      currentDate: new Date(nowMs),
    });
    return typeof payload.sub === 'string' ? payload.sub : null;
  } catch {
    // Whatever goes wrong with a token does not prove it right.
    return null;
  }
}

/** Who a token says it comes from, not yet believed; null when it says nothing readable. */
export function issuerOf(token: string): string | null {
  if (token.length > MAX_TOKEN_LENGTH) return null;
  try {
    const { iss } = loadJose().decodeJwt(token) as { iss?: unknown };
    return typeof iss === 'string' ? iss : null;
  } catch {
    return null;
  }
}
