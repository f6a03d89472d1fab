import { Problem } from '../../problem/problem.js';
import { parseLockOptions, parseRefresh, parseReleaseToken, parseUnlock } from './lock-input.js';

const bytes = (text: string): Buffer => Buffer.from(text);
function statusOf(act: () => unknown): number {
  try {
    act();
  } catch (error) {
    if (error instanceof Problem) return error.status;
    throw error;
  }
  return 200;
}

describe('parseLockOptions', () => {
  const NONE = { timeout: null, stealable: null, force: false };

  it.each<[string, object]>([
    ['', NONE],
    ['{}', NONE],
    ['{"timeout":null,"stealable":null,"force":null}', NONE],
    ['{"other":{"timeout":1}}', NONE],
    ['{"stealable":false,"timeout":3600}', { ...NONE, stealable: false, timeout: 3600 }],
    ['{"force":true,"timeout":1}', { ...NONE, force: true, timeout: 1 }],
    ['{"timeout":86400}', { ...NONE, timeout: 86_400 }],
    ['{"timeout":86401}', { ...NONE, timeout: 86_400 }],
    ['{"timeout":1e300}', { ...NONE, timeout: 86_400 }],
  ])('reads %s', (body, options) => {
    expect(parseLockOptions(bytes(body))).toEqual(options);
  });

  it.each(['[]', '{bad', 'null', '"{}"', '{"timeout":"600"}', '{"timeout":0}', '{"timeout":-5}', '{"timeout":1.5}'])(
    'refuses %s',
    (body) => {
      expect(statusOf(() => parseLockOptions(bytes(body)))).toBe(400);
    },
  );

  it.each(['{"timeout":true}', '{"timeout":[]}', '{"stealable":1}', '{"stealable":"true"}', '{"force":"yes"}'])(
    'refuses %s',
    (body) => {
      expect(statusOf(() => parseLockOptions(bytes(body)))).toBe(400);
    },
  );
});

describe('parseRefresh and parseUnlock', () => {
  it('read one member each and judge no other', () => {
    expect(parseRefresh(bytes('{"timeout":5,"force":"x","stealable":"x"}'))).toBe(5);
    expect(parseRefresh(bytes(''))).toBeNull();
    expect(parseUnlock(bytes('{"force":true,"timeout":"x"}'))).toBe(true);
    expect(parseUnlock(bytes('{"force":false}'))).toBe(false);
    expect(parseUnlock(bytes(''))).toBe(false);
  });
});

describe('parseReleaseToken', () => {
  it('is the body without white space around it', () => {
    expect(parseReleaseToken(bytes(' abc\n'))).toBe('abc');
    expect(parseReleaseToken(bytes('a'.repeat(256)))).toHaveLength(256);
  });

  it.each([
    ['', 400],
    [' \r\n', 400],
    ['a\0b', 400],
    ['a'.repeat(257), 413],
  ])('refuses %j', (body, status) => {
    expect(statusOf(() => parseReleaseToken(bytes(body)))).toBe(status);
  });
});
