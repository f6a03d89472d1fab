import { randomBytes } from 'node:crypto';
import { masterKeyFingerprint, open, seal, SecretBoxError, type SecretBoxFault } from './secret-box.js';

const masterKey = Buffer.alloc(32, 7);
const secret = Buffer.from('a secret of any bytes \u0000\u00ff', 'utf8');

function faultOf(action: () => unknown): SecretBoxFault | 'opened' {
  try {
    action();
    return 'opened';
  } catch (error) {
    if (error instanceof SecretBoxError) return error.fault;
    throw error;
  }
}

describe('seal and open', () => {
  it('gives back what was sealed, the empty secret included', () => {
    expect(open(seal(secret, masterKey, 'key-1'), masterKey, 'key-1')).toEqual(secret);
    expect(open(seal(Buffer.alloc(0), masterKey, ''), masterKey, '')).toEqual(Buffer.alloc(0));
  });

  it('never seals alike twice', () => {
    expect(seal(secret, masterKey, 'key-1')).not.toBe(seal(secret, masterKey, 'key-1'));
  });

  it('names version and master key in the text', () => {
    const sealed = seal(secret, masterKey, 'key-1');
    expect(sealed).toMatch(/^v1\.[\w-]{11}\.[\w-]{16}\.[\w-]{22}\.[\w-]+$/);
    expect(sealed.split('.')[1]).toBe(masterKeyFingerprint(masterKey));
  });

  it('opens a text that an earlier release wrote', () => {
    const sealed = 'v1.pnwSPvQLz-M.mIYuuUwoPIGvHMMn.VuLK_JjjKAbn6OdKsAtLHA.zjcJng';
    expect(open(sealed, masterKey, 'key-1').toString()).toBe('kept');
  });

  it('refuses another master key', () => {
    expect(faultOf(() => open(seal(secret, masterKey, 'key-1'), randomBytes(32), 'key-1'))).toBe('other-master-key');
  });

  it('refuses another context', () => {
    expect(faultOf(() => open(seal(secret, masterKey, 'key-1'), masterKey, 'key-2'))).toBe('tampered');
  });

  it('refuses every altered character', () => {
    const sealed = seal(secret, masterKey, 'key-1');
    for (let at = 0; at < sealed.length; at++) {
      const other = sealed[at] === 'A' ? 'B' : 'A';
      const altered = sealed.slice(0, at) + other + sealed.slice(at + 1);
      expect(faultOf(() => open(altered, masterKey, 'key-1'))).not.toBe('opened');
    }
  });

  it('refuses additions that a lenient decoder skips', () => {
    const sealed = seal(secret, masterKey, 'key-1');
    for (const altered of [`${sealed}=`, `${sealed}!`, sealed.replace('v1.', 'v1. '), ` ${sealed}`]) {
      expect(faultOf(() => open(altered, masterKey, 'key-1'))).not.toBe('opened');
    }
  });

  it.each(['', 'v1', 'v2.a.b.c.d', 'v1.a.b.c.d', 'plain text', 'v1.....'])('refuses %p as malformed', (text) => {
    expect(faultOf(() => open(text, masterKey, 'key-1'))).toBe('malformed');
  });

  it('tells nothing of the secret in its errors', () => {
    expect(new SecretBoxError('tampered').message).toBe('The stored secret is altered, or sealed for another purpose');
  });
});

describe('masterKeyFingerprint', () => {
  it('is the same for the same key and differs between keys', () => {
    expect(masterKeyFingerprint(Buffer.alloc(32, 7))).toBe(masterKeyFingerprint(masterKey));
    expect(masterKeyFingerprint(Buffer.alloc(32, 8))).not.toBe(masterKeyFingerprint(masterKey));
  });

  it('refuses a key of another length', () => {
    expect(() => masterKeyFingerprint(Buffer.alloc(31))).toThrow(RangeError);
  });
});
