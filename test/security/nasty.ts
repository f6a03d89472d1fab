import * as fc from 'fast-check';

/** Texts that something somewhere takes for more than text. Those of SQL are in lower case, to be told from SQL of ours. */
const NASTY_TEXTS: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'a\udc00',
  '\udc00\ud800',
  '\ufeff',
  '\ufffd',
  '\uffff',
  '\u0001',
  '\x7f',
  '\x85',
  '\u2028',
  '\u202e',
  'e\u0301',
  '\u0130',
  '\u{1f511}\u{10ffff}',
  '\r\nX-Injected: yes',
  '\t',
  '%',
  '%00',
  '%25',
  '_',
  '*',
  'a*b',
  ',',
  'a,b,c,d,e,f',
  '\\',
  'a\\',
  '\\*',
  '|',
  '||',
  'a||b',
  'lock||latchkey||sentinel',
  "'; drop table key_value; --",
  "' or '1'='1",
  "\\'; select pg_sleep(9); --",
  '$1',
  '$$;select 1;$$',
  '"',
  '""',
  'W/"',
  '"never"',
  '${7*7}',
  '{{7*7}}',
  '<script>alert(1)</script>',
  '&lt;',
  '\x1b[31m',
  '/',
  '//',
  '.',
  '..',
  '../..',
  '../sentinel',
  '%2e%2e',
  ';',
  ';a=b',
  '=',
  'a=b',
  'a=b=c',
  '?',
  '#',
  '+',
  '@',
  '@lock',
  '@@',
  '++api++',
  'object',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'null',
  'undefined',
  'true',
  'false',
  '0',
  '-0',
  '-1',
  '1.5',
  '1e999',
  '1e15',
  '0x10',
  'NaN',
  'Infinity',
  '2147483648',
  '9223372036854775808',
  '9'.repeat(400),
  '00000000000000000000000000000000',
  '2020-13-45T99:99:99Z',
  '-271821-04-20T00:00:00Z',
  '+275760-09-13T00:00:00.000Z',
  '99999-01-01T00:00:00Z',
  'Sat, 32 May 2018 02:10:00 GMT',
];

/** Each is the smallest that passes some limit, or what makes a careless pattern run for long. */
const LONG_TEXTS: readonly string[] = [
  'k'.repeat(257),
  'k'.repeat(513),
  'k'.repeat(2_001),
  '\u20ac'.repeat(700),
  '\u{1f511}'.repeat(300),
  '"'.repeat(3_000),
  '"a",'.repeat(1_500),
  'W/"'.repeat(2_000),
  '\\'.repeat(3_000),
  '*,'.repeat(2_000),
  'a='.repeat(2_000),
  '%'.repeat(3_000),
  ' '.repeat(4_000),
  '../'.repeat(1_000),
  '@'.repeat(1_000),
  '9'.repeat(5_000),
  '-'.repeat(3_000),
  '('.repeat(3_000),
];

/** Any text, lone surrogates included. */
export const nastyText: fc.Arbitrary<string> = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...NASTY_TEXTS) },
  { weight: 2, arbitrary: fc.constantFrom(...LONG_TEXTS) },
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 2, arbitrary: fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map(character), maxLength: 8 }) },
  {
    weight: 3,
    arbitrary: fc.array(fc.constantFrom(...NASTY_TEXTS), { maxLength: 3 }).map((texts) => texts.join('x')),
  },
);

function character(code: number): string {
  return String.fromCharCode(code);
}

/** A lone surrogate becomes the three bytes that UTF-8 forbids, instead of a replacement that it allows. */
function bytesOf(text: string): number[] {
  return [...text].flatMap((each) => {
    const code = each.codePointAt(0)!;
    if (code < 0xd800 || code > 0xdfff) return [...Buffer.from(each)];
    return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)];
  });
}

const escape = (byte: number): string => `%${byte.toString(16).padStart(2, '0')}`;
const percentAll = (text: string): string => bytesOf(text).map(escape).join('');
/** As a client would, but for what it could not write at all. */
const percentSome = (text: string): string =>
  bytesOf(text)
    .map((byte) => (/[\w.~*',;:@$!()-]/.test(character(byte)) ? character(byte) : escape(byte)))
    .join('');

/** Pieces of a target that are no text, or none that is well encoded. */
const BROKEN_ESCAPES: readonly string[] = [
  '%',
  '%4',
  '%zz',
  '%%',
  '%u0041',
  '%c0%af',
  '%c0%80',
  '%e0%80%af',
  '%ed%a0%80',
  '%ed%b0%80',
  '%f8%88%80%80%80',
  '%f4%90%80%80',
  '%ff',
  '%80',
  '%e2%82',
  '%25',
  '%2500',
  '%2f',
  '%2F%2e%2e%2F',
  '%2e',
  '%5c',
  '..',
  './/.',
  '//',
  ';jsessionid=1',
  '\xff\xfe',
  '\xc3\xa9',
  '[::1]',
  '{x}',
  '|',
  '^',
  '`',
  '\\',
  '#x',
  '?',
  '&',
];

const encodedText = fc.oneof(
  { weight: 3, arbitrary: nastyText.map(percentSome) },
  { weight: 2, arbitrary: nastyText.map(percentAll) },
  { weight: 2, arbitrary: fc.constantFrom(...BROKEN_ESCAPES) },
);

/** What stands in a path for one name. */
export const pathPiece = fc.oneof(
  { weight: 50, arbitrary: encodedText },
  { weight: 20, arbitrary: fc.tuple(encodedText, encodedText).map((pieces) => pieces.join('')) },
  // With a path before it, one beyond the longest that is read.
  { weight: 1, arbitrary: fc.constant('k'.repeat(16_384)) },
);

/** `name=value`, in any of the ways in which that can go wrong. */
export function queryParameter(
  names: readonly string[],
  known: (name: string) => readonly string[],
): fc.Arbitrary<string> {
  return fc.constantFrom(...names).chain((name) => {
    const value = fc.oneof(
      { weight: 4, arbitrary: encodedText },
      { weight: 2, arbitrary: fc.constantFrom('1', ...known(name)).map(percentSome) },
    );
    const spelling = fc.constantFrom(name, name, name, name, percentAll(name), name.toUpperCase());
    return fc
      .tuple(spelling, value, fc.constantFrom('=', '=', '=', '=', '=', '', '=='))
      .map((parts) => `${parts[0]}${parts[2]}${parts[1]}`);
  });
}

/** Values of headers; a header can hold tabs and every character of latin1 that is no control character. */
const HEADER_VALUES: readonly string[] = [
  '',
  '*',
  '"*"',
  '"x"',
  'x',
  'W/"x"',
  '"x", "y"',
  '"unterminated',
  '"'.repeat(10_000),
  'W/"'.repeat(5_000),
  '"a",'.repeat(5_000),
  ','.repeat(9_000),
  'items=0-0',
  'items=-',
  'items=9-1',
  'items=0-99999999999999999999',
  'bytes=0-1',
  'items=0-1,'.repeat(2_000),
  '2018-05-12T02:10:00Z',
  '2999-01-01T00:00:00Z',
  '-271821-04-20T00:00:00Z',
  '0000-00-00',
  '1e999',
  'Sat, 12 May 2018 02:10:00 GMT',
  'Sat, 99 May 2018 99:99:99 GMT',
  'infinity',
  'a=b;sn=1',
  `a=b;sn=${'9'.repeat(400)}`,
  'return=representation',
  'handling=strict',
  'return=representation;x="',
  'return="'.repeat(2_000),
  '<opaquelocktoken:x>',
  '<urn:uuid:',
  'lockstore/sentinel;1',
  'lockstore/%zz;1',
  'lockstore/a%00b;1',
  `lockstore/x;${'9'.repeat(400)}`,
  'nowhere/x;1',
  ';;;',
  'identity',
  'gzip',
  'gzip, deflate, br;q=0.0000001',
  'application/json',
  'application/json; charset=utf-16',
  'application/vnd.microsoft.appconfig.kv+json',
  'text/plain',
  'multipart/form-data; boundary=',
  'application/'.repeat(1_000),
  'http://evil.example',
  'null',
  'close',
  'Basic',
  'Basic !!!',
  'Bearer',
  'Bearer a.b.c',
  'Bearer eyJhbGciOiJub25lIn0.e30.',
  'HMAC-SHA256 Credential=&SignedHeaders=&Signature=',
  'HMAC-SHA256',
  '00-00000000000000000000000000000000-0000000000000000-00',
  '\xff\xfe',
  '\t',
  "'; drop table x; --",
  '0',
  '-1',
  '9'.repeat(400),
  'true',
  '1',
];

const headerValue = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...HEADER_VALUES) },
  {
    weight: 1,
    arbitrary: fc.string({
      unit: fc
        .integer({ min: 0x20, max: 0xff })
        .filter((code) => code !== 0x7f)
        .map(character),
      maxLength: 40,
    }),
  },
);

/** Those that are read anywhere, and some that might be. */
const HEADER_NAMES: readonly string[] = [
  'If-Match',
  'If-None-Match',
  'If-Modified-Since',
  'If-Range',
  'Accept',
  'Accept-Encoding',
  'Accept-Language',
  'Accept-Datetime',
  'Range',
  'Sync-Token',
  'Prefer',
  'Lock-Token',
  'Lock-Fence',
  'Idempotency-Key',
  'X-Plone-Unlock',
  'Origin',
  'Access-Control-Request-Method',
  'X-Forwarded-For',
  'X-Forwarded-Proto',
  'X-Forwarded-Host',
  'Forwarded',
  'X-HTTP-Method-Override',
  'Content-Encoding',
  'Cookie',
  'Date',
  'traceparent',
  'baggage',
  'Expect',
  'TE',
  'Trailer',
  'Upgrade',
  'x-ms-client-request-id',
  'x-ms-return-client-request-id',
  'x-ms-correlation-request-id',
  'dapr-app-id',
  '__proto__',
];

/** @param more names of headers beside those that every route is sent */
export const header = (more: readonly string[]): fc.Arbitrary<readonly [string, string]> =>
  fc.tuple(fc.constantFrom(...HEADER_NAMES, ...more, ...more), headerValue);

export const contentType = fc.constantFrom(
  '',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/jsonx',
  'application/json; charset=utf-7; x="',
  'application/json;;;;',
  'image/svg+json',
  `application/${'a'.repeat(5_000)}`,
  'text/json',
  '*/*',
  'application/grpc',
);

/** JSON of one value, or what is nearly that. */
const JSON_VALUES: readonly string[] = [
  'null',
  'true',
  '0',
  '-0',
  '-1',
  '1',
  '1.5',
  '60',
  '1e15',
  '1E400',
  '-1e999',
  '0.1e1',
  '2147483648',
  '9007199254740993',
  '9'.repeat(400),
  `0.${'0'.repeat(400)}1`,
  '[]',
  '{}',
  '[null]',
  '[[]]',
  '{"":""}',
  '{"__proto__":{"x":1}}',
  '{"\\u005f_proto__":1}',
  '{"constructor":{"prototype":{"x":1}}}',
  '{"then":1,"toJSON":1}',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u0000"',
  '{"\\ud800":"\\udfff"}',
  '[{"key":"*"}]',
  '[{"key":"a*b","label":"x,y"}]',
  '{"n":{}}',
  // No JSON at all.
  'NaN',
  'Infinity',
  '+1',
  '01',
  '1.',
  '.5',
  '0x10',
  "'a'",
  '"\\x41"',
  '"\\u12"',
  '"a\nb"',
  '"\x00"',
  '"\xff"',
  '"\xed\xa0\x80"',
  '"',
  '',
  'undefined',
  '/**/1',
  `${'['.repeat(101)}${']'.repeat(101)}`,
  '['.repeat(20_000),
  `{${Array.from({ length: 1_001 }, (_, index) => `"t${index}":"v"`).join()}}`,
  `[${'1,'.repeat(5_000)}1]`,
];

/** Bodies that are whole, whatever route they are sent to. */
const BODIES: readonly string[] = [
  '',
  ' ',
  '{',
  '}',
  '{}',
  '[]',
  '""',
  'null',
  '0',
  '{}{}',
  '{},',
  '{"a":1,}',
  '{"a" 1}',
  '{a:1}',
  "{'a':1}",
  '{"a":1',
  '{"a":"',
  '{"a":1}/*',
  '{/**/}',
  '{} x',
  '\xef\xbb\xbf{}',
  '\xff\xfe{\x00}\x00',
  '\x00{}',
  '{"\xff":1}',
  '{"a":"\xc0\xaf"}',
  '['.repeat(30_000),
  '{"a":'.repeat(10_000),
  `${'['.repeat(101)}${']'.repeat(101)}`,
  `{"x":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
  `${' '.repeat(50_000)}{}`,
  `${'9'.repeat(50_000)}`,
  `"${'\\u0041'.repeat(8_000)}"`,
  `{${'"a":1,'.repeat(6_000)}"a":1}`,
  'a=b&c=d',
  '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
  '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n',
];

/** Over the limits of Azure's, our own and content's, and Dapr's surface. Few of them are sent, for each takes its time. */
const HUGE_BODIES: readonly string[] = [
  `{"value":"${'v'.repeat(11_000)}"}`,
  `{"value":"${'v'.repeat(70_000)}"}`,
  `{"title":"${'v'.repeat(1_050_000)}"}`,
  `{"resourceId":"${'v'.repeat(4_200_000)}"}`,
];

const jsonValue = (known: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...JSON_VALUES) },
    { weight: 4, arbitrary: nastyText.map((text) => utf8(JSON.stringify(text))) },
    ...(known.length > 0 ? [{ weight: 5, arbitrary: fc.constantFrom(...known) }] : []),
    { weight: 1, arbitrary: fc.json({ maxDepth: 3 }).map(utf8) },
  );

const utf8 = (text: string): string => Buffer.from(text).toString('latin1');

/**
 * Bodies as latin1.
 *
 * @param members names of the members that the route reads, each with JSON of values that it takes
 */
export function body(members: ReadonlyMap<string, readonly string[]>): fc.Arbitrary<string> {
  const names = ['__proto__', 'constructor', 'x', '', ...members.keys()];
  const good = [...members].filter(([, known]) => known.length > 0).map(([name, known]) => `"${name}":${known[0]!}`);
  const bad = fc
    .constantFrom(...names, ...members.keys(), ...members.keys())
    .chain((name) => jsonValue(members.get(name) ?? []).map((value) => `"${name}":${value}`));
  // Of a repeated member the last counts, so the bad ones come last; sometimes first, and some good ones are missing.
  const object = fc
    .tuple(fc.subarray(good, { minLength: 0 }), fc.boolean(), fc.array(bad, { minLength: 0, maxLength: 2 }), fc.nat(9))
    .map(([some, isWhole, worse, order]) => {
      const all = isWhole ? good : some;
      return `{${(order === 0 ? [...worse, ...all] : [...all, ...worse]).join(',')}}`;
    });
  const replaced = bad.map((member) => {
    const name = member.slice(0, member.indexOf('":') + 2);
    return `{${[...good.filter((each) => !each.startsWith(name)), member].join(',')}}`;
  });
  return fc.oneof(
    { weight: 50, arbitrary: replaced },
    { weight: 40, arbitrary: object },
    { weight: 40, arbitrary: fc.constantFrom(...BODIES) },
    { weight: 10, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1')) },
    { weight: 1, arbitrary: fc.constantFrom(...HUGE_BODIES) },
  );
}
