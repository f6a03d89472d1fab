import { Dispatcher } from '../../src/http/dispatcher';
import { describedPath } from '../../src/openapi/documentation';
import { startApp, type TestApp } from '../support/start-app';

describe('/openapi.json', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startApp()));
  afterAll(() => app.close());

  it('describes every route that the dispatcher serves, HEAD included', async () => {
    const { json, status } = await app.azure.get('/openapi.json', { signed: false, apiVersion: null });
    expect(status).toBe(200);
    expect(json.openapi).toMatch(/^3\./);
    const described = Object.entries<
      Record<string, { summary: string; responses: object; parameters: { name: string }[] }>
    >(json.paths);
    const served = [...app.app.get(Dispatcher).routes()].flatMap(({ surface, route }) => {
      const path = describedPath(surface.name, route.pattern);
      const methods =
        route.method === 'GET' && surface.name === 'azure' ? ['get', 'head'] : [route.method.toLowerCase()];
      return methods.map((method) => `${method} ${path}`);
    });
    expect(
      described.flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method} ${path}`)).sort(),
    ).toEqual(served.sort());
    for (const [path, operations] of described) {
      for (const operation of Object.values(operations)) {
        expect(operation.summary).not.toBe('');
        expect(Object.keys(operation.responses)).not.toHaveLength(0);
        for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
          expect(operation.parameters.map((parameter) => parameter.name)).toContain(name);
        }
      }
    }
  });

  it('is shown as a page at /docs without anything from another host', async () => {
    const page = await app.azure.get('/docs', { signed: false, apiVersion: null });
    expect(page.status).toBe(200);
    expect(page.headers['content-type']).toContain('text/html');
    const sources = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source]) => source!);
    expect(sources.length).toBeGreaterThan(2);
    for (const source of sources) {
      expect(source).not.toMatch(/^(https?:)?\/\//);
      const asset = await app.azure.get(new URL(source, `http://127.0.0.1:${app.port}/docs`).pathname, {
        signed: false,
        apiVersion: null,
      });
      expect(asset.status).toBe(200);
    }
  });

  it.each([
    [412, 'If-Match', '"another"'],
    [416, 'Range', 'bytes=99999999-'],
  ])('refuses a condition or a range that a file of it does not meet with %i', async (status, name, value) => {
    const options = { signed: false, apiVersion: null, headers: { [name]: value } };
    const answer = await app.azure.get('/docs/swagger-ui.css', options);
    expect([answer.status, answer.headers['content-type']]).toEqual([
      status,
      'application/problem+json; charset=utf-8',
    ]);
    expect(answer.json).toMatchObject({ status });
  });
});
