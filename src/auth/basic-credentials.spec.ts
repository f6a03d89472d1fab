import { leastTimeMs } from '../../test/support/least-time.js';
import { isBasic, parseBasic } from './basic-credentials.js';

const encode = (text: string | Buffer): string => `Basic ${Buffer.from(text as string).toString('base64')}`;

describe('parseBasic', () => {
  it.each([
    ['a:b', 'a', 'b'],
    ['name:with:colons:', 'name', 'with:colons:'],
    ['jürgen:pässwörd ☃ 😀', 'jürgen', 'pässwörd ☃ 😀'],
    ['\ufeffname:x', '\ufeffname', 'x'],
    [':only a password', '', 'only a password'],
    ['only a name:', 'only a name', ''],
    [':', '', ''],
    ['a b: c ', 'a b', ' c '],
    ['__proto__:x', '__proto__', 'x'],
  ])('reads %j', (text, name, password) => {
    expect(parseBasic(encode(text))).toEqual({ name, password });
  });

  it.each(['bAsIc YTpi', 'Basic   YTpi  '])('reads the header %j', (header) => {
    expect(parseBasic(header)).toEqual({ name: 'a', password: 'b' });
  });

  it.each([
    ['nothing', 'Basic'],
    ['blanks', 'Basic   '],
    ['no colon', encode('name')],
    ['characters that are not base64', 'Basic YT*pi'],
    ['base64 without its padding', 'Basic YTpiYw'],
    ['base64 with bits left over', 'Basic YTpiYx=='],
    ['base64url', 'Basic Pz8_Pzo/'],
    ['two parts', 'Basic YTpi YTpi'],
    ['bytes that are not UTF-8', encode(Buffer.from('n\xe4me:x', 'latin1'))],
    ['a lone surrogate in UTF-8', encode(Buffer.from([0x61, 0x3a, 0xed, 0xa0, 0x80]))],
    ['U+0000', encode('a\0:b')],
    ['a line feed in the password', encode('a:b\n')],
    ['a C1 control character', encode('a:\u0085')],
    ['another scheme', 'Bearer YTpi'],
    ['a scheme that only begins alike', 'Basics YTpi'],
  ])('refuses %s', (_, header) => {
    expect(parseBasic(header)).toBeNull();
  });

  it('decides about a long header at once', () => {
    for (const header of [`Basic${' '.repeat(16_000)}a b`, `Basic ${'YTpi'.repeat(4_000)}${' '.repeat(16_000)}x`]) {
      expect(parseBasic(header)).toBeNull();
      expect(leastTimeMs(() => parseBasic(header))).toBeLessThan(50);
    }
  });
});

describe('isBasic', () => {
  it.each([
    ['Basic YTpi', true],
    ['BASIC', true],
    ['Basics YTpi', false],
    ['Bearer Basic', false],
    ['', false],
  ])('of %j is %s', (header, expected) => {
    expect(isBasic(header)).toBe(expected);
  });
});
