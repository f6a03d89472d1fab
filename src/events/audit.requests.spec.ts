import { parseQuery } from '../http/query-string';
import { encodePosition } from './audit-page';
import { type AuditQuery, auditQueryFrom } from './audit.requests';

const read = (query: string): AuditQuery => auditQueryFrom(parseQuery(query));

describe('the parameters of the audit log', () => {
  it('may all be left out or empty', () => {
    const nothing = { since: null, actor: null, surface: null, target: { kind: 'any' }, after: null, limit: 100 };
    expect(read('')).toEqual(nothing);
    expect(read('since=&actor=&surface=&target=&after=&limit=&unknown=1')).toEqual(nothing);
  });

  it.each([
    ['2026-01-31', '2026-01-31T00:00:00.000000Z'],
    ['2026-01-31T08:30Z', '2026-01-31T08:30:00.000000Z'],
    ['2026-01-31T08:30:59.1234567%2B05:30', '2026-01-31T08:30:59.123456+05:30'],
    ['2024-02-29T23:59:59,5-14:00', '2024-02-29T23:59:59.500000-14:00'],
  ])('take %s as an instant', (text, instant) => expect(read(`since=${text}`).since).toBe(instant));

  it.each([
    'since=yesterday',
    'since=1760000000',
    'since=2026-02-30',
    'since=2026-13-01',
    'since=2026-01-01T24:00Z',
    'since=2026-01-01T10:00',
    'since=2026-01-01T10:00:00+02:00',
    'since=2026-01-01T10:00:00%2B15:00',
    'since=2026-01-01T10:00ZT',
    'since=0000-01-01',
    'limit=0',
    'limit=-1',
    'limit=1001',
    'limit=1.5',
    'limit=1e2',
    'limit=ten',
    'limit=00001',
  ])('are refused where they cannot be read: %s', (query) => {
    const parameter = query.slice(0, query.indexOf('='));
    expect(() => read(query)).toThrow(expect.objectContaining({ kind: 'invalid-argument', status: 400, parameter }));
  });

  it('know a prefix by the star at its end', () => {
    expect(read('target=a*b').target).toEqual({ kind: 'exact', text: 'a*b' });
    expect(read('target=a*b*').target).toEqual({ kind: 'prefix', text: 'a*b' });
    expect(read('target=*').target).toEqual({ kind: 'prefix', text: '' });
  });

  it('count once, the first time', () => {
    expect(read('limit=5&limit=6&actor=a&actor=b')).toMatchObject({ limit: 5, actor: 'a' });
  });

  it('take the place that a page ended with', () => {
    const after = { at: '2026-01-01T00:00:00.000000Z', source: 'r', number: '7' } as const;
    expect(read(`after=${encodePosition(after)}`).after).toEqual(after);
  });
});
