import { startApp, type TestApp } from '../support/start-app';

describe('/kv/{key}', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());

  it('answers a put with the representation that a get then gives', async () => {
    const put = await app.azure.put('/kv/app%2Fname?label=dev', {
      value: 'v',
      content_type: 'text/plain',
      tags: { a: '1' },
    });
    expect(put.status).toBe(200);
    const get = await app.azure.get('/kv/app/name?label=dev');
    expect(get.status).toBe(200);
    expect(get.text).toBe(put.text);
    expect(Object.keys(get.json)).toEqual([
      'etag',
      'key',
      'label',
      'content_type',
      'value',
      'tags',
      'locked',
      'last_modified',
    ]);
  });
});
