import { leastTimeMs } from '../../test/support/least-time.js';
import { Problem } from '../problem/problem.js';
import { parseLockFence } from './lock-fence.js';

describe('parseLockFence', () => {
  it.each([
    ['lockstore/job;1', 'lockstore', 'job', '1'],
    ['lockstore/job;9223372036854775807', 'lockstore', 'job', '9223372036854775807'],
    ['lockstore/a%2Fb%3Bc%2C%20d%25;42', 'lockstore', 'a/b;c, d%', '42'],
    ['lockstore/%C3%A9%F0%9F%94%92;42', 'lockstore', 'é🔒', '42'],
    ['lockstore/%EF%BB%BFa;42', 'lockstore', '\ufeffa', '42'],
    ["lockstore/-_.~!$&'()*+=:@;42", 'lockstore', "-_.~!$&'()*+=:@", '42'],
    // Dapr stores it, so it can be held.
    ['lockstore/a%00b;42', 'lockstore', 'a\0b', '42'],
    ['lockstore/a%7Cb;42', 'lockstore', 'a|b', '42'],
    ['my%20store%2F1/job;42', 'my store/1', 'job', '42'],
  ])('reads %s', (header, store, resource, fence) => {
    expect(parseLockFence(header)).toEqual({ store, resource, fence });
  });

  it.each([
    ['nothing', ''],
    ['a fence alone', '42'],
    ['no store', '/job;42'],
    ['no slash', 'lockstore;42'],
    ['no resource', 'lockstore/;42'],
    ['no fence', 'lockstore/job;'],
    ['no semicolon', 'lockstore/job'],
    ['the fence 0', 'lockstore/job;0'],
    ['a negative fence', 'lockstore/job;-1'],
    ['a sign', 'lockstore/job;+1'],
    ['a fence with leading zeros', 'lockstore/job;042'],
    ['a fence of 2^63', 'lockstore/job;9223372036854775808'],
    ['a fence of 20 digits', 'lockstore/job;10000000000000000000'],
    ['a fraction', 'lockstore/job;4.2'],
    ['an exponent', 'lockstore/job;1e3'],
    ['a hexadecimal fence', 'lockstore/job;0x2a'],
    ['digits of another script', 'lockstore/job;\u0664\u0662'],
    ['a quoted fence', 'lockstore/job;"42"'],
    ['a blank before the fence', 'lockstore/job; 42'],
    ['a blank behind the fence', 'lockstore/job;42 '],
    ['a line end behind the fence', 'lockstore/job;42\n'],
    ['a parameter behind the fence', 'lockstore/job;42;43'],
    ['a raw slash in the resource', 'lockstore/a/b;42'],
    ['a raw blank in the resource', 'lockstore/a b;42'],
    ['a raw byte in the resource', 'lockstore/\u00e9;42'],
    ['an escape cut short', 'lockstore/a%2;42'],
    ['an escape that is none', 'lockstore/a%zz;42'],
    ['a lone percent sign', 'lockstore/100%;42'],
    ['bytes that are not UTF-8', 'lockstore/%C3%28;42'],
    ['an encoded surrogate', 'lockstore/%ED%A0%80;42'],
    ['bad bytes in the store', 'lock%FFstore/job;42'],
    ['the separator', 'lockstore/a%7C%7Cb;42'],
    ['the separator, raw', 'lockstore/a||b;42'],
    ['two values', 'lockstore/job;42, lockstore/job;43'],
    ['the same value twice', 'lockstore/job;42, lockstore/job;42'],
    ['two values without a blank', 'lockstore/job;42,lockstore/job;42'],
    ['an empty value beside one', ', lockstore/job;42'],
  ])('refuses %s', (_what, header) => {
    let thrown: unknown;
    try {
      parseLockFence(header);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(Problem);
    expect(thrown).toMatchObject({ kind: 'invalid-argument', status: 400, parameter: 'Lock-Fence' });
  });

  it.each([
    ['letters', 'a'.repeat(32_000)],
    ['slashes', '/'.repeat(32_000)],
    ['escapes', `a/${'%41'.repeat(10_000)}`],
    ['percent signs', `a/${'%'.repeat(32_000)}`],
    ['digits', `a/b;${'9'.repeat(32_000)}`],
  ])('reads 32,000 %s in less than 10 ms', (_what, header) => {
    const parse = (): void => {
      try {
        parseLockFence(header);
      } catch {
        // Refused, as it must be.
      }
    };
    expect(leastTimeMs(parse)).toBeLessThan(10);
  });
});
