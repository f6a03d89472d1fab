import { createLocalJWKSet, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import {
  bearerChallenges,
  bearerTokenOf,
  isSameIssuer,
  KeySetUnavailableError,
  type TokenVerdict,
  verifyToken,
} from './oidc-token.js';

const NOW = Date.parse('2026-05-11T18:48:36Z');
const SECONDS = NOW / 1000;
const RULES = { issuer: 'https://login.example/tenant', audience: 'https://appconfig.azure.com', nowMs: NOW };
const RIGHT = { iss: RULES.issuer, aud: RULES.audience, sub: 's', exp: SECONDS + 600 };

describe('bearerTokenOf', () => {
  it.each([
    ['Bearer a.b.c', 'a.b.c'],
    ['bEARER   a.b.c ', 'a.b.c'],
    ['Bearer', ''],
    ['Bearer ', ''],
    ['Bearer a b', 'a b'],
    ['Bearers a', undefined],
    ['Beare a', undefined],
    ['Basic Bearer', undefined],
    ['', undefined],
  ])('of %j is %j', (authorization, token) => {
    expect(bearerTokenOf(authorization)).toBe(token);
  });
});

describe('verifyToken', () => {
  const pair = generateKeyPair('ES256');
  const keys = pair.then(async ({ publicKey }) =>
    createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k' }] }),
  );
  const sign = async (claims: object): Promise<string> =>
    new SignJWT(claims as JWTPayload).setProtectedHeader({ alg: 'ES256', kid: 'k' }).sign((await pair).privateKey);
  const judge = async (claims: object): Promise<TokenVerdict> => verifyToken(await sign(claims), RULES, await keys);

  it('gives the claims of a token that is right, by the time it is told', async () => {
    expect(await judge(RIGHT)).toEqual({ ok: true, claims: RIGHT });
    expect(await judge({ ...RIGHT, exp: Date.now() / 1000 - 1_000_000_000 })).toMatchObject({ ok: false });
  });

  it.each([
    ['expiry', -60, 'exp'],
    ['begin', 61, 'nbf'],
  ])('allows the %s to be less than a minute off', async (_what, seconds, claim) => {
    const inside = seconds + (seconds < 0 ? 1 : -1);
    expect(await judge({ ...RIGHT, [claim]: SECONDS + inside })).toMatchObject({ ok: true });
    expect(await judge({ ...RIGHT, [claim]: SECONDS + seconds })).toMatchObject({
      ok: false,
      reason: expect.stringContaining(claim) as string,
    });
  });

  it('takes the issuer with or without the slash at its end, and no other', async () => {
    expect(await judge({ ...RIGHT, iss: `${RULES.issuer}/` })).toMatchObject({ ok: true });
    for (const iss of [`${RULES.issuer}//`, `${RULES.issuer}/x`, RULES.issuer.toUpperCase(), '']) {
      expect(await judge({ ...RIGHT, iss })).toMatchObject({ ok: false, reason: 'another issuer' });
    }
  });

  it('asks for no key when issuer or algorithm are wrong', async () => {
    const asked = (): never => {
      throw new Error('asked');
    };
    const ofAnother = await sign({ ...RIGHT, iss: 'https://other' });
    expect(await verifyToken(ofAnother, RULES, asked)).toMatchObject({ reason: 'another issuer' });
    const [, payload] = (await sign(RIGHT)).split('.');
    for (const alg of ['none', 'HS256', 'ES512', 'RSA1_5', 'toString', 7]) {
      const header = Buffer.from(JSON.stringify({ alg })).toString('base64url');
      expect(await verifyToken(`${header}.${payload}.AAAA`, RULES, asked)).toMatchObject({
        reason: 'algorithm not allowed',
      });
    }
  });

  it('refuses a header with an extension that must be understood', async () => {
    const header = { alg: 'ES256', kid: 'k', crit: ['x'], x: 1 };
    const token = await new SignJWT(RIGHT)
      .setProtectedHeader(header)
      .sign((await pair).privateKey, { crit: { x: true } });
    expect(await verifyToken(token, RULES, await keys)).toMatchObject({ ok: false, reason: 'JOSENotSupported' });
  });

  it('refuses where the keys fail in any way, but says when there are none at all', async () => {
    const failing = (error: Error) => (): never => {
      throw error;
    };
    const token = await sign(RIGHT);
    expect(await verifyToken(token, RULES, failing(new TypeError('a weak key')))).toMatchObject({ ok: false });
    const unavailable = new KeySetUnavailableError(new Error('no route'));
    await expect(verifyToken(token, RULES, failing(unavailable))).rejects.toBe(unavailable);
  });
});

describe('isSameIssuer', () => {
  it('overlooks one slash at the end', () => {
    expect(isSameIssuer('https://a', 'https://a/')).toBe(true);
    expect(isSameIssuer('https://a', 'https://a//')).toBe(false);
    expect(isSameIssuer('https://a', 'https://b')).toBe(false);
  });
});

describe('bearerChallenges', () => {
  it('are a line for each scheme', () => {
    expect(bearerChallenges('why')).toEqual(['HMAC-SHA256', 'Bearer error="invalid_token", error_description="why"']);
  });
});
