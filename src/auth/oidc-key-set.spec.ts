import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { keySetAddress, OidcKeySet } from './oidc-key-set.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** An issuer whose answers, and a clock whose time, the facts decide. */
class Scene {
  time = 1_000;
  fetches = 0;
  failures = 0;
  answer: () => Promise<{ keys: JWK[] }> = async () => ({ keys: [] });
  readonly keySet = new OidcKeySet(
    () => {
      this.fetches++;
      return this.answer();
    },
    () => this.failures++,
    () => this.time,
  );

  publishes(...keys: JWK[]): void {
    this.answer = async () => ({ keys });
  }

  isAway(): void {
    this.answer = async () => Promise.reject(new Error('no route'));
  }

  /** The key, or the name of the error. */
  async find(kid: string): Promise<unknown> {
    try {
      return await this.keySet.find({ alg: 'ES256', kid }, { payload: '', signature: '' });
    } catch (error) {
      return (error as Error).name;
    }
  }
}

const FOUND = expect.objectContaining({ type: 'public' }) as unknown;
const UNKNOWN = 'JWKSNoMatchingKey';
const UNAVAILABLE = 'KeySetUnavailableError';

let one: JWK;
let two: JWK;
let scene: Scene;
beforeAll(async () => {
  const newKey = async (kid: string): Promise<JWK> => ({
    ...(await exportJWK((await generateKeyPair('ES256')).publicKey)),
    kid,
  });
  [one, two] = await Promise.all([newKey('one'), newKey('two')]);
});
beforeEach(() => (scene = new Scene()));

it('fetches when the first key is wanted, once for all who want it then', async () => {
  scene.publishes(one);
  expect(scene.fetches).toBe(0);
  expect(await Promise.all(Array.from({ length: 10 }, () => scene.find('one')))).toEqual(Array(10).fill(FOUND));
  expect(await scene.find('one')).toEqual(FOUND);
  expect(scene.fetches).toBe(1);
});

it('does not fetch twice for a first token whose key does not exist', async () => {
  scene.publishes(one);
  expect(await scene.find('two')).toBe(UNKNOWN);
  expect(scene.fetches).toBe(1);
});

it('fetches for an unknown key, at most every 30 seconds', async () => {
  scene.publishes(one);
  await scene.find('one');
  scene.publishes(one, two);
  expect(await scene.find('two')).toEqual(FOUND);
  expect(scene.fetches).toBe(2);

  scene.time += 30 * SECOND - 1;
  expect(await scene.find('three')).toBe(UNKNOWN);
  expect(scene.fetches).toBe(2);
  scene.time += 1;
  expect(await Promise.all([scene.find('three'), scene.find('four')])).toEqual([UNKNOWN, UNKNOWN]);
  expect(scene.fetches).toBe(3);
});

it('keeps its keys when the issuer is away, or answers nonsense', async () => {
  scene.publishes(one);
  await scene.find('one');
  scene.isAway();
  expect(await scene.find('two')).toBe(UNKNOWN);
  scene.time += MINUTE;
  scene.answer = async () => ({}) as { keys: JWK[] };
  expect(await scene.find('two')).toBe(UNKNOWN);
  expect(scene.failures).toBe(2);
  expect(await scene.find('one')).toEqual(FOUND);
});

it('drops a withdrawn key after ten minutes, and makes nobody wait for that', async () => {
  scene.publishes(one, two);
  await scene.find('one');
  scene.publishes(two);
  scene.time += 10 * MINUTE;
  expect(await scene.find('one')).toEqual(FOUND);
  expect(scene.fetches).toBe(1);
  scene.time += 1;
  expect(await scene.find('one')).toEqual(FOUND);
  expect(scene.fetches).toBe(2);
  expect(await scene.find('two')).toEqual(FOUND);
  expect(await scene.find('one')).toBe(UNKNOWN);
});

it('asks an issuer that is away for fresh keys twice a minute at most', async () => {
  scene.publishes(one);
  await scene.find('one');
  scene.isAway();
  scene.time += 11 * MINUTE;
  for (let count = 0; count < 5; count++) expect(await scene.find('one')).toEqual(FOUND);
  expect(scene.fetches).toBe(2);
  scene.time += 30 * SECOND + 1;
  expect(await scene.find('one')).toEqual(FOUND);
  expect(scene.fetches).toBe(3);
});

it('says at once that there are no keys, for two seconds after it could not get any', async () => {
  scene.isAway();
  expect(await scene.find('one')).toBe(UNAVAILABLE);
  scene.publishes(one);
  scene.time += 2 * SECOND - 1;
  expect(await scene.find('one')).toBe(UNAVAILABLE);
  expect(scene.fetches).toBe(1);
  scene.time += 1;
  expect(await scene.find('one')).toEqual(FOUND);
});

describe('keySetAddress', () => {
  const ISSUER = 'https://login.example/tenant';

  it('is what the issuer names, on any host', () => {
    const address = 'https://keys.example/discovery?x=1';
    expect(keySetAddress({ issuer: `${ISSUER}/`, jwks_uri: address }, ISSUER)).toBe(address);
    const plain = 'http://127.0.0.1:9000/keys';
    expect(keySetAddress({ issuer: 'http://127.0.0.1:9000', jwks_uri: plain }, 'http://127.0.0.1:9000')).toBe(plain);
  });

  it.each([
    ['another issuer', { issuer: 'https://login.example/other', jwks_uri: `${ISSUER}/keys` }],
    ['no issuer', { jwks_uri: `${ISSUER}/keys` }],
    ['no address', { issuer: ISSUER }],
    ['half an address', { issuer: ISSUER, jwks_uri: '/keys' }],
    ['an address without TLS', { issuer: ISSUER, jwks_uri: 'HTTP://login.example/keys' }],
    ['a file', { issuer: ISSUER, jwks_uri: 'file:///etc/keys' }],
  ])('is refused with %s', (_what, metadata) => {
    expect(() => keySetAddress(metadata, ISSUER)).toThrow('the discovery document');
  });
});
