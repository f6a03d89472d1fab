import { Problem } from '../../problem/problem.js';
import { parseChanges, parseJsonObject, parseNewContent } from './content-input.js';

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

describe('titles and descriptions', () => {
  const parsers = { parseNewContent, parseChanges };
  const bounds = { title: 1_000, description: 10_000 };

  describe.each(Object.keys(parsers) as (keyof typeof parsers)[])('%s', (parser) => {
    it.each(Object.keys(bounds) as (keyof typeof bounds)[])('bounds the %s by characters', (name) => {
      const parse = (text: string): unknown =>
        parsers[parser](Buffer.from(JSON.stringify({ '@type': 'Folder', [name]: text })))[name];
      const longest = '😀'.repeat(bounds[name]);
      expect(parse(longest)).toBe(longest);
      expect(refusalOf(() => parse(`${longest}x`))).toEqual([400, 'BadRequest']);
      expect(refusalOf(() => parse('x'.repeat(bounds[name] + 1)))).toEqual([400, 'BadRequest']);
    });
  });
});
