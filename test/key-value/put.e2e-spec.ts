import { expectEmpty, expectInvalidArgument, expectKeyLocked } from '../support/expect-answer';
import { startApp, type TestApp } from '../support/start-app';
import { countRevisions, lock, removeAll } from './stored-key-values';

const KV_TYPE = 'application/vnd.microsoft.appconfig.kv+json; charset=utf-8';

describe('PUT /kv/{key}', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());
  beforeEach(() => removeAll(app));

  it('answers 200 when it creates and when it replaces', async () => {
    expect((await app.azure.put('/kv/a', { value: '1' })).status).toBe(200);
    expect((await app.azure.put('/kv/a', { value: '2' })).status).toBe(200);
  });

  it('replaces everything: members left out become empty', async () => {
    const first = await app.azure.put('/kv/a', { value: 'v', content_type: 'text/plain', tags: { a: 'b' } });
    const second = await app.azure.put('/kv/a', {});
    expect(second.json).toMatchObject({ value: null, content_type: null, tags: {} });
    expect(second.json.etag).not.toBe(first.json.etag);
    expect((await app.azure.get('/kv/a')).text).toBe(second.text);
  });

  it('keeps key-values of different labels apart', async () => {
    await app.azure.put('/kv/a', { value: 'none' });
    await app.azure.put('/kv/a?label=x', { value: 'x' });
    await app.azure.put('/kv/a?label=X', { value: 'X' });
    expect((await app.azure.get('/kv/a')).json).toMatchObject({ label: null, value: 'none' });
    expect((await app.azure.get('/kv/a?label=x')).json).toMatchObject({ label: 'x', value: 'x' });
    expect((await app.azure.get('/kv/a?label=X')).json).toMatchObject({ label: 'X', value: 'X' });
  });

  it('ignores the other members that clients send back', async () => {
    const { json } = await app.azure.put('/kv/a?label=l', {
      key: 'other',
      label: 'other',
      etag: 'mine',
      locked: true,
      last_modified: '2001-01-01T00:00:00+00:00',
      created: [1],
      value: 'v',
    });
    expect(json).toMatchObject({ key: 'a', label: 'l', locked: false, value: 'v' });
    expect(json.etag).not.toBe('mine');
    expect(json.last_modified).not.toMatch(/^2001/);
    expect(json).not.toHaveProperty('created');
  });

  it('keeps a content type to the letter', async () => {
    const contentType = ' Application/vnd.microsoft.appconfig.ff+json;charset=UTF-8 ; a="b" ';
    await app.azure.put('/kv/a', { content_type: contentType });
    expect((await app.azure.get('/kv/a')).json.content_type).toBe(contentType);
  });

  it('makes a revision with every change', async () => {
    for (const value of ['1', '2', '1']) await app.azure.put('/kv/a', { value });
    expect(await countRevisions(app, 'a')).toBe(3);
  });

  it('never uses an entity tag again', async () => {
    const etags = new Set<string>();
    for (const value of ['1', '2', '1']) etags.add((await app.azure.put('/kv/a', { value })).json.etag);
    await app.azure.delete('/kv/a');
    etags.add((await app.azure.put('/kv/a', { value: '1' })).json.etag);
    expect(etags.size).toBe(4);
  });

  it('records who asked for the change', async () => {
    const answer = await app.azure.put('/kv/a', {});
    const [row] = await app.sql('SELECT actor, address, request_id FROM key_value_revision');
    expect(row).toMatchObject({ address: '127.0.0.1', request_id: answer.headers['x-ms-request-id'] });
    expect(row!['actor']).toContain('test-rw');
  });

  describe('that alters nothing', () => {
    const STORED = { value: 'v', content_type: 'text/plain', tags: { a: '1', b: null, c: '' } };
    const PAST = '2020-02-03T04:05:06Z';

    it.each([
      ['the same members', STORED],
      ['tags in another order', { ...STORED, tags: { c: '', b: null, a: '1' } }],
      ['values that only differ in their JSON type', { ...STORED, tags: { a: 1, b: null, c: '' } }],
      ['members that are ignored', { ...STORED, locked: true, etag: 'x', description: 'd' }],
    ])('keeps entity tag and date and writes no revision: %s', async (_, body) => {
      const first = await app.azure.put('/kv/a', STORED);
      await app.sql('UPDATE key_value SET last_modified = $1', [PAST]);
      const again = await app.azure.put('/kv/a', body);
      expect(again.status).toBe(200);
      expect(again.json).toEqual({ ...first.json, last_modified: '2020-02-03T04:05:06+00:00' });
      expect(again.headers.etag).toBe(first.headers.etag);
      expect(again.headers['last-modified']).toBe('Mon, 03 Feb 2020 04:05:06 GMT');
      expect(await countRevisions(app, 'a')).toBe(1);
    });

    it.each([
      ['value', { ...STORED, value: 'V' }],
      ['value null instead of empty', { ...STORED, value: null }],
      ['content type', { ...STORED, content_type: 'text/plain ' }],
      ['value of a tag', { ...STORED, tags: { a: '2', b: null, c: '' } }],
      ['tag null instead of empty', { ...STORED, tags: { a: '1', b: null, c: null } }],
      ['name of a tag', { ...STORED, tags: { A: '1', b: null, c: '' } }],
      ['one tag more', { ...STORED, tags: { ...STORED.tags, d: '' } }],
      ['one tag less', { ...STORED, tags: { a: '1', b: null } }],
    ])('is not one that differs: %s', async (_, body) => {
      const first = await app.azure.put('/kv/a', STORED);
      const other = await app.azure.put('/kv/a', body);
      expect(other.json.etag).not.toBe(first.json.etag);
      expect(await countRevisions(app, 'a')).toBe(2);
    });

    it('is not one after a delete', async () => {
      const first = await app.azure.put('/kv/a', {});
      await app.azure.delete('/kv/a');
      const again = await app.azure.put('/kv/a', {});
      expect(again.json.etag).not.toBe(first.json.etag);
      expect((await app.azure.get('/kv/a')).text).toBe(again.text);
    });

    it('still answers the conditions of the request', async () => {
      await app.azure.put('/kv/a', STORED);
      expectEmpty(await app.azure.put('/kv/a', STORED, { headers: { 'if-none-match': '*' } }), 412);
      expectEmpty(await app.azure.put('/kv/a', STORED, { headers: { 'if-match': '"other"' } }), 412);
    });
  });

  describe('body', () => {
    it.each([
      ['{"value":5}', { value: '5' }],
      ['{"value":-0.50}', { value: '-0.50' }],
      ['{"value":1e400}', { value: '1e400' }],
      ['{"value":12345678901234567890}', { value: '12345678901234567890' }],
      ['{"value":true}', { value: 'true' }],
      ['{"content_type":false}', { content_type: 'false' }],
      ['{"content_type":1.0}', { content_type: '1.0' }],
      ['{"tags":{"a":1.10,"b":true,"c":null}}', { tags: { a: '1.10', b: 'true', c: null } }],
      ['{"value":null,"content_type":null,"tags":null}', { value: null, content_type: null, tags: {} }],
      ['{"value":""}', { value: '' }],
      ['{"value":"a","value":"b"}', { value: 'b' }],
      ['\uFEFF{"value":"v"}', { value: 'v' }],
      ['{"value":"v",}', { value: 'v' }],
      ['{"tags":{"a":"b",},}', { tags: { a: 'b' } }],
      ['{ // a comment\n"value": "v" /* another */ }', { value: 'v' }],
      ['{"value":"// no, comment ,}",}', { value: '// no, comment ,}' }],
    ])('%s is stored as %j', async (body, members) => {
      const put = await app.azure.put('/kv/a', body);
      expect(put.status).toBe(200);
      expect(put.json).toMatchObject(members);
      expect((await app.azure.get('/kv/a')).text).toBe(put.text);
    });

    it.each([
      ['{"value":{}}', 'value'],
      ['{"value":[]}', 'value'],
      ['{"value":["a"]}', 'value'],
      ['{"value":"\\ud800"}', 'value'],
      ['{"value":"a\\udc00b"}', 'value'],
      ['{"content_type":{}}', 'content_type'],
      ['{"content_type":[1]}', 'content_type'],
      ['{"content_type":"a\\u0000"}', 'content_type'],
      ['{"content_type":"a\\nb"}', 'content_type'],
      ['{"content_type":"\\u009f"}', 'content_type'],
      ['{"content_type":"\\udfff"}', 'content_type'],
      ['{"tags":[]}', 'tags'],
      ['{"tags":"a"}', 'tags'],
      ['{"tags":5}', 'tags'],
      ['{"tags":{"":"v"}}', 'tags[].key'],
      ['{"tags":{"a\\tb":"v"}}', 'tags[a\tb].key'],
      ['{"tags":{"a\\u0085b":"v"}}', 'tags[a\u0085b].key'],
      ['{"tags":{"\\ud800":"v"}}', 'tags[\ud800].key'],
      [`{"tags":{"${'n'.repeat(257)}":"v"}}`, `tags[${'n'.repeat(257)}].key`],
      ['{"tags":{"a":{}}}', 'tags[a].value'],
      ['{"tags":{"a":[]}}', 'tags[a].value'],
      ['{"tags":{"a":"\\u0000"}}', 'tags[a].value'],
      ['{"tags":{"a":"\\u001f"}}', 'tags[a].value'],
      ['{"tags":{"a":"\\ud83d"}}', 'tags[a].value'],
      [`{"tags":{"a":"${'v'.repeat(257)}"}}`, 'tags[a].value'],
      ['', 'body'],
      [' ', 'body'],
      ['null', 'body'],
      ['"v"', 'body'],
      ['5', 'body'],
      ['[]', 'body'],
      ['[{"value":"v"}]', 'body'],
      ['{', 'body'],
      ['{"value":"v"} x', 'body'],
      ["{'value':'v'}", 'body'],
      ['{"value":"v",,}', 'body'],
      ['{,}', 'body'],
      ['{"value":"v" /* open', 'body'],
      ['{"value":"a\nb"}', 'body'],
      ['{"value":NaN}', 'body'],
      ['{"__proto__":{"value":"v"}}', 'body'],
      [`{"other":${'['.repeat(101)}${']'.repeat(101)}}`, 'body'],
    ])('%s is refused as %s', async (body, name) => {
      expectInvalidArgument(await app.azure.put('/kv/a', body), name);
      expectEmpty(await app.azure.get('/kv/a'), 404);
    });

    it('is refused when it is not UTF-8', async () => {
      const body = Buffer.concat([Buffer.from('{"value":"'), Buffer.from([0xff]), Buffer.from('"}')]);
      expectInvalidArgument(await app.azure.put('/kv/a', body), 'body');
    });

    it('may have names and values of tags of 256 characters', async () => {
      const tags = { ['ä'.repeat(256)]: 'ö'.repeat(256) };
      expect((await app.azure.put('/kv/a', { tags })).json.tags).toEqual(tags);
    });

    it('may have tags that are named like members of every object', async () => {
      const tags = { constructor: 'c', toString: null, hasOwnProperty: '', length: '1', 1: 'one' };
      const first = await app.azure.put('/kv/a', { tags });
      expect(first.json.tags).toEqual(tags);
      expect((await app.azure.put('/kv/a', { tags })).json.etag).toBe(first.json.etag);
    });

    it('is refused when it is missing altogether', async () => {
      const answer = await app.azure.send('PUT', '/kv/a', { headers: { 'content-type': 'application/json' } });
      expectInvalidArgument(answer, 'body');
    });
  });

  describe('Content-Type', () => {
    it.each([
      'application/vnd.microsoft.appconfig.kv+json',
      'application/vnd.microsoft.appconfig.kv+json; charset=utf-8',
      'application/vnd.microsoft.appconfig.kv+json;charset="UTF-8";x=y',
      'application/json',
      'Application/JSON ; charset=utf-8',
      'text/json',
      'application/problem+json',
      'application/vnd.microsoft.appconfig.kvset+json',
    ])('%s is read', async (type) => {
      const answer = await app.azure.put('/kv/a', '{"value":"v"}', { headers: { 'content-type': type } });
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toBe(KV_TYPE);
    });

    it.each([
      'text/plain',
      'text/html',
      'application/xml',
      'application/octet-stream',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'image/svg+json',
      'application/jsonp',
      'application/+json',
      'json',
      '*/*',
      'application/*',
    ])('%s is answered with an empty 415', async (type) => {
      expectEmpty(await app.azure.put('/kv/a', '{"value":"v"}', { headers: { 'content-type': type } }), 415);
      expectEmpty(await app.azure.get('/kv/a'), 404);
    });

    it('is required', async () => {
      expectEmpty(await app.azure.send('PUT', '/kv/a'), 415);
    });
  });

  describe('on a locked key-value', () => {
    beforeEach(async () => {
      await app.azure.put('/kv/a%2Fb?label=l', { value: 'v', tags: { t: '1' } });
      await lock(app, 'a/b', 'l');
    });

    it('is refused with the bare key', async () => {
      expectKeyLocked(await app.azure.put('/kv/a%2Fb?label=l', { value: 'w' }), 'a/b');
      expect((await app.azure.get('/kv/a/b?label=l')).json).toMatchObject({ value: 'v', locked: true });
      expect(await countRevisions(app, 'a/b', 'l')).toBe(1);
    });

    it('is refused even when it would alter nothing', async () => {
      expectKeyLocked(await app.azure.put('/kv/a/b?label=l', { value: 'v', tags: { t: '1' } }), 'a/b');
    });

    it('is refused even when its condition holds', async () => {
      const { json } = await app.azure.get('/kv/a/b?label=l');
      const headers = { 'if-match': `"${json.etag}"` };
      expectKeyLocked(await app.azure.put('/kv/a/b?label=l', { value: 'w' }, { headers }), 'a/b');
    });

    it('leaves other labels writable', async () => {
      expect((await app.azure.put('/kv/a/b', { value: 'w' })).status).toBe(200);
    });

    it('quotes a key of any characters', async () => {
      await app.azure.put('/kv/%22%5C%F0%9F%94%91%3C', {});
      await lock(app, '"\\🔑<');
      expectKeyLocked(await app.azure.put('/kv/%22%5C%F0%9F%94%91%3C', {}), '"\\🔑<');
    });
  });

  describe('order of refusals', () => {
    const unreadable = { 'content-type': 'text/plain' };
    beforeEach(async () => {
      await app.azure.put('/kv/locked', { value: 'v' });
      await lock(app, 'locked');
    });

    it('401 before everything about the resource', async () => {
      const answer = await app.azure.put('/kv/a%25b', '{', { signed: false, headers: unreadable });
      expectEmpty(answer, 401);
    });

    it('403 before everything about the resource', async () => {
      expectEmpty(await app.azureReader.put('/kv/a%25b', '{', { headers: unreadable }), 403);
    });

    it('400 of the path before 415', async () => {
      expectEmpty(await app.azure.put('/kv/a%25b', '{', { headers: unreadable }), 400);
    });

    it('415 before 400 of the body', async () => {
      expectEmpty(await app.azure.put('/kv/locked', '{', { headers: { ...unreadable, 'if-match': '"x"' } }), 415);
    });

    it.each(['{', '{"value":[]}'])('400 before 412: %s', async (body) => {
      expectInvalidArgument(
        await app.azure.put('/kv/locked', body, { headers: { 'if-match': '"x"' } }),
        body === '{' ? 'body' : 'value',
      );
    });

    it('400 of a name before 412', async () => {
      expectInvalidArgument(await app.azure.put('/kv/%07', {}, { headers: { 'if-match': '"x"' } }), 'key');
    });

    it('413 before 412', async () => {
      const body = { value: 'x'.repeat(10_240) };
      expectEmpty(await app.azure.put('/kv/locked', body, { headers: { 'if-match': '"x"' } }), 413);
    });

    it.each<[string, Record<string, string>]>([
      ['If-Match of another tag', { 'if-match': '"x"' }],
      ['If-None-Match *', { 'if-none-match': '*' }],
    ])('412 before 409: %s', async (_, headers) => {
      expectEmpty(await app.azure.put('/kv/locked', { value: 'w' }, { headers }), 412);
      expectEmpty(await app.azure.put('/kv/locked', { value: 'v' }, { headers }), 412);
    });
  });
});
