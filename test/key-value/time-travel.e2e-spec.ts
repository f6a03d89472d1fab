import { type AzureAnswer } from '../support/azure-http';
import { expectEmpty, expectInvalidArgument } from '../support/expect-answer';
import { readPages } from '../support/pages';
import { startApp, type TestApp } from '../support/start-app';
import { dateHistory, putAll, removeAll } from './stored-key-values';

const START = Date.UTC(2024, 0, 1);
/** Seconds after the start of the story, as the two kinds of clients write them. */
const iso = (second: number): string => new Date(START + second * 1000).toISOString();
const rfc1123 = (second: number): string => new Date(START + second * 1000).toUTCString();
const at = (second: number) => ({ headers: { 'accept-datetime': rfc1123(second) } });

interface Item {
  key: string;
  label: string | null;
  value: string;
}

describe('Accept-Datetime', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());

  const states = (answer: AzureAnswer): string[] =>
    (answer.json.items as Item[]).map(({ key, value }) => `${key}${value}`);
  const names = (answer: AzureAnswer): (string | null)[] =>
    (answer.json.items as { name: string | null }[]).map(({ name }) => name);

  describe('of a short story', () => {
    beforeAll(async () => {
      await removeAll(app);
      const { azure } = app;
      await azure.put('/kv/a', { value: '1', tags: { t: '1' } });
      await azure.put('/kv/a', { value: '2', tags: { t: '2' }, content_type: 'x' });
      await dateHistory(app, 'a', '', [iso(10.25), iso(60)]);
      await azure.put('/kv/b?label=l', { value: '1' });
      await azure.delete('/kv/b?label=l');
      await azure.put('/kv/b?label=l', { value: '2' });
      await dateHistory(app, 'b', 'l', [iso(20), iso(40.999999), iso(80)]);
      await azure.put('/kv/c', { value: '1' });
      await azure.delete('/kv/c');
      await dateHistory(app, 'c', '', [iso(30), iso(70)]);
      await azure.put('/kv/d?label=m', { value: '1', tags: { t: '1' } });
      await dateHistory(app, 'd', 'm', [iso(50.5)]);
      await azure.put('/kv/e?label=now', { value: '1' });
    });

    const STORY: [second: number, keyValues: string[], labels: (string | null)[], revisions: string[]][] = [
      [9, [], [], []],
      [10, ['a1'], [null], ['a1']],
      [19, ['a1'], [null], ['a1']],
      [20, ['a1', 'b1'], [null, 'l'], ['a1', 'b1']],
      [39, ['a1', 'b1', 'c1'], [null, 'l'], ['a1', 'b1', 'c1']],
      [40, ['a1', 'c1'], [null], ['a1', 'b1', 'c1']],
      [50, ['a1', 'c1', 'd1'], [null, 'm'], ['a1', 'b1', 'c1', 'd1']],
      [59, ['a1', 'c1', 'd1'], [null, 'm'], ['a1', 'b1', 'c1', 'd1']],
      [60, ['a2', 'c1', 'd1'], [null, 'm'], ['a2', 'a1', 'b1', 'c1', 'd1']],
      [70, ['a2', 'd1'], [null, 'm'], ['a2', 'a1', 'b1', 'c1', 'd1']],
      [79, ['a2', 'd1'], [null, 'm'], ['a2', 'a1', 'b1', 'c1', 'd1']],
      [80, ['a2', 'b2', 'd1'], [null, 'l', 'm'], ['a2', 'a1', 'b2', 'b1', 'c1', 'd1']],
      [99_999, ['a2', 'b2', 'd1'], [null, 'l', 'm'], ['a2', 'a1', 'b2', 'b1', 'c1', 'd1']],
    ];

    it.each(STORY)('second %i', async (second, keyValues, labels, revisions) => {
      for (const written of [rfc1123(second), iso(second + 0.999)]) {
        const headers = { 'accept-datetime': written };
        expect(states(await app.azure.get('/kv', { headers }))).toEqual(keyValues);
        expect(names(await app.azure.get('/keys', { headers }))).toEqual(keyValues.map((state) => state[0]));
        expect(names(await app.azure.get('/labels', { headers }))).toEqual(labels);
        expect(states(await app.azure.get('/revisions', { headers }))).toEqual(revisions);
        for (const target of ['/kv/a', '/kv/b?label=l', '/kv/c', '/kv/d?label=m', '/kv/e?label=now']) {
          const answer = await app.azure.get(target, { headers });
          const state = keyValues.find((known) => known[0] === target[4]);
          if (state === undefined) expectEmpty(answer, 404);
          else expect(answer.json.value).toBe(state[1]);
        }
      }
    });

    it('shows a state exactly as it was', async () => {
      const { json, headers } = await app.azure.get('/kv/a', at(59));
      expect(json).toMatchObject({ key: 'a', value: '1', content_type: null, tags: { t: '1' } });
      expect(json.last_modified).toBe('2024-01-01T00:00:10+00:00');
      expect(headers['last-modified']).toBe('Mon, 01 Jan 2024 00:00:10 GMT');
      expect(headers.etag).toBe(`"${json.etag}"`);
      expect(json.etag).not.toBe((await app.azure.get('/kv/a')).json.etag);
      expect((await app.azure.get('/kv', at(59))).json.items[0]).toEqual(json);
      expect((await app.azure.get('/revisions?key=a', at(59))).json.items).toEqual([json]);
    });

    it('combines with filters, which are of that state', async () => {
      expect(states(await app.azure.get('/kv?tags=t=1', at(59)))).toEqual(['a1', 'd1']);
      expect(states(await app.azure.get('/kv?tags=t=1', at(60)))).toEqual(['d1']);
      expect(states(await app.azure.get('/kv?key=b*&label=l', at(39)))).toEqual(['b1']);
      expect(states(await app.azure.get('/kv?key=c,d&label=%00', at(59)))).toEqual(['c1']);
      expect(states(await app.azure.get('/revisions?tags=t=2', at(60)))).toEqual(['a2']);
      expect(names(await app.azure.get('/keys?name=b,c', at(40)))).toEqual(['c']);
      expect(names(await app.azure.get('/labels?name=l*', at(40)))).toEqual([]);
      const newer = app.azure.withVersion('2024-09-01');
      expect((await newer.get('/kv/a?tags=t=1', at(59))).status).toBe(200);
      expectEmpty(await newer.get('/kv/a?tags=t=1', at(60)), 404);
      expect((await app.azure.get('/kv/a?$select=value', at(59))).text).toBe('{"value":"1"}');
    });

    it('does not hide faults of the request', async () => {
      expectInvalidArgument(await app.azure.get('/kv?key=a*b', at(59)), 'key', 'key(1): Invalid character');
      expectInvalidArgument(await app.azure.get('/kv/%07', at(59)), 'key');
    });

    describe('marks its answers', () => {
      const TARGETS = ['/kv', '/kv/a', '/kv/c?$select=key', '/keys?name=a*', '/labels', '/revisions?label=%00'];

      it.each(TARGETS)('%s', async (target) => {
        for (const [method, written] of [
          ['GET', rfc1123(59)],
          ['HEAD', rfc1123(59)],
          ['GET', '2024-01-01T00:00:59.000Z'],
          ['GET', '2024-01-01T02:00:59+02:00'],
        ]) {
          const answer = await app.azure.send(method!, target, { headers: { 'accept-datetime': written! } });
          expect(answer.status).toBe(200);
          expect(answer.headers['memento-datetime']).toBe('Mon, 01 Jan 2024 00:00:59 GMT');
          const original = `${target}${target.includes('?') ? '&' : '?'}api-version=2023-11-01`;
          expect(answer.headers.link).toBe(`<${original}>; rel="original"`);
        }
      });

      it('with the target as it was requested', async () => {
        const target = '/kv?Key=%61*&x="<>&label=a+b%2C&api-version=1.0';
        const answer = await app.azure.get(target, at(59));
        expect(answer.headers.link).toBe('</kv?Key=%61*&x=%22%3C%3E&label=a+b%2C&api-version=1.0>; rel="original"');
      });

      it('404s included', async () => {
        for (const target of ['/kv/c', '/kv/e?label=now', '/kv/never']) {
          const answer = await app.azure.get(target, at(75));
          expectEmpty(answer, 404);
          expect(answer.headers['memento-datetime']).toBe(rfc1123(75));
          expect(answer.headers.link).toMatch(/^<\/kv\/[^>]+>; rel="original"$/);
          expect(answer.headers['sync-token']).toBeDefined();
        }
      });

      it('304s of lists included', async () => {
        const list = await app.azure.get('/kv', at(59));
        const headers = { 'accept-datetime': rfc1123(59), 'if-none-match': list.headers.etag! };
        const answer = await app.azure.get('/kv', { headers });
        expectEmpty(answer, 304);
        expect(answer.headers['memento-datetime']).toBe(rfc1123(59));
        expect(answer.headers.link).toBe('</kv?api-version=2023-11-01>; rel="original"');
      });
    });

    describe('is ignored', () => {
      it.each([
        ['in the future', new Date(Date.now() + 3_600_000).toUTCString()],
        ['in the far future', '9999-12-31T23:59:59Z'],
        ['that is no date', 'yesterday'],
        ['that is no real date', 'Fri, 30 Feb 2024 00:00:00 GMT'],
        ['that is a number', '1704067200'],
        ['that is empty', ''],
        ['in another form', '01/01/2024'],
      ])('%s', async (_, written) => {
        const headers = { 'accept-datetime': written };
        for (const target of ['/kv', '/kv/a', '/keys', '/labels', '/revisions']) {
          const answer = await app.azure.get(target, { headers });
          expect(answer.status).toBe(200);
          expect(answer.text).toBe((await app.azure.get(target)).text);
          expect(answer.headers['memento-datetime']).toBeUndefined();
          expect(answer.headers.link).toBeUndefined();
        }
        const missing = await app.azure.get('/kv/c', { headers });
        expectEmpty(missing, 404);
        expect(missing.headers['memento-datetime']).toBeUndefined();
      });

      it('by writes', async () => {
        const answer = await app.azure.put('/kv/f', { value: '1' }, at(59));
        expect(answer.status).toBe(200);
        expect(answer.headers['memento-datetime']).toBeUndefined();
        expect((await app.azure.delete('/kv/f', at(59))).headers.link).toBeUndefined();
      });
    });

    it('shows nothing before the beginning of time', async () => {
      const answer = await app.azure.get('/kv', { headers: { 'accept-datetime': '0001-01-01T00:00:00Z' } });
      expect(states(answer)).toEqual([]);
      expect(answer.headers['memento-datetime']).toBe('Mon, 01 Jan 0001 00:00:00 GMT');
    });

    it('works in 1.0', async () => {
      const answer = await app.azure.withVersion('1.0').get('/kv', at(39));
      expect(states(answer)).toEqual(['a1', 'b1', 'c1']);
      expect(Object.keys(answer.json)).toEqual(['items']);
    });
  });

  it('of the second of a change shows that change', async () => {
    const { json } = await app.azure.put('/kv/just', { value: 'now' });
    for (const written of [json.last_modified, new Date(json.last_modified).toUTCString()]) {
      const headers = { 'accept-datetime': written };
      const answer = await app.azure.get('/kv/just', { headers });
      expect(answer.json).toEqual(json);
      expect(answer.headers['memento-datetime']).toBe(new Date(json.last_modified).toUTCString());
      expect((await app.azure.get('/kv?key=just', { headers })).json.items).toEqual([json]);
      expect(names(await app.azure.get('/keys?name=just', { headers }))).toEqual(['just']);
    }
  });

  describe('pages', () => {
    const KEYS = Array.from({ length: 150 }, (_, i) => `k${String(i).padStart(3, '0')}`);
    const PAST = { headers: { 'accept-datetime': rfc1123(0) } };

    beforeEach(async () => {
      await removeAll(app);
      await putAll(
        app,
        KEYS.map((key) => ({ key, label: `l${key}`, value: 'then' })),
      );
      await app.sql('UPDATE key_value SET last_modified = $1', [iso(0)]);
      await app.sql('UPDATE key_value_revision SET last_modified = $1', [iso(0)]);
    });

    /** Everything that may happen to what the next page shows, and to the item that its token names. */
    const writeOn = async (): Promise<void> => {
      for (const key of ['k098', 'k099', 'k100', 'k120']) await app.azure.delete(`/kv/${key}?label=l${key}`);
      for (const key of ['k101', 'k130']) await app.azure.put(`/kv/${key}?label=l${key}`, { value: 'now' });
      await app.azure.put('/kv/k120?label=lk120', { value: 'again' });
      await putAll(app, [{ key: 'k0995' }, { key: 'k105', label: 'other' }, { key: 'z', label: 'z' }]);
    };

    it.each([
      ['/kv', KEYS],
      ['/revisions', KEYS],
      ['/keys', KEYS],
      ['/labels', KEYS.map((key) => `l${key}`)],
    ])('of %s stay as they were while writes go on', async (path, expected) => {
      const first = await app.azure.get(path, PAST);
      const original = `</`.concat(path.slice(1), '?api-version=2023-11-01>; rel="original"');
      expect(first.headers.link).toBe(`<${first.json['@nextLink']}>; rel="next", ${original}`);
      expect(first.headers['memento-datetime']).toBe(rfc1123(0));
      await writeOn();
      const [second, ...others] = await readPages(app.azure, first.json['@nextLink'], PAST);
      expect(others).toEqual([]);
      expect(second!.headers.link).toBe(`<${first.json['@nextLink']}>; rel="original"`);
      const items = [...first.json.items, ...second!.json.items] as (Item & { name: string })[];
      expect(items.map((item) => item.name ?? item.key)).toEqual(expected);
      if (path === '/kv' || path === '/revisions') expect(new Set(items.map(({ value }) => value)).size).toBe(1);
      expect((await app.azure.get(path, PAST)).text).toBe(first.text);
    });

    it('full of what is gone by now are followed by the next', async () => {
      for (const key of KEYS.slice(0, 60)) await app.azure.delete(`/kv/${key}?label=l${key}`);
      const pages = await readPages(app.azure, '/kv', PAST);
      expect(pages.map((page) => page.json.items.length)).toEqual([100, 50]);
      expect((await app.azure.get('/kv')).json.items).toHaveLength(90);
    });

    it('before most was made go on to the end', async () => {
      await app.sql(`UPDATE key_value_revision SET last_modified = $1 WHERE key < 'k140'`, [iso(1)]);
      const pages = await readPages(app.azure, '/kv', PAST);
      expect(pages.map((page) => page.json.items.length)).toEqual([10]);
    });
  });
});
