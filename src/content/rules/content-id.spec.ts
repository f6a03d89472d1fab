import { checkId, checkUid, idFromTitle } from './content-id.js';

describe('an id from a title', () => {
  it.each([
    ['My Page', 'my-page'],
    ['  A  --  B  ', 'a-b'],
    ["Don't “quote” me", 'dont-quote-me'],
    ['Über Ärger, Öl & Straße', 'uber-arger-ol-strasse'],
    ['Ærø Łódź', 'aero-lodz'],
    ['Привет Мир', 'privet-mir'],
    ['Αθήνα', 'athina'],
    ['日本', '65e5672c'],
    ['1.0 (beta)', '1-0-beta'],
    ['_private_', 'private_'],
    ['@lock', 'lock'],
    ['a/b\\c%2f\u0000d', 'a-b-c-2f-d'],
    ['😀', 'document'],
    ['', 'document'],
    ['...', 'document'],
  ])('%j is %j', (title, id) => {
    expect(idFromTitle(title, 'document')).toBe(id);
    expect(checkId(id)).toBe(id);
  });

  it('is cut between words at 255 characters', () => {
    expect(idFromTitle('word '.repeat(200), 'x')).toBe('word-'.repeat(51).slice(0, -1));
    expect(idFromTitle(`${'a'.repeat(200)} ${'b'.repeat(200)}`, 'x')).toBe('a'.repeat(200));
    expect(idFromTitle(`a ${'b'.repeat(300)}`, 'x')).toBe('a');
    expect(idFromTitle('c'.repeat(500_000), 'x')).toBe('c'.repeat(255));
    expect(idFromTitle(`${'d'.repeat(255)} e`, 'x')).toBe('d'.repeat(255));
  });
});

describe('an id that is given', () => {
  it.each(['a', 'A.b-c_d', 'index.html', '...a', '~x', '(1)$', '.well-known', 'x'.repeat(255)])('may be %j', (id) => {
    expect(checkId(id)).toBe(id);
  });

  it.each([
    '',
    '.',
    '..',
    '...',
    '_x',
    '@x',
    '+x',
    'a/b',
    'a b',
    'a\u0000',
    'é',
    '%41',
    'x'.repeat(256),
    '\ud800',
    7,
    {},
    [],
    true,
  ])('may not be %j', (id) => expect(() => checkId(id)).toThrow(/id/));
});

it('a UID has 32 hexadecimal digits in lower case', () => {
  expect(checkUid('0123456789abcdef'.repeat(2))).toHaveLength(32);
  for (const uid of ['', 'x', '0123456789ABCDEF'.repeat(2), `${'0'.repeat(32)}\n`, 5])
    expect(() => checkUid(uid)).toThrow();
});
