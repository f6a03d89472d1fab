import { checkNewOwner, checkNewResource, checkOwner, checkResource, isLongerThan } from './lock-names.js';

const refusal = (parameter: string): Error =>
  expect.objectContaining({ kind: 'invalid-argument', status: 400, parameter });

const FIT = ['a', 'a/b', ' ', '|', 'a|b', '%2F', 'é', '\u0001', '🔒'.repeat(512), 'x'.repeat(512)];
const UNFIT = ['', 'x'.repeat(513), '🔒'.repeat(513), 'a\0b', '\ud800', 'a\udc00'];

describe('checkNewResource', () => {
  it.each(FIT)('takes %j', (text) => expect(checkNewResource(text)).toBe(text));
  it.each([...UNFIT, '||', 'a||b'])('refuses %j', (text) => {
    expect(() => checkNewResource(text)).toThrow(refusal('resource'));
  });
});

describe('checkResource', () => {
  it.each([...FIT, 'a\0b', 'x'.repeat(10_000)])('takes %j, which Dapr could store', (text) => {
    expect(checkResource(text)).toBe(text);
  });
  it.each(['||', 'a||b', '|||'])('refuses %j', (text) =>
    expect(() => checkResource(text)).toThrow(refusal('resource')),
  );
});

describe('checkNewOwner', () => {
  it.each([...FIT, 'a||b'])('takes %j', (text) => expect(checkNewOwner(text)).toBe(text));
  it.each([...UNFIT, 7, null, undefined, {}, ['a']])('refuses %j', (text) => {
    expect(() => checkNewOwner(text)).toThrow(refusal('owner'));
  });
});

describe('checkOwner', () => {
  it.each([...FIT, 'a\0b', 'x'.repeat(10_000)])('takes %j, which Dapr could store', (text) => {
    expect(checkOwner(text)).toBe(text);
  });
  it.each(['', '\ud800', 'a\udc00', 7, null])('refuses %j', (text) => {
    expect(() => checkOwner(text)).toThrow(refusal('owner'));
  });
});

describe('isLongerThan', () => {
  it.each([
    ['', 0, false],
    ['abc', 3, false],
    ['abcd', 3, true],
    ['🔒🔒', 2, false],
    ['🔒🔒a', 2, true],
    ['abcdefg', 3, true],
  ])('%j, %i: %s', (text, limit, isLonger) => expect(isLongerThan(text, limit)).toBe(isLonger));
});
