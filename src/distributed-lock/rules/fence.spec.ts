import { parseFence } from './fence.js';

describe('parseFence', () => {
  it.each(['0', '7', '42', '9223372036854775807'])('reads %s', (text) => {
    expect(parseFence('fence', text)).toBe(text);
  });

  it.each([
    '',
    ' 42',
    '42\n',
    '042',
    '+42',
    '-1',
    '4.2',
    '4e2',
    '0x2a',
    '٤٢',
    '42, 43',
    '9223372036854775808',
    '9'.repeat(20),
    42,
    null,
    undefined,
    {},
    ['42'],
  ])('refuses %j by the name of the parameter', (text) => {
    expect(() => parseFence('Lock-Fence', text)).toThrow(
      expect.objectContaining({ kind: 'invalid-argument', status: 400, parameter: 'Lock-Fence' }),
    );
  });
});
