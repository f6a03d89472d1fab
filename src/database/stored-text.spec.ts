import * as fc from 'fast-check';
import { fromStoredText, toStoredText } from './stored-text.js';

describe('stored text', () => {
  it('brings back every well-formed text', () => {
    const text = fc.string({ unit: fc.constantFrom('\u0000', '\u0001', '0', '1', 'a', 'é', '😀'), maxLength: 12 });
    fc.assert(
      fc.property(text, (original) => fromStoredText(toStoredText(original)) === original),
      { numRuns: 2000 },
    );
  });

  it('never stores U+0000', () => {
    expect(toStoredText('a\u0000b\u0001')).toBe('a\u00010b\u00011');
  });

  it('leaves ordinary text as it is', () => {
    expect(toStoredText('plain')).toBe('plain');
  });
});
