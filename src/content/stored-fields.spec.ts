import * as fc from 'fast-check';
import { fromStoredFields, toStoredFields } from './stored-fields.js';

const text = fc.string({
  unit: fc.constantFrom('\u0000', '\u0001', '\\', 'u', '0', '1', '"', 'a', '😀'),
  maxLength: 12,
});

describe('stored fields', () => {
  it('bring back every object, names included', () => {
    fc.assert(
      fc.property(fc.dictionary(text, fc.oneof(text, fc.array(text), fc.integer())), (fields) => {
        const stored = toStoredFields(fields);
        expect(fromStoredFields(stored)).toEqual({ ...fields });
        // What PostgreSQL's JSON functions refuse; in pairs a backslash is only a character.
        expect(stored.replaceAll('\\\\', '')).not.toContain('\\u0000');
      }),
      { numRuns: 2000 },
    );
  });

  it('keep the order of members', () => {
    expect(toStoredFields({ z: 1, a: { y: 2, b: 3 } })).toBe('{"z":1,"a":{"y":2,"b":3}}');
  });
});
