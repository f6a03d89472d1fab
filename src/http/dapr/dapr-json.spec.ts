import fc from 'fast-check';
import { leastTimeMs } from '../../../test/support/least-time';
import { daprJson, daprJsonAnswer } from './dapr-json';

describe('daprJson', () => {
  it('escapes what Go escapes', () => {
    expect(daprJson({ message: 'a<b>&"\\\u2028\u2029\n\u0001é😀' })).toBe(
      '{"message":"a\\u003cb\\u003e\\u0026\\"\\\\\\u2028\\u2029\\n\\u0001é😀"}',
    );
  });

  it('keeps the value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) =>
        expect(JSON.parse(daprJson(value))).toEqual(JSON.parse(JSON.stringify(value))),
      ),
    );
  });

  it('takes no time to speak of for 4 MiB of what it escapes', () => {
    const text = '<>&\u2028'.repeat(1024 * 1024);
    expect(leastTimeMs(() => daprJson(text), 3)).toBeLessThan(4000);
  });
});

describe('daprJsonAnswer', () => {
  it('names the type without a charset', () => {
    expect(daprJsonAnswer(200, { success: true }, ['Retry-After', '1'])).toEqual({
      status: 200,
      headers: ['Content-Type', 'application/json', 'Retry-After', '1'],
      body: '{"success":true}',
    });
  });
});
