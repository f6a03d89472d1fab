import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import { AccessKeyStore, createAccessKey } from './access-key.js';
import { accessKeyPrincipal } from './principal.js';

const first = createAccessKey('a:b/c+d-e', 'aHVzaC1odXNo', false);
const second = createAccessKey('reader', 'b3RoZXI=', true);

describe('AccessKeyStore', () => {
  it('finds keys by id and nothing else', () => {
    const keys = new AccessKeyStore([first, second]);
    expect(keys.find('a:b/c+d-e')).toBe(first);
    expect(keys.find('reader')).toBe(second);
    expect(keys.find('READER')).toBeUndefined();
    expect(keys.find('__proto__')).toBeUndefined();
  });

  it('knows only the new keys after a replacement', () => {
    const keys = new AccessKeyStore([first]);
    keys.replace([second]);
    expect(keys.find(first.id)).toBeUndefined();
    expect(keys.find('reader')).toBe(second);
  });
});

describe('createAccessKey', () => {
  it('decodes the secret and never prints it', () => {
    expect(first.secret.sign('text')).toBe(createHmac('sha256', 'hush-hush').update('text').digest('base64'));
    expect(inspect(first, { depth: 5 }) + JSON.stringify(first)).not.toMatch(/aHVzaC1odXNo|hush/);
  });
});

describe('accessKeyPrincipal', () => {
  it('lets a read-only key read and not write', () => {
    expect(accessKeyPrincipal(second)).toEqual({ kind: 'access-key', name: 'reader', mayRead: true, mayWrite: false });
    expect(accessKeyPrincipal(first)).toMatchObject({ mayRead: true, mayWrite: true });
  });
});
