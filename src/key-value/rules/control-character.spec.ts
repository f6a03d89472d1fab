import { hasControlCharacter } from './control-character.js';

describe('hasControlCharacter', () => {
  it('finds exactly U+0000–U+001F and U+007F–U+009F', () => {
    for (let code = 0; code <= 0xffff; code++) {
      const isControl = code <= 0x1f || (code >= 0x7f && code <= 0x9f);
      if (hasControlCharacter(`a${String.fromCharCode(code)}`) !== isControl) throw new Error(`wrong for ${code}`);
    }
  });
});
