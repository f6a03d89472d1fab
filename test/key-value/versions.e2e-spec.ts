import { type AzureHttp } from '../support/azure-http';
import { expectInvalidArgument } from '../support/expect-answer';
import { startApp, type TestApp } from '../support/start-app';
import { countRevisions, removeAll } from './stored-key-values';

const VERSIONS = ['1.0', '2023-10-01', '2023-11-01', '2024-09-01', '2026-04-01'];
const FIELDS = ['etag', 'key', 'label', 'content_type', 'value', 'tags', 'locked', 'last_modified'];

describe('api-version', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());

  const doesNotSupport = (path: string, version: string): string =>
    `The HTTP resource that matches the request URI 'http://127.0.0.1:${app.port}${path}' does not support the API version '${version}'.`;

  it.each(VERSIONS)('serves every route in %s', async (version) => {
    const azure = app.azure.withVersion(version);
    expect((await azure.put('/kv/served', { value: version })).status).toBe(200);
    expect((await azure.get('/kv/served')).json.value).toBe(version);
    for (const path of ['/kv', '/keys', '/labels', '/revisions']) {
      expect((await azure.get(path)).status).toBe(200);
      expect((await azure.head(path)).status).toBe(200);
    }
    expect((await azure.head('/kv/served')).status).toBe(200);
    expect((await azure.delete('/kv/served')).status).toBe(200);
  });

  it.each(['/kv', '/kv?key=a', '/kv?api-version=', '/kv?api-version', '/kv/a', '/keys', '/labels', '/revisions'])(
    'refuses %s, which names none',
    async (target) => {
      const answer = await app.azure.get(target, { apiVersion: null });
      const detail = 'An API version is required, but was not specified.';
      expectInvalidArgument(answer, 'api-version', detail, 'API version is not specified');
    },
  );

  it.each(['2.0', '2022-11-01-preview', '2025-07-01-preview', '2026-08-01-preview', '2023-10-02'])(
    'refuses %s as unsupported',
    async (version) => {
      const answer = await app.azure.get(`/kv?key=a&api-version=${version}&label=b`);
      expectInvalidArgument(answer, 'api-version', doesNotSupport('/kv', version), 'Unsupported API version');
    },
  );

  it.each(['abc', '1', '1.0.0', '2023-13-01', '2023-10-1', '2023-10-01-', '*'])(
    'refuses %s as malformed',
    async (version) => {
      const answer = await app.azure.get(`/kv?api-version=${version}`);
      expectInvalidArgument(answer, 'api-version', doesNotSupport('/kv', version), 'Invalid API version');
    },
  );

  it('quotes the path as it was sent', async () => {
    const answer = await app.azure.get('/kv/a%2Fb/c?label=x&api-version=9.9');
    expectInvalidArgument(answer, 'api-version', doesNotSupport('/kv/a%2Fb/c', '9.9'), 'Unsupported API version');
  });

  it('refuses two different versions as ambiguous, however their names are spelled', async () => {
    const answer = await app.azure.get('/kv?api-version=1.0&API-Version=2023-11-01');
    const detail =
      'The following API versions were requested: 1.0, 2023-11-01. At most, only a single API version may be specified. ' +
      'Please update the intended API version and retry the request.';
    expectInvalidArgument(answer, 'api-version', detail, 'Ambiguous API version');
  });

  it('takes the same version twice for one', async () => {
    expect((await app.azure.get('/kv?api-version=1.0&api-version=1.0')).status).toBe(200);
  });

  it.each(['Api-Version=1.0', 'API-VERSION=1.0', '%61pi-version=1%2e0'])('reads %s', async (parameter) => {
    expect((await app.azure.get(`/kv?${parameter}`, { apiVersion: null })).status).toBe(200);
  });

  it.each([
    ['GET', '/kv', 'API version is not specified'],
    ['GET', '/kv/a', 'API version is not specified'],
    ['HEAD', '/kv/a', undefined],
    ['PUT', '/kv/a', 'API version is not specified'],
    ['DELETE', '/kv/a', 'API version is not specified'],
    ['GET', '/revisions?api-version=9.9', 'Unsupported API version'],
    ['GET', '/keys?api-version=x', 'Invalid API version'],
    ['GET', '/labels?api-version=1.0&api-version=2023-11-01', 'Ambiguous API version'],
  ])('is judged before credentials: %s %s', async (method, target, title) => {
    const answer = await app.azure.send(method, target, { signed: false, apiVersion: null });
    expect(answer.status).toBe(400);
    expect(answer.json?.title).toBe(title);
    expect(answer.headers['www-authenticate']).toBeUndefined();
  });

  it('is judged before the rest of the request', async () => {
    const answer = await app.azure.put('/kv/a%25b?api-version=9.9', 'no JSON', { headers: { 'content-type': 'a/b' } });
    expectInvalidArgument(answer, 'api-version', doesNotSupport('/kv/a%25b', '9.9'), 'Unsupported API version');
  });
});

describe('DEFAULT_API_VERSION', () => {
  let app: TestApp;
  let azure: AzureHttp;
  beforeAll(async () => {
    app = await startApp({ DEFAULT_API_VERSION: '1.0' });
    azure = app.azure;
    await azure.put('/kv/a', { value: 'v' });
  });
  afterAll(() => app.close());

  it.each(['/kv', '/kv?api-version='])('stands in for the version that %s lacks', async (target) => {
    const answer = await azure.get(target, { apiVersion: null });
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.json)).toEqual(['items']);
  });

  it('gives way to the version that a request names', async () => {
    expect(Object.keys((await azure.get('/kv?api-version=2023-10-01')).json)).toEqual(['etag', 'items']);
    expect((await azure.get('/kv?api-version=9.9')).status).toBe(400);
  });
});

describe('what a version adds', () => {
  let app: TestApp;
  const at = (version: string): AzureHttp => app.azure.withVersion(version);
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());
  beforeEach(async () => {
    await removeAll(app);
    await app.azure.put('/kv/a?label=l', { value: 'v', tags: { env: 'prod' } });
  });

  it.each(VERSIONS)('%s has entity tags of pages from 2023-10-01 on, in header and body', async (version) => {
    for (const path of ['/kv', '/revisions']) {
      const answer = await at(version).get(path);
      if (version === '1.0') {
        expect(Object.keys(answer.json)).toEqual(['items']);
        expect(answer.headers.etag).toBeUndefined();
      } else {
        expect(Object.keys(answer.json)).toEqual(['etag', 'items']);
        expect(answer.headers.etag).toBe(`"${answer.json.etag}"`);
      }
    }
  });

  it.each(VERSIONS)('%s has no entity tags of names', async (version) => {
    for (const path of ['/keys', '/labels']) {
      const answer = await at(version).get(path);
      expect(Object.keys(answer.json)).toEqual(['items']);
      expect(answer.headers.etag).toBeUndefined();
    }
  });

  it.each(VERSIONS)('%s filters lists by tags from 2023-11-01 on', async (version) => {
    const isKnown = version >= '2023-11-01';
    for (const path of ['/kv', '/revisions']) {
      expect((await at(version).get(`${path}?tags=env=dev`)).json.items).toHaveLength(isKnown ? 0 : 1);
      expect((await at(version).get(`${path}?tags=nonsense`)).status).toBe(isKnown ? 400 : 200);
    }
  });

  it.each(VERSIONS)('%s filters one key-value by tags from 2024-09-01 on', async (version) => {
    const isKnown = version >= '2024-09-01';
    expect((await at(version).get('/kv/a?label=l&tags=env=prod')).status).toBe(200);
    expect((await at(version).get('/kv/a?label=l&tags=env=dev')).status).toBe(isKnown ? 404 : 200);
    expect((await at(version).get('/kv/a?label=l&tags=nonsense')).status).toBe(isKnown ? 400 : 200);
  });

  it('1.0 ignores a snapshot parameter', async () => {
    expect((await at('1.0').get('/kv?snapshot=s')).json.items).toHaveLength(1);
  });

  describe('description', () => {
    const NEWEST = '2026-04-01';
    const TARGET = '/kv/a?label=l';
    const describedBy = (description: unknown) => ({ value: 'v', tags: { env: 'prod' }, description });

    it.each(VERSIONS)('%s returns it from 2026-04-01 on, last', async (version) => {
      await at(NEWEST).put(TARGET, describedBy('what it is for'));
      const expected = version === NEWEST ? [...FIELDS, 'description'] : FIELDS;
      expect(Object.keys((await at(version).get(TARGET)).json)).toEqual(expected);
      for (const path of ['/kv', '/revisions']) {
        const { items } = (await at(version).get(path)).json;
        expect(Object.keys(items[0])).toEqual(expected);
      }
    });

    it('is null where none was sent', async () => {
      expect((await at(NEWEST).get(TARGET)).json.description).toBeNull();
    });

    it.each([
      ['text', 'text'],
      ['several\nlines\t🔑', 'several\nlines\t🔑'],
      ['', ''],
      [null, null],
      [5, '5'],
      [true, 'true'],
    ])('takes %j for %j', async (sent, stored) => {
      const put = await at(NEWEST).put(TARGET, describedBy(sent));
      expect(put.json.description).toBe(stored);
      expect((await at(NEWEST).get(TARGET)).text).toBe(put.text);
    });

    it.each([[['a']], [{ a: 'b' }]])('refuses %j', async (sent) => {
      expectInvalidArgument(await at(NEWEST).put(TARGET, describedBy(sent)), 'description');
    });

    it('takes a member left out for null', async () => {
      await at(NEWEST).put(TARGET, describedBy('old'));
      expect((await at(NEWEST).put(TARGET, { value: 'v' })).json.description).toBeNull();
    });

    it('is selectable', async () => {
      await at(NEWEST).put(TARGET, describedBy('d'));
      expect((await at(NEWEST).get(`${TARGET}&$select=description,key`)).text).toBe('{"key":"a","description":"d"}');
      expect((await at(NEWEST).get('/kv?$select=Description')).json.items).toEqual([{ description: 'd' }]);
      expect((await at('2024-09-01').get(`${TARGET}&$select=description,key`)).text).toBe('{"key":"a"}');
    });

    it('takes part in the comparison that makes a put change nothing', async () => {
      const first = await at(NEWEST).put(TARGET, describedBy('d'));
      const same = await at(NEWEST).put(TARGET, describedBy('d'));
      expect(same.text).toBe(first.text);
      const revisions = await countRevisions(app, 'a', 'l');
      const other = await at(NEWEST).put(TARGET, describedBy('e'));
      expect(other.json.etag).not.toBe(first.json.etag);
      expect(await countRevisions(app, 'a', 'l')).toBe(revisions + 1);
    });

    it('is left alone by a put in an older version', async () => {
      await at(NEWEST).put(TARGET, describedBy('kept'));
      const older = await at('2024-09-01').put(TARGET, { value: 'other', description: 'ignored' });
      expect(older.status).toBe(200);
      expect(Object.keys(older.json)).toEqual(FIELDS);
      expect((await at(NEWEST).get(TARGET)).json).toMatchObject({ value: 'other', description: 'kept' });
    });

    it('plays no part in the comparison of an older version', async () => {
      const described = await at(NEWEST).put(TARGET, describedBy('kept'));
      const older = await at('2024-09-01').put(TARGET, describedBy('ignored'));
      expect(older.json.etag).toBe(described.json.etag);
    });

    it('is not read at all in an older version', async () => {
      expect((await at('1.0').put(TARGET, { value: 'v', description: { a: 1 } })).status).toBe(200);
      expect((await at(NEWEST).get(TARGET)).json.description).toBeNull();
    });

    it('does not outlive the key-value', async () => {
      await at(NEWEST).put(TARGET, describedBy('gone'));
      expect((await at(NEWEST).delete(TARGET)).json.description).toBe('gone');
      await at('2024-09-01').put(TARGET, { value: 'again' });
      expect((await at(NEWEST).get(TARGET)).json.description).toBeNull();
    });

    it('belongs to the state that a revision shows', async () => {
      await at(NEWEST).put(TARGET, describedBy('first'));
      await at('1.0').put(TARGET, { value: 'w' });
      const { items } = (await at(NEWEST).get('/revisions?key=a&$select=value,description')).json;
      expect(items).toEqual([
        { value: 'w', description: 'first' },
        { value: 'v', description: 'first' },
        { value: 'v', description: null },
      ]);
    });
  });
});
