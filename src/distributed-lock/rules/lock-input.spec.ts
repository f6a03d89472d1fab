import { parseAcquireBody, parseCheckBody, parseRenewBody } from './lock-input.js';

const bytes = (body: unknown): Buffer => Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
const refusal = (parameter: string): Error =>
  expect.objectContaining({ kind: 'invalid-argument', status: 400, parameter });
const NO_NUMBERS = ['1', 1.5, true, [], {}, -1, 1e300];

describe('parseAcquireBody', () => {
  const acquire = (change: object): unknown => parseAcquireBody(bytes({ owner: 'me', ttlMs: 1000, ...change }));

  it('needs owner and ttlMs, and fills in the rest', () => {
    expect(acquire({})).toEqual({ owner: 'me', ttlMs: 1000, waitMs: 0, metadata: null });
  });

  it('ignores members that it does not know, and takes null for none', () => {
    expect(acquire({ waitMs: null, metadata: null, other: 1 })).toEqual(acquire({}));
  });

  it.each([1, 86_400_000, 3e4])('takes a ttlMs of %i', (ttlMs) => expect(acquire({ ttlMs })).toMatchObject({ ttlMs }));
  it.each([...NO_NUMBERS, 0, 86_400_001, null, undefined])('refuses a ttlMs of %j', (ttlMs) => {
    expect(() => acquire({ ttlMs })).toThrow(refusal('ttlMs'));
  });

  it.each([0, 1, 60_000])('takes a waitMs of %i', (waitMs) => expect(acquire({ waitMs })).toMatchObject({ waitMs }));
  it.each([...NO_NUMBERS, 60_001])('refuses a waitMs of %j', (waitMs) => {
    expect(() => acquire({ waitMs })).toThrow(refusal('waitMs'));
  });

  it.each([undefined, null, '', 'x'.repeat(513), 'a\0', '\ud800', 5])('refuses the owner %j', (owner) => {
    expect(() => acquire({ owner })).toThrow(refusal('owner'));
  });

  it('keeps metadata as it was written', () => {
    const metadata = '{ "2": 1.0, "1": 12345678901234567890, "nul": "\\u0000", "deep": [{"metadata": 1}] }';
    expect(parseAcquireBody(bytes(`{"metadata": ${metadata} ,"owner":"me","ttlMs":1}`)).metadata).toBe(metadata);
    expect(parseAcquireBody(bytes(`\ufeff{"owner":"me","ttlMs":1,"metadata":${metadata}}`)).metadata).toBe(metadata);
  });

  it.each(['text', 5, true, [], [{}]])('refuses the metadata %j', (metadata) => {
    expect(() => acquire({ metadata })).toThrow(refusal('metadata'));
  });

  it.each([{ '\ud800': 1 }, { a: ['\udc00'] }])('refuses metadata with half of a surrogate pair: %j', (metadata) => {
    expect(() => acquire({ metadata })).toThrow(refusal('metadata'));
  });

  it('takes 16,384 bytes of metadata, and not one more', () => {
    const around = JSON.stringify({ a: '' }).length;
    expect(() => acquire({ metadata: { a: 'x'.repeat(16_384 - around) } })).not.toThrow();
    expect(() => acquire({ metadata: { a: 'x'.repeat(16_385 - around) } })).toThrow(refusal('metadata'));
    expect(() => acquire({ metadata: { a: 'é'.repeat(8192) } })).toThrow(refusal('metadata'));
  });

  it('lets the last of equal members count', () => {
    const text = '{"owner":"first","ttlMs":1,"owner":"last","metadata":{"a":1},"metadata":{"b":2}}';
    expect(parseAcquireBody(bytes(text))).toMatchObject({ owner: 'last', metadata: '{"b":2}' });
  });
});

describe('a body', () => {
  it.each([
    ['empty', ''],
    ['blank', ' '],
    ['cut off', '{"fence":"1"'],
    ['an array', '[]'],
    ['a text', '"fence"'],
    ['null', 'null'],
    ['with a comment', '{"fence":"1"/* */}'],
    ['with a trailing comma', '{"fence":"1",}'],
    ['with a control character', '{"fence":"1","a":"\0"}'],
    ['with __proto__', '{"fence":"1","__proto__":{}}'],
    ['with __proto__ spelled in escapes', '{"fence":"1","a":{"\\u005f_proto__":1}}'],
    ['too deep', `{"fence":"1","a":${'['.repeat(100)}${']'.repeat(100)}}`],
    ['of bad UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ])('that is %s is refused', (_what, body) => {
    expect(() => parseCheckBody(Buffer.from(body as string))).toThrow(refusal('body'));
  });

  it('may begin with a byte order mark', () => expect(parseCheckBody(bytes('\ufeff{"fence":"1"}'))).toBe('1'));
});

describe('parseRenewBody', () => {
  const renew = (change: object): unknown => parseRenewBody(bytes({ ttlMs: 5, ...change }));

  it.each([
    [{ owner: 'me' }, { owner: 'me', fence: null, ttlMs: 5 }],
    [{ fence: '42' }, { owner: null, fence: '42', ttlMs: 5 }],
    [
      { fence: '42', owner: 'me' },
      { owner: 'me', fence: '42', ttlMs: 5 },
    ],
    [
      { fence: null, owner: 'a\0'.repeat(600) },
      { owner: 'a\0'.repeat(600), fence: null, ttlMs: 5 },
    ],
  ])('reads %j', (change, input) => expect(renew(change)).toEqual(input));

  it.each([
    [{}, 'fence'],
    [{ owner: null, fence: null }, 'fence'],
    [{ fence: 42 }, 'fence'],
    [{ fence: '', owner: 'me' }, 'fence'],
    [{ owner: '', fence: '42' }, 'owner'],
    [{ owner: '\ud800' }, 'owner'],
    [{ owner: 'me', ttlMs: 0 }, 'ttlMs'],
    [{ owner: 'me', ttlMs: 86_400_001 }, 'ttlMs'],
    [{ owner: 'me', ttlMs: null }, 'ttlMs'],
  ])('refuses %j for %s', (change, parameter) => expect(() => renew(change)).toThrow(refusal(parameter)));
});

describe('parseCheckBody', () => {
  it('reads the fence', () => expect(parseCheckBody(bytes({ fence: '42' }))).toBe('42'));
  it.each([{}, { fence: 42 }, { fence: null }, { fence: '-1' }])('refuses %j', (body) => {
    expect(() => parseCheckBody(bytes(body))).toThrow(refusal('fence'));
  });
});
