import fc from 'fast-check';
import { rawMember } from './json-member.js';

describe('rawMember', () => {
  it.each([
    ['{"m":{"a":1}}', '{"a":1}'],
    ['{"a":[{"m":1}],"m":2,"b":{"m":3}}', '2'],
    [' { "m" :\n{ "big": 12345678901234567890 , "one": 1.0 }\t} ', '{ "big": 12345678901234567890 , "one": 1.0 }'],
    ['{"m":1,"m":{"last":true}}', '{"last":true}'],
    ['{"\\u006d":[1,2]}', '[1,2]'],
    ['{"x":"m","m":"a\\"},\\\\"}', '"a\\"},\\\\"'],
    ['{"x":":","m":null,"y":""}', 'null'],
    ['{}', undefined],
    ['{"x":"m"}', undefined],
    ['{"x":{"m":1}}', undefined],
    ['{"M":1,"":2}', undefined],
  ])('%j has %j', (text, expected) => expect(rawMember(text, 'm')).toBe(expected));

  it('agrees with the parser on any object', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.oneof(fc.constant('m'), fc.string()), fc.jsonValue()),
        fc.nat(3),
        (object, indent) => {
          const raw = rawMember(JSON.stringify(object, null, indent), 'm');
          const parsed = JSON.parse(JSON.stringify(object)) as Record<string, unknown>;
          if (!Object.hasOwn(parsed, 'm')) return raw === undefined;
          return JSON.stringify(JSON.parse(raw!)) === JSON.stringify(parsed['m']);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
