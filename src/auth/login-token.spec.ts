import { createHmac, createSecretKey, generateKeyPairSync } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { issuerOf, signLoginToken, verifyLoginToken } from './login-token.js';

const SECRET = 'a secret of at least thirty-two characters';
const KEY = createSecretKey(Buffer.from(SECRET));
const NOW = Date.parse('2026-05-11T18:48:36.789Z');
const SECONDS = Math.floor(NOW / 1000);
const USER = { name: 'jürgen', fullName: 'Jürgen' };
const RIGHT = { iss: 'latchkey', sub: 'jürgen', iat: SECONDS, exp: SECONDS + 60 };

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token as somebody writes it who is not held to any library's rules. */
function forge(header: object, claims: object, secret: string | null = SECRET): string {
  const text = `${base64url(header)}.${base64url(claims)}`;
  return `${text}.${secret === null ? '' : createHmac('sha256', secret).update(text).digest('base64url')}`;
}
const HS256 = { alg: 'HS256', typ: 'JWT' };

describe('signLoginToken', () => {
  it('names the user, the issuer and twelve hours', async () => {
    const token = await signLoginToken(USER, KEY, NOW);
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'JWT' });
    expect(decodeJwt(token)).toEqual({
      iss: 'latchkey',
      sub: 'jürgen',
      fullname: 'Jürgen',
      iat: SECONDS,
      exp: SECONDS + 12 * 3600,
    });
  });

  it('makes tokens that are believed until they expire and not after', async () => {
    const token = await signLoginToken(USER, KEY, NOW);
    const exp = (SECONDS + 12 * 3600) * 1000;
    expect(await verifyLoginToken(token, KEY, NOW)).toBe('jürgen');
    expect(await verifyLoginToken(token, KEY, exp - 1)).toBe('jürgen');
    expect(await verifyLoginToken(token, KEY, exp)).toBeNull();
  });
});

describe('verifyLoginToken', () => {
  it('believes a token by its signature and claims alone', async () => {
    expect(await verifyLoginToken(forge(HS256, RIGHT), KEY, NOW)).toBe('jürgen');
  });

  it.each([
    ['another issuer', forge(HS256, { ...RIGHT, iss: 'https://login.example' })],
    ['no issuer', forge(HS256, { ...RIGHT, iss: undefined })],
    ['no subject', forge(HS256, { ...RIGHT, sub: undefined })],
    ['a subject that is no text', forge(HS256, { ...RIGHT, sub: { $ne: 1 } })],
    ['no end', forge(HS256, { ...RIGHT, exp: undefined })],
    ['an end that is no number', forge(HS256, { ...RIGHT, exp: '9999999999' })],
    ['no beginning', forge(HS256, { ...RIGHT, iat: undefined })],
    ['an end that has come', forge(HS256, { ...RIGHT, exp: SECONDS })],
    ['a beginning that has not come', forge(HS256, { ...RIGHT, nbf: SECONDS + 5 })],
    ['another secret', forge(HS256, RIGHT, 'another secret of at least thirty-two')],
    ['the empty secret', forge(HS256, RIGHT, '')],
    ['no signature', forge(HS256, RIGHT, null)],
    ['alg none without signature', forge({ alg: 'none' }, RIGHT, null)],
    ['alg none with a right signature', forge({ alg: 'none' }, RIGHT)],
    ['alg None', forge({ alg: 'None' }, RIGHT, null)],
    ['alg HS512', forge({ alg: 'HS512' }, RIGHT)],
    ['no alg', forge({ typ: 'JWT' }, RIGHT)],
    ['an unknown critical header', forge({ ...HS256, crit: ['x'], x: 1 }, RIGHT)],
    ['claims that are no object', `${base64url(HS256)}.${base64url([1])}.x`],
    ['two parts', 'a.b'],
    ['five parts', 'a.b.c.d.e'],
    ['nothing', ''],
    ['blanks around it', ` ${forge(HS256, RIGHT)} `],
    ['more than anybody needs', forge(HS256, { ...RIGHT, pad: 'x'.repeat(20_000) })],
  ])('refuses %s', async (_, token) => {
    expect(await verifyLoginToken(token, KEY, NOW)).toBeNull();
  });

  it.each(['header', 'claims', 'signature'])('refuses a token with another %s', async (part) => {
    const parts = forge(HS256, RIGHT).split('.');
    const other = forge({ alg: 'HS256' }, { ...RIGHT, sub: 'admin' }, 'other').split('.');
    const index = ['header', 'claims', 'signature'].indexOf(part);
    parts[index] = other[index]!;
    expect(await verifyLoginToken(parts.join('.'), KEY, NOW)).toBeNull();
  });

  it.each(['HS384', 'HS512'])('refuses a token rightly signed by %s', async (alg) => {
    const secret = Buffer.from(SECRET.repeat(2));
    const signed = (by: string): Promise<string> => new SignJWT(RIGHT).setProtectedHeader({ alg: by }).sign(secret);
    expect(await verifyLoginToken(await signed('HS256'), createSecretKey(secret), NOW)).toBe('jürgen');
    expect(await verifyLoginToken(await signed(alg), createSecretKey(secret), NOW)).toBeNull();
  });

  it('refuses a token signed with a private key', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const token = await new SignJWT(RIGHT).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
    expect(await verifyLoginToken(token, KEY, NOW)).toBeNull();
  });
});

describe('issuerOf', () => {
  it.each([
    [forge(HS256, RIGHT), 'latchkey'],
    [forge({ alg: 'none' }, { iss: 'x' }, null), 'x'],
    [forge(HS256, { iss: 7 }), null],
    [forge(HS256, {}), null],
    ['nonsense', null],
    ['', null],
    [forge(HS256, { iss: 'x', pad: 'x'.repeat(20_000) }), null],
  ])('%# is %j', (token, issuer) => {
    expect(issuerOf(token)).toBe(issuer);
  });
});
