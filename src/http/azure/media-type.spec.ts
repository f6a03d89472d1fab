import { leastTimeMs } from '../../../test/support/least-time.js';
import { isJsonBody, negotiate } from './media-type.js';

const KV = 'application/vnd.microsoft.appconfig.kv+json';
const VENDOR = `${KV}; charset=utf-8`;
const JSON_TYPE = 'application/json; charset=utf-8';

describe('negotiate', () => {
  it.each([
    [undefined, VENDOR],
    ['', VENDOR],
    ['*/*', VENDOR],
    ['application/*', VENDOR],
    [KV, VENDOR],
    [KV.toUpperCase(), VENDOR],
    [`${KV}, application/json, application/problem+json`, VENDOR],
    [`application/json, ${KV};q=0.1`, VENDOR],
    [`${KV};charset=utf-8`, VENDOR],
    ['application/json, text/plain, */*', VENDOR],
    ['application/json, application/*;q=0.5', VENDOR],
    ['text/html', VENDOR],
    ['text/html, image/*;q=0.8', VENDOR],
    ['application/problem+json', VENDOR],
    ['nonsense', VENDOR],
    [',;=,"', VENDOR],
    ['*', VENDOR],
    ['text/json', VENDOR],
    ['application/json;q=0', VENDOR],
    ['application/json', JSON_TYPE],
    ['Application/JSON', JSON_TYPE],
    ['application/json; charset=utf-8', JSON_TYPE],
    ['application/json;q=0.3, text/html', JSON_TYPE],
    ['application/json, application/problem+json', JSON_TYPE],
    [`application/json, ${KV};q=0`, JSON_TYPE],
    [`${KV};q=0, */*`, JSON_TYPE],
    ['application/json, */*;q=0', JSON_TYPE],
    ['application/json, */*; Q=0.000', JSON_TYPE],
    ['application/json, */*;q=nonsense', VENDOR],
    ['application/json, */*;q=0.01', VENDOR],
    ['*/*;q=0', VENDOR],
  ])('answers Accept %j with %j', (accept, contentType) => {
    expect(negotiate(accept, KV)).toBe(contentType);
  });

  it('knows every vendor type by itself', () => {
    const keys = 'application/vnd.microsoft.appconfig.keyset+json';
    expect(negotiate(KV, keys)).toBe(`${keys}; charset=utf-8`);
    expect(negotiate('application/json', keys)).toBe(JSON_TYPE);
    expect(negotiate(`${KV}, application/problem+json`, 'application/json')).toBe(JSON_TYPE);
  });

  it.each([',', ';', '*/*,', ';q=0', ' '])('takes linear time for a long run of %j', (unit) => {
    const accept = unit.repeat(200_000);
    expect(leastTimeMs(() => negotiate(accept, KV), 3)).toBeLessThan(3000);
  });
});

describe('isJsonBody', () => {
  it.each([
    [KV, true],
    [`${KV};charset=utf-8`, true],
    [KV.toUpperCase(), true],
    ['application/json', true],
    ['application/json; charset=utf-8', true],
    ['application/json;', true],
    ['APPLICATION/JSON', true],
    [' application/json ', true],
    ['text/json', true],
    ['text/json; charset="utf-8"', true],
    ['application/merge-patch+json', true],
    ['application/vnd.example.v1+json; profile="x"', true],
    [undefined, false],
    ['', false],
    ['application/xml', false],
    ['text/plain', false],
    ['application/jsonx', false],
    ['application/+json', false],
    ['text/x+json', false],
    ['application/a/b+json', false],
    ['application/x y+json', false],
    ['application/x,application/y+json', false],
    ['application/x-www-form-urlencoded', false],
    ['json', false],
  ])('of %j is %j', (contentType, isAccepted) => {
    expect(isJsonBody(contentType)).toBe(isAccepted);
  });
});
