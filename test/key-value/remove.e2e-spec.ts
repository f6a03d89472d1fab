import { expectEmpty, expectKeyLocked } from '../support/expect-answer';
import { startApp, type TestApp } from '../support/start-app';
import { countRevisions, dateHistory, lock, removeAll } from './stored-key-values';

const KV_TYPE = 'application/vnd.microsoft.appconfig.kv+json; charset=utf-8';

describe('DELETE /kv/{key}', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());
  beforeEach(() => removeAll(app));

  it('answers with the representation as it was before', async () => {
    const put = await app.azure.put('/kv/a?label=l', { value: 'v', content_type: 't', tags: { a: 'b' } });
    await dateHistory(app, 'a', 'l', ['2020-02-03T04:05:06Z']);
    const answer = await app.azure.delete('/kv/a?label=l');
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ ...put.json, last_modified: '2020-02-03T04:05:06+00:00' });
    expect(Object.keys(answer.json)).toEqual(Object.keys(put.json));
    expect(answer.headers['content-type']).toBe(KV_TYPE);
    expect(answer.headers.etag).toBe(put.headers.etag);
    expect(answer.headers['last-modified']).toBe('Mon, 03 Feb 2020 04:05:06 GMT');
    expect(answer.headers['sync-token']).toBeDefined();
  });

  it('takes the key-value out of every collection', async () => {
    await app.azure.put('/kv/a?label=l', {});
    await app.azure.put('/kv/b', {});
    await app.azure.delete('/kv/a?label=l');
    expectEmpty(await app.azure.get('/kv/a?label=l'), 404);
    expect((await app.azure.get('/kv?$select=key')).json.items).toEqual([{ key: 'b' }]);
    expect((await app.azure.get('/keys')).json.items).toEqual([{ name: 'b' }]);
    expect((await app.azure.get('/labels')).json.items).toEqual([{ name: null }]);
  });

  it.each(['never made', 'deleted before'])('answers 204 where there is nothing: %s', async (what) => {
    if (what === 'deleted before') {
      await app.azure.put('/kv/a', {});
      await app.azure.delete('/kv/a');
    }
    const answer = await app.azure.delete('/kv/a');
    expectEmpty(answer, 204);
    expect(answer.headers['content-type']).toBe(KV_TYPE);
    expect(answer.headers['sync-token']).toBeDefined();
    expect(answer.headers.etag).toBeUndefined();
    expect(answer.headers['last-modified']).toBeUndefined();
  });

  it('removes only the label it names', async () => {
    await app.azure.put('/kv/a', {});
    await app.azure.put('/kv/a?label=l', {});
    expect((await app.azure.delete('/kv/a?label=%00')).json.label).toBeNull();
    expect((await app.azure.get('/kv/a?label=l')).status).toBe(200);
    expectEmpty(await app.azure.delete('/kv/a?label=*'), 204);
    expect((await app.azure.get('/kv/a?label=l')).status).toBe(200);
  });

  it('keeps the revisions and lists none for itself', async () => {
    await app.azure.put('/kv/a', { value: '1' });
    await app.azure.put('/kv/a', { value: '2' });
    await app.azure.delete('/kv/a');
    const { items } = (await app.azure.get('/revisions?key=a&$select=value')).json;
    expect(items).toEqual([{ value: '2' }, { value: '1' }]);
    // The tombstone itself, which hides the key-value from then on.
    expect(await countRevisions(app, 'a')).toBe(3);
  });

  it('writes nothing where there is nothing', async () => {
    await app.azure.put('/kv/a', {});
    await app.azure.delete('/kv/a');
    await app.azure.delete('/kv/a');
    expect(await countRevisions(app, 'a')).toBe(2);
  });

  it('ignores a body and its type', async () => {
    await app.azure.put('/kv/a', {});
    const answer = await app.azure.delete('/kv/a', { body: 'no JSON', headers: { 'content-type': 'text/plain' } });
    expect(answer.status).toBe(200);
  });

  it('is refused on a locked key-value with the bare key', async () => {
    await app.azure.put('/kv/a?label=l', {});
    await lock(app, 'a', 'l');
    const answer = await app.azure.delete('/kv/a?label=l');
    expectKeyLocked(answer, 'a');
    expect((await app.azure.get('/kv/a?label=l')).json.locked).toBe(true);
    expect(await countRevisions(app, 'a', 'l')).toBe(1);
  });

  it.each<[string, Record<string, string>]>([
    ['If-Match of another tag', { 'if-match': '"x"' }],
    ['If-None-Match *', { 'if-none-match': '*' }],
  ])('answers 412 before 409: %s', async (_, headers) => {
    await app.azure.put('/kv/a', {});
    await lock(app, 'a');
    expectEmpty(await app.azure.delete('/kv/a', { headers }), 412);
  });

  it('is refused with 409 when its condition holds', async () => {
    const { json } = await app.azure.put('/kv/a', {});
    await lock(app, 'a');
    expectKeyLocked(await app.azure.delete('/kv/a', { headers: { 'if-match': `"${json.etag}"` } }), 'a');
  });

  it.each([
    ['/kv/a%25b', 400],
    ['/kv/%07', 400],
    ['/kv/a?label=%07', 400],
  ])('%s answers %i', async (target, status) => {
    expect((await app.azure.delete(target)).status).toBe(status);
  });
});
