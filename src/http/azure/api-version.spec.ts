import { leastTimeMs } from '../../../test/support/least-time.js';
import { parseQuery } from '../query-string.js';
import { type Capability, negotiateApiVersion, SUPPORTED_API_VERSIONS, unsupportedApiVersion } from './api-version.js';

const URI = 'https://contoso.azconfig.io/kv';
const negotiate = (query: string, defaultVersion?: string): string =>
  negotiateApiVersion(parseQuery(query), defaultVersion, () => URI).text;

const doesNotSupport = (version: string): string =>
  `The HTTP resource that matches the request URI '${URI}' does not support the API version '${version}'.`;

const problem = (title: string, detail: string): Error =>
  expect.objectContaining({ kind: 'invalid-argument', status: 400, parameter: 'api-version', title, detail }) as Error;

describe('negotiateApiVersion', () => {
  it.each([
    ['api-version=1.0', '1.0'],
    ['api-version=2023-10-01', '2023-10-01'],
    ['api-version=2023-11-01', '2023-11-01'],
    ['api-version=2024-09-01', '2024-09-01'],
    ['api-version=2026-04-01', '2026-04-01'],
    ['API-Version=1.0&key=a', '1.0'],
    ['api-version=1.0&api-version=1.0', '1.0'],
    ['api-version=1.0&Api-Version=1.0&api-version=', '1.0'],
    ['api-version=&api-version=1.0', '1.0'],
  ])('reads %j', (query, version) => {
    expect(negotiate(query)).toBe(version);
  });

  it('supports the released versions only', () => {
    expect(SUPPORTED_API_VERSIONS).toEqual(['1.0', '2023-10-01', '2023-11-01', '2024-09-01', '2026-04-01']);
  });

  it.each(['', 'key=a', 'api-version', 'api-version='])('refuses %j without a version', (query) => {
    expect(() => negotiate(query)).toThrow(
      problem('API version is not specified', 'An API version is required, but was not specified.'),
    );
  });

  it.each(['', 'api-version='])('assumes the configured version for %j', (query) => {
    expect(negotiate(query, '1.0')).toBe('1.0');
  });

  it('prefers the requested version to the configured one', () => {
    expect(negotiate('api-version=2023-11-01', '1.0')).toBe('2023-11-01');
    expect(() => negotiate('api-version=9.9', '1.0')).toThrow(
      problem('Unsupported API version', doesNotSupport('9.9')),
    );
  });

  it.each([
    '2.0',
    '1.1',
    '10.25',
    '01.0',
    '1.0-preview',
    '2022-11-01-preview',
    '2025-07-01-preview',
    '2026-05-01-preview',
    '2026-10-01-preview',
    '2024-02-29',
    '2023-10-02',
    '2023-10-01-beta1',
    '1970-01-01',
  ])('answers %j as unsupported', (version) => {
    expect(() => negotiate(`api-version=${version}`)).toThrow(
      problem('Unsupported API version', doesNotSupport(version)),
    );
  });

  it.each([
    '1',
    '1.',
    '.1',
    '1.0.0',
    '-1.0',
    'v1.0',
    '1.0 ',
    '1,0',
    'abc',
    '*',
    '__proto__',
    '2023-13-01',
    '2023-02-30',
    '2023-1-1',
    '2023-10-1',
    '20231001',
    '2023/10/01',
    '2023-10-01-',
    '2023-10-01-1beta',
    '2023-10-01preview',
    '2023-10-01-pre view',
    '2023-10-01-prévue',
    '2023-10-01T00:00:00Z',
    '12345678901.0',
  ])('answers %j as invalid', (version) => {
    expect(() => negotiate(`api-version=${encodeURIComponent(version)}`)).toThrow(
      problem('Invalid API version', doesNotSupport(version)),
    );
  });

  it('answers different values as ambiguous', () => {
    expect(() => negotiate('api-version=1.0&API-VERSION=2023-11-01&api-version=1.0')).toThrow(
      problem(
        'Ambiguous API version',
        'The following API versions were requested: 1.0, 2023-11-01. At most, only a single API version may be specified. ' +
          'Please update the intended API version and retry the request.',
      ),
    );
  });

  it('shares one instance of each version', () => {
    const query = parseQuery('api-version=1.0');
    expect(negotiateApiVersion(query, undefined, () => URI)).toBe(negotiateApiVersion(query, undefined, () => URI));
  });

  it.each(['9', '9.', '2023-10-01-a', '-'])('takes linear time for a long run of %j', (unit) => {
    const query = `api-version=${unit.repeat(200_000)}`;
    expect(leastTimeMs(() => expect(() => negotiate(query)).toThrow(), 3)).toBeLessThan(3000);
  });
});

describe('ApiVersion', () => {
  it.each<[string, Capability[]]>([
    ['1.0', []],
    ['2023-10-01', ['pageEtags', 'snapshots']],
    ['2023-11-01', ['pageEtags', 'snapshots', 'tagFilterOnLists']],
    ['2024-09-01', ['pageEtags', 'snapshots', 'tagFilterOnLists', 'tagFilterOnKeyValue']],
    ['2026-04-01', ['pageEtags', 'snapshots', 'tagFilterOnLists', 'tagFilterOnKeyValue', 'description']],
  ])('%s has %j', (text, expected) => {
    const version = negotiateApiVersion(parseQuery(`api-version=${text}`), undefined, () => URI);
    const all: Capability[] = ['pageEtags', 'snapshots', 'tagFilterOnLists', 'tagFilterOnKeyValue', 'description'];
    expect(all.filter((capability) => version.has(capability))).toEqual(expected);
  });
});

describe('unsupportedApiVersion', () => {
  it('names the resource and the version', () => {
    expect(unsupportedApiVersion(URI, '1.0')).toEqual(problem('Unsupported API version', doesNotSupport('1.0')));
  });
});
