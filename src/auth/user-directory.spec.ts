import crypto from 'node:crypto';
import { type Credentials } from '../config/credentials.js';
import { loadSettings } from '../config/load-settings.js';
import { Metrics } from '../metrics/metrics';
import { type User, UserDirectory } from './user-directory.js';

const CREDENTIALS: Credentials = { masterKey: Buffer.alloc(32), jwtSecret: 'x'.repeat(32) };
const USERS = 'ann:one:reader,bob:two:with:colons:editor,jürgen:pässwörd ☃:manager,__proto__:three:reader';

const directory = (): UserDirectory =>
  new UserDirectory(loadSettings({ CMS_USERS: USERS }, false), CREDENTIALS, new Metrics());

const realScrypt = crypto.scrypt;
/** How many hashes a call costs. */
const scrypt = jest.spyOn(crypto, 'scrypt');
beforeEach(() => scrypt.mockClear());

let count = 0;
/** From an address of its own, so that no address has many under way. */
const verify = (users: UserDirectory, name: string, password: string): Promise<User | null> =>
  users.verify(name, password, { address: `a${count++}`, isSuspect: false });

describe('UserDirectory', () => {
  const shared = directory();

  it.each([
    ['ann', 'one', { name: 'ann', role: 'reader', fullName: 'ann' }],
    ['bob', 'two:with:colons', { name: 'bob', role: 'editor', fullName: 'bob' }],
    ['jürgen', 'pässwörd ☃', { name: 'jürgen', role: 'manager', fullName: 'jürgen' }],
    ['__proto__', 'three', { name: '__proto__', role: 'reader', fullName: '__proto__' }],
  ])('knows %s by the password', async (name, password, user) => {
    expect(await verify(directory(), name, password)).toEqual(user);
  });

  it.each([
    ['ann', 'One'],
    ['ann', ''],
    ['ann', 'one '],
    ['ann', 'two:with:colons'],
    ['Ann', 'one'],
    ['an', 'none'],
    ['anno', 'ne'],
    ['', ''],
    ['', 'one'],
    ['nobody', 'one'],
    ['constructor', 'one'],
    ['jürgen', 'passwort'],
    ['ju\u0308rgen', 'pässwörd ☃'],
    ['ann', 'one\ud800'],
    ['ann\udc00', 'one'],
  ])('refuses %j with %j', async (name, password) => {
    expect(await verify(shared, name, password)).toBeNull();
  });

  it('hashes once for a wrong password and for a name that nobody has, and not for a right one', async () => {
    const users = directory();
    const costs: number[] = [];
    for (const [name, password] of [
      ['ann', 'wrong'],
      ['ann', 'one'],
      ['ann', 'wrong again'],
      ['nobody', 'one'],
    ] as const) {
      scrypt.mockClear();
      await verify(users, name, password);
      for (const [, , , options] of scrypt.mock.calls) expect(options).toEqual({ N: 16_384, r: 8, p: 5 });
      costs.push(scrypt.mock.calls.length);
    }
    expect(costs).toEqual([1, 0, 1, 1]);
  });

  it('knows the right passwords while no wrong one finds a place in the line, all from one address', async () => {
    const ends: (() => void)[] = [];
    scrypt.mockImplementation((_password, _salt, _length, _options, done) => {
      ends.push(() => done(null, Buffer.alloc(32)));
    });
    try {
      const users = directory();
      const suspect = { address: 'bad', isSuspect: true };
      const flood = Array.from({ length: 3 + 16 }, (_, index) => users.verify('ann', `guess ${index}`, suspect));
      for (const name of ['ann', 'nobody']) {
        await expect(users.verify(name, 'late', suspect)).rejects.toMatchObject({ status: 503 });
      }
      for (let again = 0; again < 2; again++) {
        expect(await users.verify('ann', 'one', suspect)).toMatchObject({ name: 'ann' });
        expect(await users.verify('jürgen', 'pässwörd ☃', suspect)).toMatchObject({ name: 'jürgen' });
      }
      let isOver = false;
      const all = Promise.all(flood).finally(() => (isOver = true));
      while (!isOver) {
        ends.shift()?.();
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await all).toEqual(flood.map(() => null));
    } finally {
      scrypt.mockReset().mockImplementation(realScrypt);
    }
  });

  it('hashes a wrong password once for calls that come together and for those within a minute', async () => {
    let now = 0;
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now);
    try {
      const users = directory();
      const together = await Promise.all(Array.from({ length: 50 }, () => verify(users, 'ann', 'wrong')));
      expect(together.every((user) => user === null)).toBe(true);
      now = 59_999;
      expect(await verify(users, 'ann', 'wrong')).toBeNull();
      expect(scrypt).toHaveBeenCalledTimes(1);
      now = 60_000;
      expect(await verify(users, 'ann', 'wrong')).toBeNull();
      expect(scrypt).toHaveBeenCalledTimes(2);
      expect(await verify(users, 'ann', 'one')).not.toBeNull();
    } finally {
      clock.mockRestore();
    }
  });

  it('finds users without a password', () => {
    const users = directory();
    expect(users.find('bob')).toEqual({ name: 'bob', role: 'editor', fullName: 'bob' });
    expect([users.find('nobody'), users.find('toString'), users.find('')]).toEqual([null, null, null]);
  });

  it('takes the generated users where none are configured', async () => {
    const generated = { ...CREDENTIALS, users: [{ name: 'admin', password: 'generated', role: 'manager' as const }] };
    expect(
      await verify(new UserDirectory(loadSettings({}, false), generated, new Metrics()), 'admin', 'generated'),
    ).toMatchObject({
      role: 'manager',
    });
    const configured = new UserDirectory(loadSettings({ CMS_USERS: USERS }, false), generated, new Metrics());
    expect(await verify(configured, 'admin', 'generated')).toBeNull();
  });

  it('has nobody where there are no users at all', async () => {
    expect(
      await verify(new UserDirectory(loadSettings({}, false), CREDENTIALS, new Metrics()), 'admin', ''),
    ).toBeNull();
  });
});
