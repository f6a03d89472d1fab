import fc from 'fast-check';
import {
  decodeKeyValueToken,
  decodeNameToken,
  decodeRevisionToken,
  encodeKeyValueToken,
  encodeNameToken,
  encodeRevisionToken,
  encodeTokenText,
  keyValueTokenText,
  revisionTokenText,
} from './continuation-token.js';

const base64 = (text: string | Buffer): string => Buffer.from(text as string).toString('base64');
const name = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 100 })
  // Names have no control characters (contract, section 3).
  .map((text) => `n${text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '')}`);

describe('key-value tokens', () => {
  it('have the form of the real service', () => {
    expect(encodeKeyValueToken('app', 'prod')).toBe('YXBwCnByb2Q=');
    expect(keyValueTokenText('k', 'l')).toBe('k\nl');
    expect(encodeTokenText('k\nl')).toBe(encodeKeyValueToken('k', 'l'));
  });

  it.each([
    ['YXBwCnByb2Q=', { key: 'app', label: 'prod' }],
    ['YXBwCnByb2Q', { key: 'app', label: 'prod' }],
    [base64('app\n'), { key: 'app', label: '' }],
    ['Pz8_Cj8', { key: '???', label: '?' }],
    ['Pz8/Cj8=', { key: '???', label: '?' }],
    ['YWJ+eAo=', { key: 'ab~x', label: '' }],
    ['YWJ eAo=', { key: 'ab~x', label: '' }],
  ])('decodes %j', (token, cursor) => {
    expect(decodeKeyValueToken(token)).toEqual(cursor);
  });

  it.each([
    ['nothing', ''],
    ['no base64', '!!!!'],
    ['a space', 'YXBw CnByb2Q'],
    ['a length that no base64 has', 'YXBwC'],
    ['padding only', '=='],
    ['padding inside', 'YX=wCnByb2Q='],
    ['wrong padding', 'YXBwCnByb2Q=='],
    ['too much padding', 'YXBwCnByb2Q==='],
    ['no label part', base64('app')],
    ['a third part', base64('app\nprod\n1')],
    ['no key', base64('\nprod')],
    ['U+0000', base64('a\0b\nprod')],
    ['bytes that are no UTF-8', base64(Buffer.from([0xff, 0x0a, 0x61]))],
    ['a surrogate', base64(Buffer.from([0xed, 0xa0, 0x80, 0x0a]))],
    ['more than 8 KB', base64(`${'a'.repeat(8192)}\n`)],
    ['a megabyte', 'A'.repeat(1_000_000)],
    ['characters beyond ASCII', 'YXBwCnByb2Qé'],
  ])('gives null for %s', (_, token) => {
    expect(decodeKeyValueToken(token)).toBeNull();
  });

  it('decodes what it encoded, in both alphabets', () => {
    fc.assert(
      fc.property(name, fc.option(name, { nil: '' }), (key, label) => {
        const token = encodeKeyValueToken(key, label);
        expect(decodeKeyValueToken(token)).toEqual({ key, label });
        const url = token.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
        expect(decodeKeyValueToken(url)).toEqual({ key, label });
      }),
    );
  });

  it('survives any token', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), (token) => {
        for (const decode of [decodeKeyValueToken, decodeRevisionToken, decodeNameToken]) {
          expect(() => decode(token)).not.toThrow();
        }
      }),
    );
  });
});

describe('revision tokens', () => {
  it.each(['0', '1', '9007199254740993', '9223372036854775807'])('keep revision %s exactly', (revision) => {
    expect(decodeRevisionToken(encodeRevisionToken('k', '', revision))).toEqual({ key: 'k', label: '', revision });
    expect(encodeTokenText(revisionTokenText('k', 'l', revision))).toBe(encodeRevisionToken('k', 'l', revision));
  });

  it.each(['', '-1', '+1', '1.5', '1e3', ' 1', '0x1', '9223372036854775808', '10000000000000000000', '٣'])(
    'give null for revision %j',
    (revision) => {
      expect(decodeRevisionToken(base64(`k\nl\n${revision}`))).toBeNull();
    },
  );

  it.each(['k\nl', 'k\nl\n1\n', '\nl\n1'])('give null for the parts of %j', (text) => {
    expect(decodeRevisionToken(base64(text))).toBeNull();
  });
});

describe('name tokens', () => {
  it('tell the null name from every other', () => {
    expect(decodeNameToken(encodeNameToken(null))).toEqual({ name: null });
    fc.assert(fc.property(name, (text) => expect(decodeNameToken(encodeNameToken(text))).toEqual({ name: text })));
  });

  it.each(['', 'x', 'nn', 't', 'app\nprod'])('give null for the text %j', (text) => {
    expect(decodeNameToken(base64(text))).toBeNull();
  });
});
