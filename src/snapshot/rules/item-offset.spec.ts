import { encodeTokenText } from '../../key-value/rules/continuation-token.js';
import { decodeOffsetToken, offsetTokenText } from './item-offset.js';

describe('decodeOffsetToken', () => {
  it.each([0, 100, 15_500])('reads what was written for %i', (offset) => {
    expect(decodeOffsetToken(encodeTokenText(offsetTokenText(offset)))).toBe(offset);
  });

  it.each(['', '-1', '1.5', ' 1', 'x', '1\n', '10000000000', '٣'])('does not read %j', (text) => {
    expect(decodeOffsetToken(encodeTokenText(text))).toBeNull();
  });
});
