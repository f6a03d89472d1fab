import { parseLockToken } from './lock-token.js';

const TOKEN = '0b4b8b7c-1f0e-4d4c-9a53-5cf3c3f6a111';

it.each<[string | undefined, string | null]>([
  [undefined, null],
  ['', null],
  ['  ', null],
  ['<>', null],
  [TOKEN, TOKEN],
  [` ${TOKEN} `, TOKEN],
  [`<opaquelocktoken:${TOKEN}>`, TOKEN],
  [`<OpaqueLockToken:${TOKEN}>`, TOKEN],
  [`opaquelocktoken:${TOKEN}`, TOKEN],
  [`<urn:uuid:${TOKEN}>`, TOKEN],
  [`<${TOKEN}>`, TOKEN],
  [`<${TOKEN}`, `<${TOKEN}`],
  ['anything', 'anything'],
])('Lock-Token %j names %j', (header, token) => expect(parseLockToken(header)).toBe(token));
