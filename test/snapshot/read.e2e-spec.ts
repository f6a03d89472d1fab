import { putAll } from '../key-value/stored-key-values';
import { type AzureAnswer } from '../support/azure-http';
import { expectEmpty, expectInvalidArgument } from '../support/expect-answer';
import { readItems, readPages } from '../support/pages';
import { startApp, type TestApp } from '../support/start-app';
import { create, itemsOf, makeExpired, patch, makeFailed, removeSnapshots, targetOf } from './stored-snapshots';

const FIELDS = 'etag name status filters composition_type created size items_count tags retention_period'.split(' ');
const LIST_TYPE = 'application/vnd.microsoft.appconfig.snapshotset+json; charset=utf-8';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
  await putAll(app, [{ key: 'a' }, { key: 'b', label: 'l' }]);
});
afterAll(() => app.close());

const names = async (query: string): Promise<string[]> =>
  (await app.azure.get(`/snapshots${query}`)).json.items.map(({ name }: { name: string }) => name);

describe('GET /snapshots/{name}', () => {
  let made: AzureAnswer;
  beforeAll(async () => {
    await removeSnapshots(app);
    made = await create(app.azure, 's');
  });

  it('answers GET and HEAD alike', async () => {
    const found = await app.azure.get(targetOf('s'));
    const head = await app.azure.head(targetOf('s'));
    expect(found.headers['content-type']).toBe('application/vnd.microsoft.appconfig.snapshot+json; charset=utf-8');
    expect(found.headers['sync-token']).toBeDefined();
    expect([head.status, head.text]).toEqual([200, '']);
    for (const name of ['etag', 'last-modified', 'link', 'content-type', 'content-length']) {
      expect(head.headers[name]).toBe(found.headers[name]);
    }
  });

  it('is open to a read-only key', async () => {
    for (const target of [targetOf('s'), '/snapshots', itemsOf('s'), '/operations?snapshot=s']) {
      expect((await app.azureReader.get(target)).status).toBe(200);
      expect((await app.azureReader.head(target)).status).toBe(200);
    }
  });

  it.each([
    ['name', ['name']],
    ['STATUS, name,x', ['name', 'status']],
    ['*', FIELDS],
    ['tags.a', ['tags']],
    ['nothing', []],
  ])('$select=%s', async (select, fields) => {
    const { json } = await app.azure.get(`${targetOf('s')}?$select=${encodeURIComponent(select)}`);
    expect(Object.keys(json)).toEqual(fields);
  });

  it.each<[Record<string, string>, number]>([
    [{ 'if-match': '"E"' }, 200],
    [{ 'if-match': '"other"' }, 412],
    [{ 'if-none-match': '"E"' }, 304],
    [{ 'if-none-match': '*' }, 304],
    [{ 'if-none-match': '"other"' }, 200],
  ])('%j is %i', async (conditions, status) => {
    const etag = made.json.etag as string;
    const headers = Object.fromEntries(Object.entries(conditions).map(([k, v]) => [k, v.replace('E', etag)]));
    for (const method of ['GET', 'HEAD']) {
      const answer = await app.azure.send(method, targetOf('s'), { headers });
      expect(answer.status).toBe(status);
      if (status === 304) expect(answer.headers.etag).toBe(`"${etag}"`);
      if (status !== 200) expectEmpty(answer, status);
    }
  });

  it('is 404 for what is missing, whatever the condition', async () => {
    for (const headers of [{}, { 'if-match': '*' }, { 'if-none-match': '*' }] as Record<string, string>[]) {
      expectEmpty(await app.azure.get(targetOf('none'), { headers }), 404);
    }
  });

  it.each(['POST', 'DELETE'])('%s is a wrong verb', async (method) => {
    for (const target of [targetOf('s'), '/snapshots', '/operations?snapshot=s']) {
      expectEmpty(await app.azure.send(method, target), 405);
    }
  });
});

describe('GET /snapshots', () => {
  beforeAll(async () => {
    await removeSnapshots(app);
    for (const name of ['b', 'a,1', 'B', 'a-2', 'a-1', 'ä']) await create(app.azure, name);
    await patch(app.azure, 'a-2', { status: 'archived' });
    await makeExpired(app, 'a-3');
    await makeFailed(app, 'a-f');
  });

  it('lists by name, in the order of bytes, without an entity tag', async () => {
    const answer = await app.azure.get('/snapshots', { headers: { 'if-none-match': '*' } });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe(LIST_TYPE);
    expect(answer.headers.etag).toBeUndefined();
    expect(Object.keys(answer.json)).toEqual(['items']);
    expect(await names('')).toEqual(['B', 'a,1', 'a-1', 'a-2', 'a-f', 'b', 'ä']);
    for (const item of answer.json.items) expect(item).toEqual((await app.azure.get(targetOf(item.name))).json);
    expectHeadOf(answer, await app.azure.head('/snapshots'));
  });

  const expectHeadOf = (answer: AzureAnswer, head: AzureAnswer): void => {
    expect([head.status, head.text]).toEqual([200, '']);
    expect(head.headers['content-length']).toBe(answer.headers['content-length']);
  };

  it.each([
    ['?name=a-1', ['a-1']],
    ['?name=a-*', ['a-1', 'a-2', 'a-f']],
    ['?name=a-1,b,none', ['a-1', 'b']],
    ['?name=a%5C,1', ['a,1']],
    ['?name=*', ['B', 'a,1', 'a-1', 'a-2', 'a-f', 'b', 'ä']],
    ['?name=', ['B', 'a,1', 'a-1', 'a-2', 'a-f', 'b', 'ä']],
    ['?name=%00', []],
    ['?status=ready', ['B', 'a,1', 'a-1', 'b', 'ä']],
    ['?status=archived', ['a-2']],
    ['?status=archived,failed', ['a-2', 'a-f']],
    ['?status=provisioning', []],
    ['?status=*', ['B', 'a,1', 'a-1', 'a-2', 'a-f', 'b', 'ä']],
    ['?name=a*&status=ready', ['a,1', 'a-1']],
  ])('%s', async (query, expected) => {
    expect(await names(query)).toEqual(expected);
  });

  it.each(['Ready', 'ready,', 'gone', 'ready,*'])('refuses a status of %s', async (status) => {
    expectInvalidArgument(await app.azure.get(`/snapshots?status=${status}`), 'status');
  });

  it('refuses a name filter with a star in its midst', async () => {
    expectInvalidArgument(await app.azure.get('/snapshots?name=a*b'), 'name', 'name(1): Invalid character');
  });

  it('shows the selected fields', async () => {
    const { json } = await app.azure.get('/snapshots?name=a-1&$Select=status,name');
    expect(json).toEqual({ items: [{ name: 'a-1', status: 'ready' }] });
  });

  it('has pages of 100', async () => {
    for (let index = 0; index < 200; index++) {
      await create(app.azure, `page/${String(index).padStart(3, '0')}`, { filters: [{ key: 'none' }] });
    }
    const pages = await readPages(app.azure, '/snapshots?name=page/*');
    expect(pages.map(({ json }) => json.items.length)).toEqual([100, 100, 0]);
    expect(pages[0]!.headers.link).toBe(`<${pages[0]!.json['@nextLink']}>; rel="next"`);
    expect(pages[0]!.json['@nextLink']).toMatch(/^\/snapshots\?name=page%2F\*&api-version=2023-11-01&after=[\w%]+$/);
    const all = pages.flatMap(({ json }) => json.items.map(({ name }: { name: string }) => name));
    expect(all).toEqual(all.toSorted());
    expect(new Set(all).size).toBe(200);
    expect((await app.azure.get('/snapshots?name=page/*&after=%25%25')).json.items).toEqual(pages[0]!.json.items);
  });
});

describe('GET /operations', () => {
  it('names its snapshot as the emulator does', async () => {
    await create(app.azure, 'prod-1', { filters: [{ key: 'a' }] });
    const answer = await app.azure.get('/operations?snapshot=prod-1', {
      headers: { accept: 'application/vnd.microsoft.appconfig.snapshot+json, application/problem+json' },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.headers['retry-after']).toBeUndefined();
    expect(answer.text).toBe('{"id":"UNiIR3DlZ7km06_qwduLkjFZ93FiF1vN3XZH73kPjio","status":"Succeeded","error":null}');
    await patch(app.azure, 'prod-1', { status: 'archived' });
    expect((await app.azure.get('/operations?snapshot=prod-1')).json.status).toBe('Succeeded');
  });

  it.each(['', '?snapshot=', '?snapshot=%00', `?snapshot=${'n'.repeat(257)}`])('refuses %s', async (query) => {
    expectInvalidArgument(await app.azure.get(`/operations${query}`), 'snapshot');
  });

  it('is 404 for a snapshot that is not there', async () => {
    expectEmpty(await app.azure.get('/operations?snapshot=none'), 404);
  });
});

describe('GET /kv?snapshot=', () => {
  const all = { filters: [{ key: 'page/*', label: '*' }], composition_type: 'key_label' };
  const keyOf = (index: number) => `page/${String(index).padStart(3, '0')}`;
  beforeAll(async () => {
    await removeSnapshots(app);
    await putAll(
      app,
      Array.from({ length: 200 }, (_, index) => ({ key: keyOf(index), label: index % 2 ? 'odd' : null })),
    );
    await create(app.azure, 's', all);
    await create(app.azure, 'small', { filters: [{ key: 'page/000' }] });
  });

  it('lists the items with the envelope, entity tag and media type of key-values', async () => {
    const answer = await app.azure.get(itemsOf('small'));
    expect(answer.headers['content-type']).toBe('application/vnd.microsoft.appconfig.kvset+json; charset=utf-8');
    expect(Object.keys(answer.json)).toEqual(['etag', 'items']);
    expect(answer.headers.etag).toBe(`"${answer.json.etag}"`);
    expect(answer.json.items).toEqual([(await app.azure.get('/kv/page%2F000')).json]);
  });

  it('has pages of 100 with the same entity tags each time, and an empty one behind 200 items', async () => {
    const pages = await readPages(app.azure, itemsOf('s'));
    expect(pages.map(({ json }) => json.items.length)).toEqual([100, 100, 0]);
    expect(pages.flatMap(({ json }) => json.items.map(({ key }: { key: string }) => key))).toEqual(
      Array.from({ length: 200 }, (_, index) => keyOf(index)),
    );
    const next = pages[0]!.json['@nextLink'] as string;
    expect(next).toBe('/kv?snapshot=s&api-version=2023-11-01&after=MTAw');
    expect(pages[0]!.headers.link).toBe(`<${next}>; rel="next"`);
    const etags = pages.map(({ json }) => json.etag as string);
    expect((await readPages(app.azure, itemsOf('s'))).map(({ json }) => json.etag)).toEqual(etags);
    expect(etags[2]).toBe('00wWELzclWef22f82qcUDI7FbJweVOoKWZDA_JoUeD0');
  });

  it('answers the conditions of a page, and keeps the link on a 304', async () => {
    const { headers, json } = await app.azure.get(itemsOf('s'));
    const send = (conditions: Record<string, string>) => app.azure.get(itemsOf('s'), { headers: conditions });
    const unchanged = await send({ 'if-none-match': `"${json.etag}"` });
    expectEmpty(unchanged, 304);
    expect([unchanged.headers.link, unchanged.headers.etag]).toEqual([headers.link, headers.etag]);
    expectEmpty(await send({ 'if-match': '"other"' }), 412);
    expect((await send({ 'if-match': `"${json.etag}"` })).status).toBe(200);
  });

  it.each(['key=none', 'label=none', 'tags=a=b', 'tags=nonsense', 'key=a*b'])('ignores %s', async (query) => {
    expect((await app.azure.get(`${itemsOf('small')}&${query}`)).json.items).toHaveLength(1);
  });

  it.each(['after=', 'after=x', 'after=LTE=', 'after=MTAwMDAwMDAwMDA=', 'after=MA=='])(
    'begins at page one for %s',
    async (query) => {
      expect((await app.azure.get(`${itemsOf('small')}&${query}`)).json.items).toHaveLength(1);
    },
  );

  it('shows the selected fields', async () => {
    expect((await app.azure.get(`${itemsOf('small')}&$select=key,label`)).json.items).toEqual([
      { key: 'page/000', label: null },
    ]);
  });

  it('answers HEAD', async () => {
    const head = await app.azure.head(itemsOf('s'));
    const { headers } = await app.azure.get(itemsOf('s'));
    expect([head.status, head.text]).toEqual([200, '']);
    expect([head.headers.etag, head.headers.link]).toEqual([headers.etag, headers.link]);
  });

  it('is empty, not missing, for what is not there, failed or expired', async () => {
    await makeFailed(app, 'failed');
    await makeExpired(app, 'expired');
    for (const name of ['none', 'failed', 'expired']) {
      const answer = await app.azure.get(itemsOf(name));
      expect([answer.status, answer.json]).toEqual([
        200,
        { etag: '00wWELzclWef22f82qcUDI7FbJweVOoKWZDA_JoUeD0', items: [] },
      ]);
    }
  });

  it('reads what is archived', async () => {
    await patch(app.azure, 'small', { status: 'archived' });
    expect(await readItems(app.azure, itemsOf('small'))).toHaveLength(1);
  });

  it.each(['%00', 'n'.repeat(257)])('refuses a name that no snapshot can have: %s', async (name) => {
    expectInvalidArgument(await app.azure.get(`/kv?snapshot=${name}`), 'snapshot');
  });
});
