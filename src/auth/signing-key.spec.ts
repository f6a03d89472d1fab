import { createHmac, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { SigningKey } from './signing-key.js';

const expected = (secret: Buffer, text: string): string =>
  createHmac('sha256', secret).update(text, 'latin1').digest('base64');

describe('SigningKey', () => {
  it.each([0, 1, 31, 32, 63, 64, 65, 128, 300])('signs with a secret of %i bytes', (length) => {
    const secret = randomBytes(length);
    expect(new SigningKey(secret).sign('GET\n/kv?a=b\nx;y;z')).toBe(expected(secret, 'GET\n/kv?a=b\nx;y;z'));
  });

  it('signs texts of every length, shorter ones after longer ones too', () => {
    const secret = randomBytes(32);
    const key = new SigningKey(secret);
    for (const length of [0, 1, 55, 56, 64, 900, 959, 960, 961, 5_000, 100_000, 10, 0]) {
      const text = '\xff\x80a'.repeat(length).slice(0, length);
      expect(key.sign(text)).toBe(expected(secret, text));
    }
  });

  it('does not print its secret', () => {
    const key = new SigningKey(Buffer.from('hush-hush'));
    key.sign('text');
    expect(inspect(key, { depth: 5, showHidden: true }) + JSON.stringify(key)).toBe('SigningKey {}{}');
  });
});
