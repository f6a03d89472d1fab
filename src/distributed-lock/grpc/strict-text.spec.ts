import { withStrictText } from './strict-text.js';

const decoded = { owner: '\ufffd' };
const decode = withStrictText(() => decoded);
const field = (bytes: number[]): number[] => [0x12, bytes.length, ...bytes];

describe('a message in which something may have been replaced', () => {
  it.each([
    ['a text with U+FFFD itself', field([0xef, 0xbf, 0xbd])],
    [
      'numbers of every wire type before it',
      [
        0x20,
        0xff,
        0xff,
        0xff,
        0xff,
        0xff,
        0xff,
        0xff,
        0xff,
        0xff,
        0x01,
        0x29,
        ...Array<number>(8).fill(0xff),
        0x35,
        0xff,
        0xff,
        0xff,
        0xff,
        ...field([0x61]),
      ],
    ],
    ['no field at all', []],
  ])('is taken with %s', (_name, bytes) => {
    expect(decode(Buffer.from(bytes))).toBe(decoded);
  });

  it.each([
    ['a byte that no text has', field([0x61, 0xff])],
    ['half a character', field([0xc3])],
    ['a surrogate', field([0xed, 0xa0, 0x80])],
    ['a bad text behind a good one', [...field([0x61]), ...field([0xff])]],
    ['a bad text of more than 127 bytes', [0x12, 0x80, 0x01, ...Array<number>(127).fill(0x61), 0xff]],
  ])('is refused with %s', (_name, bytes) => {
    expect(() => decode(Buffer.from(bytes))).toThrow('not UTF-8');
  });
});

it('does not look twice at any other message', () => {
  const plain = { owner: 'o', seconds: 5 };
  expect(withStrictText(() => plain)(Buffer.from([0xff]))).toBe(plain);
});
