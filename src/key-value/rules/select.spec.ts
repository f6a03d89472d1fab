import { leastTimeMs } from '../../../test/support/least-time.js';
import { parseSelect } from './select.js';

const FIELDS = ['key', 'label', 'content_type', 'value', 'last_modified', 'tags', 'locked', 'etag'];

describe('parseSelect', () => {
  it.each<[string | undefined, string[] | null]>([
    [undefined, null],
    ['', null],
    [' ', null],
    [',', null],
    [' , ,', null],
    ['*', null],
    [' * ', null],
    ['key,*', null],
    ['*,nonsense', null],
    ['key', ['key']],
    ['key,value', ['key', 'value']],
    ['KEY, Content_Type ,', ['key', 'content_type']],
    ['key,key', ['key']],
    ['key,nonsense', ['key']],
    ['nonsense', []],
    ['nonsense,', []],
    ['key.x', []],
    ['tags', ['tags']],
    ['tags.env', ['tags']],
    ['Tags.', ['tags']],
    ['tagsx', []],
    ['name', []],
    ['__proto__,constructor', []],
  ])('reads %j as %j', (raw, fields) => {
    const selected = parseSelect(raw, FIELDS);
    expect(selected === null ? null : [...selected]).toEqual(fields);
  });

  it('knows only the fields of its resource', () => {
    expect(parseSelect('tags.x,name', ['name'])).toEqual(new Set(['name']));
  });

  it('takes linear time', () => {
    const text = 'a,'.repeat(200_000);
    expect(leastTimeMs(() => expect(parseSelect(text, FIELDS)?.size).toBe(0), 3)).toBeLessThan(3000);
  });
});
