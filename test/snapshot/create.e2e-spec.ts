import { putAll, removeAll, type Seed } from '../key-value/stored-key-values';
import { expectEmpty, expectInvalidArgument, PROBLEM_TYPE } from '../support/expect-answer';
import { startApp, type TestApp } from '../support/start-app';
import { ALL, create, itemsOf, makeExpired, patch, makeFailed, removeSnapshots, targetOf } from './stored-snapshots';

const ISO_SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/;
const FIELDS = 'etag name status filters composition_type created size items_count tags retention_period'.split(' ');

let app: TestApp;
beforeAll(async () => void (app = await startApp()));
afterAll(() => app.close());
beforeEach(async () => {
  await removeSnapshots(app);
  await removeAll(app);
});

/** Key, label and value of a snapshot's items, as `key/label=value`. */
async function contentOf(name: string): Promise<string[]> {
  const { json } = await app.azure.get(itemsOf(name));
  return json.items.map(
    ({ key, label, value }: Record<string, string | null>) => `${key}/${label ?? ''}=${value ?? ''}`,
  );
}

describe('PUT /snapshots/{name}', () => {
  it('answers 201 with a snapshot in the making, its headers and the address of its operation', async () => {
    await putAll(app, [{ key: 'a', value: 'v' }]);
    const answer = await create(app.azure, 'first one/ü', { filters: [{ key: 'a' }], tags: { t: '1', n: null } });
    expect(answer.status).toBe(201);
    expect(answer.headers['content-type']).toBe('application/vnd.microsoft.appconfig.snapshot+json; charset=utf-8');
    expect(Object.keys(answer.json)).toEqual(FIELDS);
    expect(answer.json).toEqual({
      etag: expect.stringMatching(/^[\w-]{43}$/),
      name: 'first one/ü',
      status: 'provisioning',
      filters: [{ key: 'a', label: null, tags: [] }],
      composition_type: 'key',
      created: expect.stringMatching(ISO_SECONDS),
      size: 0,
      items_count: 0,
      tags: { t: '1', n: null },
      retention_period: 2592000,
    });
    expect(answer.headers.etag).toBe(`"${answer.json.etag}"`);
    expect(new Date(answer.headers['last-modified']!)).toEqual(new Date(answer.json.created));
    expect(answer.headers['sync-token']).toMatch(/^[^=]+=[^;]+;sn=\d+$/);
    expect(answer.headers.link).toBe('</kv?snapshot=first%20one%2F%C3%BC&api-version=2023-11-01>; rel="items"');
    expect(answer.headers['operation-location']).toBe(
      `http://127.0.0.1:${app.port}/operations?snapshot=first%20one%2F%C3%BC&api-version=2023-11-01`,
    );
  });

  it('is ready before the answer is sent, with the same entity tag and time', async () => {
    await putAll(app, [{ key: 'a', value: 'v' }, { key: 'b' }]);
    const made = await create(app.azure, 's');
    const found = await app.azure.get(targetOf('s'));
    expect(found.json).toEqual({ ...made.json, status: 'ready', size: expect.any(Number), items_count: 2 });
    expect(found.json.size).toBeGreaterThan(2 * 68);
    expect([found.headers.etag, found.headers['last-modified']]).toEqual([
      made.headers.etag,
      made.headers['last-modified'],
    ]);
    const operation = await app.azure.get('/operations?snapshot=s');
    expect(operation.json.status).toBe('Succeeded');
  });

  it('says nothing of where it runs but what PUBLIC_URL says', async () => {
    const behind = await startApp({ PUBLIC_URL: 'https://config.example/' }, app);
    const answer = await create(behind.azure, 'public');
    expect(answer.headers['operation-location']).toMatch(/^https:\/\/config\.example\/operations\?snapshot=public&/);
    await behind.close();
  });

  it('keeps who made it', async () => {
    const answer = await create(app.azure, 's');
    expect(await app.sql('SELECT actor, address, request_id FROM snapshot')).toEqual([
      { actor: 'test-rw', address: '127.0.0.1', request_id: answer.headers['x-ms-request-id'] },
    ]);
  });

  it('keeps items as they are, entity tag, time, lock, tags and content type included, whatever comes after', async () => {
    const description = { value: 'v', content_type: 'text/x', tags: { b: '1', a: null }, description: 'why' };
    const newest = app.azure.withVersion('2026-04-01');
    await newest.put('/kv/a?label=l', description);
    await newest.put('/kv/z', { value: 'with \u0000 and \u0001' });
    await app.sql(`UPDATE key_value SET locked = true WHERE key = 'a'`);
    const before = (await newest.get('/kv')).json.items;
    await create(newest, 's');
    await app.sql('UPDATE key_value SET locked = false');
    await newest.put('/kv/a?label=l', { value: 'later' });
    await newest.delete('/kv/z');
    await newest.put('/kv/more', {});
    expect((await newest.get(itemsOf('s'))).json.items).toEqual(before);
  });

  it('is ready without items where nothing is selected', async () => {
    await create(app.azure, 's', { filters: [{ key: 'none' }] });
    expect((await app.azure.get(targetOf('s'))).json).toMatchObject({ status: 'ready', size: 0, items_count: 0 });
  });

  it('leaves out what is deleted', async () => {
    await putAll(app, [{ key: 'a' }, { key: 'b' }]);
    await app.azure.delete('/kv/a');
    await create(app.azure, 's');
    expect(await contentOf('s')).toEqual(['b/=v']);
  });
});

describe('the filters of a snapshot', () => {
  const SEEDS: Seed[] = [
    { key: 'a', value: '1' },
    { key: 'a', label: 'l', value: '2', tags: { env: 'prod', n: null } },
    { key: 'a', label: 'm', value: '3', tags: { env: 'dev' } },
    { key: 'ab', value: '4' },
    { key: 'ab', label: 'l', value: '5', tags: { 'a=b': 'c,d*\\' } },
    { key: 'x,y', label: 'l', value: '6' },
  ];

  it.each<[string, object, string[]]>([
    ['one key without a label', { filters: [{ key: 'a' }] }, ['a/=1']],
    ['label null', { filters: [{ key: 'a', label: null }] }, ['a/=1']],
    ['label U+0000', { filters: [{ key: 'a', label: '\0' }] }, ['a/=1']],
    ['label empty', { filters: [{ key: 'a', label: '' }] }, ['a/=1']],
    ['a prefix', { filters: [{ key: 'a*', label: 'l' }] }, ['a/l=2', 'ab/l=5']],
    ['alternatives', { filters: [{ key: 'a,ab' }] }, ['a/=1', 'ab/=4']],
    ['an escape', { filters: [{ key: 'x\\,y', label: 'l' }] }, ['x,y/l=6']],
    ['a tag', { filters: [{ key: '*', label: 'l', tags: ['env=prod'] }] }, ['a/l=2']],
    ['a tag of null', { filters: [{ key: '*', label: 'l', tags: ['n=\0'] }] }, ['a/l=2']],
    ['an escaped tag', { filters: [{ key: '*', label: 'l', tags: ['a\\=b=c\\,d\\*\\\\'] }] }, ['ab/l=5']],
    ['two tags', { filters: [{ key: '*', label: 'l', tags: ['env=prod', 'a=b'] }] }, []],
    [
      'composition key: the last filter wins',
      { filters: [{ key: '*' }, { key: '*', label: 'm' }, { key: '*', label: 'l' }] },
      ['a/l=2', 'ab/l=5', 'x,y/l=6'],
    ],
    [
      'composition key in the other order',
      { composition_type: 'key', filters: [{ key: '*', label: 'l' }, { key: '*' }] },
      ['a/=1', 'ab/=4', 'x,y/l=6'],
    ],
    [
      'composition key_label: each once',
      {
        composition_type: 'key_label',
        filters: [
          { key: 'a', label: '*' },
          { key: 'a*', label: 'l' },
        ],
      },
      ['a/=1', 'a/l=2', 'a/m=3', 'ab/l=5'],
    ],
    ['labels listed', { composition_type: 'key_label', filters: [{ key: 'a', label: 'l,\0' }] }, ['a/=1', 'a/l=2']],
    ['composition null', { composition_type: null, filters: [{ key: 'a', label: 'm' }] }, ['a/m=3']],
  ])('%s', async (_, body, expected) => {
    await putAll(app, SEEDS);
    expect((await create(app.azure, 's', body)).status).toBe(201);
    expect(await contentOf('s')).toEqual(expected);
    expect((await app.azure.get(targetOf('s'))).json.items_count).toBe(expected.length);
  });

  it('are shown as they were sent, tags escaped anew', async () => {
    const filters = [
      { key: 'x\\,y', label: 'l,\0', tags: ['a\\=b=c\\,d\\*\\\\', 'n=\0', 'plain=\\p', '', 'e='] },
      { key: '*' },
    ];
    await create(app.azure, 's', { composition_type: 'key_label', filters });
    expect((await app.azure.get(targetOf('s'))).json.filters).toEqual([
      { key: 'x\\,y', label: 'l,\0', tags: ['a\\=b=c\\,d\\*\\\\', 'n=\0', 'plain=p', 'e='] },
      { key: '*', label: null, tags: [] },
    ]);
  });
});

describe('what a creation refuses', () => {
  const a = { key: 'a' };
  const MULTIPLE = 'label(0): Unexpected label which could match multiple values for a key';

  it.each<[string, unknown, string?]>([
    ['filters', {}],
    ['filters', { filters: null }],
    ['filters', { filters: [] }],
    ['filters', { filters: [a, a, a, a] }],
    ['filters', { filters: a }],
    ['filters', { filters: ['a'] }],
    ['filters', { filters: [null] }],
    ['filters[0].key', { filters: [{}] }],
    ['filters[0].key', { filters: [{ key: '' }] }],
    ['filters[0].key', { filters: [{ key: null }] }],
    ['filters[0].key', { filters: [{ key: ['a'] }] }],
    ['filters[0].key', { filters: [{ key: 'k'.repeat(257) }] }],
    ['filters[0].key', { filters: [{ key: 'a\u0007' }] }],
    ['filters[0].key', { filters: [{ key: '\0' }] }],
    ['filters[0].key', { filters: [{ key: 'a*b' }] }, 'filters[0].key(1): Invalid character'],
    ['filters[2].key', { filters: [a, a, { key: 'a,b*' }] }, 'filters[2].key(3): Invalid character'],
    [
      'filters[0].key',
      { filters: [{ key: 'a,b,c,d,e,f' }] },
      'filters[0].key(0): Too many values. Maximum supported is 5',
    ],
    ['filters[1].label', { filters: [a, { key: 'a', label: {} }] }],
    ['filters[0].label', { filters: [{ key: 'a', label: 'l'.repeat(257) }] }],
    ['filters[0].label', { filters: [{ key: 'a', label: 'l\u0085' }] }],
    ['filters[0].label', { filters: [{ key: 'a', label: 'a*b' }] }, 'filters[0].label(1): Invalid character'],
    ['filters[0].tags', { filters: [{ key: 'a', tags: 'a=b' }] }],
    ['filters[0].tags', { filters: [{ key: 'a', tags: [{}] }] }],
    ['filters[0].tags', { filters: [{ key: 'a', tags: ['nothing'] }] }],
    ['filters[0].tags', { filters: [{ key: 'a', tags: ['a=b=c'] }] }],
    ['filters[1].tags', { filters: [a, { key: 'a', tags: ['1=', '2=', '3=', '4=', '5=', '6='] }] }],
    ['label', { filters: [{ key: 'a', label: '*' }] }, MULTIPLE],
    ['label', { filters: [a, { key: 'a', label: 'l*' }] }, MULTIPLE],
    ['label', { filters: [{ key: 'a', label: 'l,m' }], composition_type: 'key' }, MULTIPLE],
    ['composition_type', { filters: [a], composition_type: 'all' }],
    ['composition_type', { filters: [a], composition_type: 1 }],
    ['retention_period', { filters: [a], retention_period: 3599 }],
    ['retention_period', { filters: [a], retention_period: 7776001 }],
    ['retention_period', { filters: [a], retention_period: 3600.5 }],
    ['retention_period', { filters: [a], retention_period: -3600 }],
    ['retention_period', { filters: [a], retention_period: true }],
    ['tags', { filters: [a], tags: [] }],
    ['tags[].key', { filters: [a], tags: { '': 'x' } }],
    ['tags[t].value', { filters: [a], tags: { t: 'x'.repeat(257) } }],
    ['body', '[]'],
    ['body', ''],
    ['body', '{'],
  ])('%s in %j', async (name, body, detail = '') => {
    expectInvalidArgument(await create(app.azure, 's', body as object | string), name, detail);
    expectEmpty(await app.azure.get(targetOf('s')), 404);
  });

  it.each(['n'.repeat(257), 'a\u0000', 'a\u0085'])('name %j', async (name) => {
    expectInvalidArgument(await create(app.azure, name), 'name');
    expectInvalidArgument(await app.azure.get(targetOf(name)), 'name');
    expectInvalidArgument(await patch(app.azure, name, { status: 'ready' }), 'name');
  });

  it('a path with %25', async () => {
    expectEmpty(await app.azure.put('/snapshots/a%25b', ALL), 400);
  });

  it.each([3600, 7776000, '3600', null])('but not a retention period of %j', async (period) => {
    expect((await create(app.azure, 's', { ...ALL, retention_period: period })).status).toBe(201);
    expect((await app.azure.get(targetOf('s'))).json.retention_period).toBe(Number(period ?? 2592000));
  });

  it('but not a name of 256 characters, with / as itself', async () => {
    const name = `${'ü'.repeat(254)}/x`;
    expect((await create(app.azure, name)).status).toBe(201);
    expect((await app.azure.get(`/snapshots/${'%C3%BC'.repeat(254)}/x`)).json.name).toBe(name);
  });

  it.each([
    ['text/plain', 415],
    ['application/octet-stream', 415],
    ['application/vnd.microsoft.appconfig.snapshot+json; charset=utf-8', 201],
    ['application/vnd.microsoft.appconfig.snapshotset+json', 201],
    ['application/json', 201],
    ['text/json', 201],
    ['application/x+json', 201],
  ])('a body of %s: %i', async (type, status) => {
    const answer = await app.azure.put(targetOf('s'), ALL, { headers: { 'content-type': type } });
    expect(answer.status).toBe(status);
    if (status === 415) expectEmpty(answer, 415);
  });

  it('a body over 64 KB with 413', async () => {
    expectEmpty(await create(app.azure, 's', { ...ALL, more: 'x'.repeat(65_536) }), 413);
  });

  it('a read-only key with 403', async () => {
    expectEmpty(await create(app.azureReader, 's'), 403);
    expectEmpty(await patch(app.azureReader, 's', { status: 'archived' }), 403);
    expect(await app.sql('SELECT FROM snapshot')).toEqual([]);
  });
});

describe('a name that is taken', () => {
  const ALREADY_EXISTS =
    '{"type":"https://azconfig.io/errors/already-exists","title":"The resource already exists.","status":409,"detail":""}';

  it('is 409 in every state, to the letter', async () => {
    await create(app.azure, 'ready');
    await create(app.azure, 'archived');
    await patch(app.azure, 'archived', { status: 'archived' });
    await makeFailed(app, 'failed');
    for (const name of ['ready', 'archived', 'failed']) {
      const before = (await app.azure.get(targetOf(name))).text;
      expect(JSON.parse(before).status).toBe(name);
      const answer = await create(app.azure, name);
      expect(answer.status).toBe(409);
      expect(answer.headers['content-type']).toBe(PROBLEM_TYPE);
      expect(answer.text).toBe(ALREADY_EXISTS);
      expect(answer.headers['sync-token']).toBeDefined();
      expect((await app.azure.get(targetOf(name))).text).toBe(before);
    }
  });

  it.each<Record<string, string>>([{ 'if-match': '"x"' }, { 'if-match': '*' }, { 'if-none-match': '*' }])(
    'and one that is not, whatever the condition: %j is ignored',
    async (headers) => {
      const put = () => app.azure.put(targetOf('s'), ALL, { headers });
      expect([(await put()).status, (await put()).status]).toEqual([201, 409]);
    },
  );

  it('is free again once its snapshot has expired, and the old items are gone', async () => {
    await putAll(app, [{ key: 'a' }, { key: 'b' }]);
    await makeExpired(app, 's');
    await app.azure.delete('/kv/b');
    const made = await create(app.azure, 's');
    expect(made.status).toBe(201);
    expect(await contentOf('s')).toEqual(['a/=v']);
    const found = (await app.azure.get(targetOf('s'))).json;
    expect(found).toMatchObject({ status: 'ready', etag: made.json.etag, items_count: 1 });
    expect(found).not.toHaveProperty('expires');
    expect(await app.sql('SELECT key FROM snapshot_item')).toEqual([{ key: 'a' }]);
  });

  it('differs by case', async () => {
    expect([(await create(app.azure, 'S')).status, (await create(app.azure, 's')).status]).toEqual([201, 201]);
  });
});

describe('a snapshot of more than 1 MB', () => {
  it('is made and failed: no items, and the operation says why', async () => {
    const made = await makeFailed(app, 's');
    expect([made.status, made.json.status]).toEqual([201, 'provisioning']);
    const found = await app.azure.get(targetOf('s'));
    expect(found.json).toMatchObject({ etag: made.json.etag, status: 'failed', size: 0, items_count: 0 });
    expect((await app.azure.get('/operations?snapshot=s')).json).toMatchObject({
      status: 'Failed',
      error: { code: 'QuotaExceeded', message: 'The allotted quota for snapshot creation has been surpassed.' },
    });
    expect((await app.azure.get(itemsOf('s'))).json.items).toEqual([]);
    expect(await app.sql('SELECT FROM snapshot_item')).toEqual([]);
  });

  it('begins one byte above the limit', async () => {
    // Every item counts its texts and 68 bytes more.
    const sizes = (value: number) =>
      app.sql(
        `INSERT INTO key_value (key, label, value, tags, etag, revision, last_modified)
         VALUES ('k', '', repeat('x', $1), '{}', 'e', 1, now()) ON CONFLICT (key, label) DO UPDATE SET value = EXCLUDED.value`,
        [value],
      );
    const most = 1024 * 1024 - 68 - 'k{}'.length;
    await sizes(most);
    await create(app.azure, 'fits');
    await sizes(most + 1);
    await create(app.azure, 'does not');
    expect((await app.azure.get(targetOf('fits'))).json).toMatchObject({ status: 'ready', size: 1024 * 1024 });
    expect((await app.azure.get(targetOf('does not'))).json.status).toBe('failed');
  });

  it('fails by many small items too, whatever their number', async () => {
    await app.sql(`INSERT INTO key_value (key, label, tags, etag, revision, last_modified)
                   SELECT 'k' || n, '', '{}', 'e', n, now() FROM generate_series(1, 30000) n`);
    await create(app.azure, 's');
    expect((await app.azure.get(targetOf('s'))).json.status).toBe('failed');
  });
});
