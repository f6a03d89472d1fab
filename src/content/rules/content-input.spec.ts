import { Problem } from '../../problem/problem.js';
import { parseJsonObject } from './content-input.js';

/** Type of the error that an act is refused with. */
function refusalOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { type, error: ofService } = error.members as { type?: string; error?: { type: string } };
    return [error.status, ofService?.type ?? type];
  }
  return 'none';
}

describe('parseJsonObject', () => {
  it.each(['', '{}', '\ufeff{}', ' {\r\n} '])('reads %j', (body) => {
    expect(parseJsonObject(Buffer.from(body))).toEqual({});
  });

  it('reads a member with the mark of a byte order, commas and slashes in texts', () => {
    expect(parseJsonObject(Buffer.from('\ufeff{"a":"//,}","b":"\ufeff"}'))).toEqual({ a: '//,}', b: '\ufeff' });
  });

  it.each(['{"force":true,}', '{"force":true}//', '/**/{}', '{"a":[1,]}', '\ufeff\ufeff{}', '{"a":1', '[]', 'null'])(
    'takes %j for no JSON object',
    (body) => {
      expect(refusalOf(() => parseJsonObject(Buffer.from(body)))).toEqual([400, 'DeserializationError']);
    },
  );
});
