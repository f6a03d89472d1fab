import fc from 'fast-check';
import { leastTimeMs } from '../../../test/support/least-time';
import { readMessage } from './protobuf-json';
import { ProtobufJsonError } from './protobuf-json-tokenizer';

const LOCK = { storeName: 'string', resourceId: 'string', lockOwner: 'string', expiryInSeconds: 'int32' } as const;
const EMPTY = { storeName: '', resourceId: '', lockOwner: '', expiryInSeconds: 0 };

const read = (text: string | Buffer) => readMessage(Buffer.from(text as string), LOCK);

/** The error's text, or what was read where nothing was wrong. */
function faultOf(text: string | Buffer): unknown {
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof ProtobufJsonError)) throw error;
    return error.message;
  }
}

/** Distributed-lock contract section 2, "JSON parsing is protobuf-JSON". */
describe('a message', () => {
  it('has members in camel case', () => {
    const text = ' { "storeName" : "s", "resourceId":"r",\n"lockOwner":\t"o", "expiryInSeconds":60\r}\n';
    expect(read(text)).toEqual({ storeName: 's', resourceId: 'r', lockOwner: 'o', expiryInSeconds: 60 });
  });

  it('has the same members in snake case', () => {
    const text = '{"store_name":"s","resource_id":"r","lock_owner":"o","expiry_in_seconds":60}';
    expect(read(text)).toEqual({ storeName: 's', resourceId: 'r', lockOwner: 'o', expiryInSeconds: 60 });
  });

  it.each(['ResourceId', 'resourceid', 'resource_Id', 'RESOURCE_ID', '[resourceId]', '__proto__', ''])(
    'knows no member %j and passes over it',
    (name) => expect(read(`{${JSON.stringify(name)}:"x","lockOwner":"o"}`)).toEqual({ ...EMPTY, lockOwner: 'o' }),
  );

  it('may have escapes in the names of its members', () => {
    expect(read('{"\\u0072esource\\u0049d":"r"}')).toEqual({ ...EMPTY, resourceId: 'r' });
  });

  it.each([
    '1',
    '"x"',
    'true',
    'null',
    '[]',
    '{}',
    '[1,[2,{"resourceId":5}],"\\n"]',
    '{"resourceId":{"a":[]},"b":1e400}',
  ])('passes over an unknown member with the value %s', (value) =>
    expect(read(`{"other":${value},"lockOwner":"o"}`)).toEqual({ ...EMPTY, lockOwner: 'o' }),
  );

  it('may have an unknown member twice', () => {
    expect(read('{"a":1,"a":2}')).toEqual(EMPTY);
  });

  it('takes null as absent', () => {
    expect(read('{"storeName":null,"resourceId":null,"lockOwner":null,"expiryInSeconds":null}')).toEqual(EMPTY);
    expect(read('{}')).toEqual(EMPTY);
  });

  it.each([
    ['{"resourceId":"a","resourceId":"b"}', '(line 1:19): duplicate field "resourceId"'],
    ['{"resourceId":"a","resource_id":"b"}', '(line 1:19): duplicate field "resource_id"'],
    ['{"resource_id":"a",\n  "resourceId":"b"}', '(line 2:3): duplicate field "resourceId"'],
    ['{"lockOwner":null,"lockOwner":"b"}', '(line 1:19): duplicate field "lockOwner"'],
    ['{"é":"日本",\n"é":1, "lockOwner":"a","lockOwner":2}', '(line 2:24): duplicate field "lockOwner"'],
  ])('refuses the same member twice: %j', (text, fault) => expect(faultOf(text)).toBe(fault));
});

describe('an int32 member', () => {
  it.each([
    ['60', 60],
    ['60.0', 60],
    ['6e1', 60],
    ['6E+1', 60],
    ['6000e-2', 60],
    ['0.6e2', 60],
    ['0.060e3', 60],
    ['"60"', 60],
    ['"60.0"', 60],
    ['"6e1"', 60],
    ['"\\u0036\\u0030"', 60],
    ['0', 0],
    ['-0', 0],
    ['0e999999999999', 0],
    ['-60', -60],
    ['2147483647', 2147483647],
    ['-2147483648', -2147483648],
    ['2147483647.0000', 2147483647],
    // Not JSON, but what protobuf-go reads: an exponent without digits.
    ['1e', 1],
  ])('reads %s as %d', (raw, value) => expect(read(`{"expiryInSeconds":${raw}}`).expiryInSeconds).toBe(value + 0));

  it.each([
    '1.5',
    '" 60"',
    '"60 "',
    '"\\n60"',
    '"abc"',
    '""',
    '"-"',
    '"60,"',
    '"0x3c"',
    '"+60"',
    '"1e"',
    'true',
    '3000000000',
    '-2147483649',
    '2147483647.5',
    '1e1000',
    '1e99999999999999999999',
    '1e-1',
    '15e-1',
    '1000.5e-2',
    '0.5',
    '1e+',
    '100000000000000000000000000000',
    '1e20',
  ])('refuses %s and quotes it', (raw) => {
    expect(faultOf(`{"expiryInSeconds":${raw}}`)).toBe(
      `(line 1:20): invalid value for int32 field expiryInSeconds: ${raw}`,
    );
  });

  it.each([
    ['{}', '{'],
    ['[60]', '['],
  ])('refuses %s and quotes its bracket', (raw, quoted) => {
    expect(faultOf(`{"expiry_in_seconds": ${raw}}`)).toBe(
      `(line 1:23): invalid value for int32 field expiryInSeconds: ${quoted}`,
    );
  });

  it('reads every integer however it is spelled', () => {
    const integer = fc.integer({ min: -2147483648, max: 2147483647 }).filter((value) => value !== 0);
    fc.assert(
      fc.property(integer, fc.nat(9), fc.boolean(), (value, places, isText) => {
        const spellings = [
          `${value}`,
          `${value}.${'0'.repeat(places + 1)}`,
          `${value}${'0'.repeat(places)}e-${places}`,
        ];
        for (const spelling of spellings) {
          const raw = isText ? `"${spelling}"` : spelling;
          expect(read(`{"expiryInSeconds":${raw}}`).expiryInSeconds + 0).toBe(value);
        }
      }),
    );
  });
});

describe('a string member', () => {
  it.each([
    ['42', '42'],
    ['true', 'true'],
    ['{}', '{'],
    ['[]', '['],
    ['4.20e1', '4.20e1'],
  ])('refuses %s', (raw, quoted) => {
    expect(faultOf(`{"resourceId":${raw}}`)).toBe(`(line 1:15): invalid value for string field resourceId: ${quoted}`);
    expect(faultOf(`{"store_name":${raw}}`)).toBe(`(line 1:15): invalid value for string field storeName: ${quoted}`);
  });

  it.each([
    ['"\\u0000"', '\u0000'],
    ['"a\\u0000b"', 'a\u0000b'],
    ['"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'],
    ['"\\ud83d\\ude00"', '😀'],
    ['"\\uD83D\\uDE00x"', '😀x'],
    ['"é日😀"', 'é日😀'],
    ['"é\\u65e5\\n😀"', 'é日\n😀'],
    ['"\ufeff"', '\ufeff'],
    ['"\u007f\u2028"', '\u007f\u2028'],
    ['" "', ' '],
    ['""', ''],
  ])('reads %s', (raw, text) => expect(read(`{"resourceId":${raw}}`).resourceId).toBe(text));

  const inString = (detail: string): string => `syntax error (line 1:15): ${detail} in string`;
  it.each([
    ['"\\ud83d"        ', inString('invalid escape code "\\"     "')],
    ['"\\ud83dx12345"', inString('invalid escape code "x12345"')],
    ['"\\ud83d\\u0041"', inString('invalid escape code "\\\\u0041"')],
    ['"\\ud83d\\ud83d"', inString('invalid escape code "\\\\ud83d"')],
    ['"\\ude00\\ud83d"', inString('invalid escape code "\\\\ud83d"')],
    ['"\\ude00\\ude00"', inString('invalid escape code "\\\\ude00"')],
    ['"\\x"', inString('invalid escape code "\\\\x"')],
    ['"\\u12g4"', inString('invalid escape code "\\\\u12g4"')],
    ['"a\nb"', inString("invalid character '\\n'")],
    ['"a\u0000b"', inString("invalid character '\\x00'")],
  ])('refuses %j', (raw, fault) => expect(faultOf(`{"resourceId":${raw}}`)).toBe(fault));

  it.each([
    [[0xff], 'a byte that is none'],
    [[0xc3], 'a part of a character'],
    [[0xed, 0xa0, 0xbd], 'a surrogate'],
    [[0xc0, 0x80], 'an overlong spelling'],
    [[0xf4, 0x90, 0x80, 0x80], 'a character too many'],
  ])('refuses bytes that are not UTF-8: %j (%s)', (bytes) => {
    const around = (before: string, after: string): Buffer =>
      Buffer.concat([Buffer.from(`{"resourceId":"${before}`), Buffer.from(bytes), Buffer.from(after)]);
    const fault = 'syntax error (line 1:15): invalid UTF-8 in string';
    for (const before of ['', 'é', '\\n']) {
      // It is the first fault whatever comes after it, the end of the text included.
      for (const after of ['"}', '\\q"}', '\u0001"}', '\\', '']) expect(faultOf(around(before, after))).toBe(fault);
    }
  });
});

describe('a text that is no object', () => {
  it.each([
    ['[]', '['],
    ['1', '1'],
    ['"a"', '"a"'],
    ['true', 'true'],
    ['null', 'null'],
    ['}', '}'],
    [']', ']'],
    [',', ','],
  ])('is refused as an unexpected token: %s', (text, token) => {
    expect(faultOf(text)).toBe(`syntax error (line 1:1): unexpected token ${token}`);
  });

  it.each([
    [' \n\t ', 'syntax error (line 2:3): unexpected token '],
    ['{} {}', 'syntax error (line 1:4): unexpected token {'],
    ['{}\n1', 'syntax error (line 2:1): unexpected token 1'],
    ['{},', 'syntax error (line 1:3): unexpected token ,'],
    ['{}]', 'syntax error (line 1:3): unexpected token ]'],
    ['{} x', 'syntax error (line 1:4): invalid value x'],
    ['\ufeff{}', 'syntax error (line 1:1): invalid value \ufeff'],
    ['undefined', 'syntax error (line 1:1): invalid value undefined'],
    ["{'a':1}", "syntax error (line 1:2): invalid value '"],
    ['{a:1}', 'syntax error (line 1:2): invalid value a'],
    ['{"a":tru}', 'syntax error (line 1:6): invalid value tru'],
    ['{"a":truer}', 'syntax error (line 1:6): invalid value truer'],
    ['{"a":NaN}', 'syntax error (line 1:6): invalid value NaN'],
    ['{"a":-Infinity}', 'syntax error (line 1:6): invalid value -Infinity'],
    ['{"a":01}', 'syntax error (line 1:6): invalid value 01'],
    ['{"a":1.}', 'syntax error (line 1:6): invalid value 1.'],
    ['{"a":.5}', 'syntax error (line 1:6): invalid value .5'],
    ['{"a":+1}', 'syntax error (line 1:6): invalid value +1'],
    ['{"a":-}', 'syntax error (line 1:6): invalid value -'],
    [`{"a":${'x'.repeat(40)}}`, `syntax error (line 1:6): invalid value ${'x'.repeat(32)}`],
    ['{"a":日本}', 'syntax error (line 1:6): invalid value 日'],
    ['{"a":/**/1}', 'syntax error (line 1:6): invalid value /'],
    ['{"a" 1}', 'syntax error (line 1:6): unexpected character 1, missing ":" after field name'],
    ['{"a"é}', 'syntax error (line 1:5): unexpected character Ã, missing ":" after field name'],
    ['{"a":1 "b":2}', 'syntax error (line 1:8): unexpected token "b"'],
    ['{"a":1,}', 'syntax error (line 1:8): unexpected token }'],
    ['{"a":1,,"b":2}', 'syntax error (line 1:8): unexpected token ,'],
    ['{,"a":1}', 'syntax error (line 1:2): unexpected token ,'],
    ['{"a":}', 'syntax error (line 1:6): unexpected token }'],
    ['{"a":,}', 'syntax error (line 1:6): unexpected token ,'],
    ['{1:2}', 'syntax error (line 1:2): unexpected token 1'],
    ['{[]:2}', 'syntax error (line 1:2): unexpected token ['],
    ['{]', 'syntax error (line 1:2): unexpected token ]'],
    ['{"a":[1 2]}', 'syntax error (line 1:9): unexpected token 2'],
    ['{"a":["x" "y"]}', 'syntax error (line 1:11): unexpected token "y"'],
    ['{"a":[1,]}', 'syntax error (line 1:9): unexpected token ]'],
    ['{"a":[1}}', 'syntax error (line 1:8): unexpected token }'],
    ['{"a":["b":1]}', 'syntax error (line 1:10): invalid value :'],
    ['{"a"::1}', 'syntax error (line 1:6): invalid value :'],
    ['{"resourceId":"a" "b"}', 'syntax error (line 1:19): unexpected token "b"'],
  ])('is refused with its place: %j', (text, fault) => expect(faultOf(text)).toBe(fault));

  it.each([
    '{',
    '{ ',
    '{"',
    '{"a',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":[',
    '{"a":[1,',
    '{"a":"\\',
    '{"a":"\\u12',
    '{"a":"\\ud83d\\u',
  ])('ends too early: %s', (text) => expect(faultOf(text)).toBe('unexpected EOF'));

  it('quotes a byte that is no text as U+FFFD', () => {
    expect(faultOf(Buffer.from([0x7b, 0xff, 0x7d]))).toBe('syntax error (line 1:2): invalid value \ufffd');
  });

  it('is refused where it is nested deeper than protobuf-go reads', () => {
    const nested = (depth: number): string => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(faultOf(nested(9_999))).toEqual(EMPTY);
    expect(faultOf(nested(10_000))).toBe('exceeded max recursion depth');
  });
});

describe('reading', () => {
  it('agrees with JSON.parse on every object', () => {
    const other = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' }), { maxKeys: 5 });
    const known = fc.record(
      {
        resourceId: fc.string({ unit: 'binary' }),
        lockOwner: fc.string({ unit: 'grapheme' }),
        expiryInSeconds: fc.integer({ min: 0, max: 2147483647 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(other, known, fc.nat(3), (rest, members, indent) => {
        const text = JSON.stringify({ ...rest, ...EMPTY, ...members }, null, indent);
        expect(read(text)).toEqual({ ...EMPTY, ...members });
      }),
      { numRuns: 300 },
    );
  });

  it('refuses whatever JSON.parse refuses, and nothing that it takes, but for the numbers of protobuf-go', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"b"',
      '1',
      '-1.5e3',
      'true',
      'null',
      ' ',
      '\n',
      '"\\u0041"',
      '"\\',
      'x',
      'é',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = `{"z":${parts.join('')}}`;
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        expect(typeof faultOf(text) === 'object').toBe(isJson);
      }),
      { numRuns: 5000 },
    );
  });

  it('throws nothing but its own error, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void faultOf(Buffer.from(bytes))),
      { numRuns: 3000 },
    );
    const jsonBytes = fc.array(fc.constantFrom(...Buffer.from('{}[]",:\\u0de8n\n -+.eE1\u0001'), 0xff, 0xc3), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(jsonBytes, (bytes) => void faultOf(Buffer.from(bytes))),
      { numRuns: 5000 },
    );
  });

  const SIZE = 4 * 1024 * 1024;
  const filled = (start: string, piece: string, end = ''): Buffer => {
    const count = Math.floor((SIZE - start.length - end.length) / Buffer.byteLength(piece));
    return Buffer.from(start + piece.repeat(count) + end);
  };
  it.each<[string, Buffer]>([
    ['brackets', filled('{"a":', '[')],
    ['shallow brackets', filled('{"a":[', '[],', '1]}')],
    ['blanks', filled('{', ' ', '}')],
    ['lines', filled('{', '\n', 'x}')],
    ['commas', filled('{"a":[1', ',')],
    ['members', filled('{', '"a":1,', '"b":2}')],
    ['strings with escapes', filled('{"a":[', '"\\n",', '1]}')],
    ['one string of escapes', filled('{"resourceId":"', '\\n', '"}')],
    ['one string of pairs', filled('{"resourceId":"', '\\ud83d\\ude00', '"}')],
    ['one string of characters and escapes', filled('{"resourceId":"', 'é\\n', '"}')],
    ['a string without an end', filled('{"resourceId":"', 'a')],
    ['strings without an end', filled('{"resourceId":"', '\\"')],
    ['digits', filled('{"expiryInSeconds":', '1', '}')],
    ['zeros', filled('{"expiryInSeconds":0.', '0', '1}')],
    ['zeros in a string', filled('{"expiryInSeconds":"1', '0', '"}')],
    ['an exponent', filled('{"expiryInSeconds":1e', '0', '}')],
    ['a word', filled('{"a":', 'x')],
    ['minus signs', filled('{"a":', '-')],
  ])('takes no time to speak of for 4 MiB of %s', (_name, bytes) => {
    // Quadratic work would take minutes. Linear work takes a tenth of this on a machine that does nothing else.
    expect(leastTimeMs(() => faultOf(bytes), 3)).toBeLessThan(2000);
  });
});
