import { type AzureHttp } from '../support/azure-http';
import { expectInvalidArgument } from '../support/expect-answer';
import { startApp, type TestApp } from '../support/start-app';
import { ALL, create, itemsOf, patch, removeSnapshots, targetOf } from './stored-snapshots';

const VERSIONS = ['2023-10-01', '2023-11-01', '2024-09-01', '2026-04-01'];
const NEWEST = '2026-04-01';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
  await app.azure.put('/kv/a', { value: 'v', tags: { env: 'prod' } });
  await app.azure.put('/kv/b', { value: 'v' });
});
afterAll(() => app.close());
beforeEach(() => removeSnapshots(app));

const at = (version: string): AzureHttp => app.azure.withVersion(version);

describe('1.0', () => {
  it.each<[string, string]>([
    ['GET', '/snapshots'],
    ['HEAD', '/snapshots'],
    ['GET', '/snapshots/s'],
    ['PUT', '/snapshots/s'],
    ['PATCH', '/snapshots/s'],
    ['GET', '/operations?snapshot=s'],
  ])('does not have %s %s, signed or not', async (method, target) => {
    const path = target.split('?')[0]!;
    for (const signed of [true, false]) {
      const answer = await at('1.0').send(method, target, { signed });
      expect(answer.status).toBe(400);
      if (method === 'HEAD') continue;
      expectInvalidArgument(
        answer,
        'api-version',
        `The HTTP resource that matches the request URI 'http://127.0.0.1:${app.port}${path}' does not support the API version '1.0'.`,
        'Unsupported API version',
      );
    }
  });

  it('takes the list of a snapshot’s items for an ordinary list', async () => {
    await create(app.azure, 's', { filters: [{ key: 'a' }] });
    expect((await at('1.0').get(itemsOf('s'))).json.items).toHaveLength(2);
  });
});

describe.each(VERSIONS)('%s', (version) => {
  it('names itself in the links', async () => {
    const answer = await create(at(version), 's');
    expect(answer.headers.link).toContain(`api-version=${version}>`);
    expect(answer.headers['operation-location']).toMatch(new RegExp(`api-version=${version}$`));
    const operation = new URL(answer.headers['operation-location']!);
    expect((await at(version).get(`${operation.pathname}${operation.search}`)).json.status).toBe('Succeeded');
    expect((await patch(at(version), 's', { status: 'archived' })).status).toBe(200);
  });

  it('knows tags of filters from 2023-11-01 on, coming and going', async () => {
    const isKnown = version >= '2023-11-01';
    await create(at(version), 's', { filters: [{ key: '*', tags: ['env=prod'] }] });
    expect((await at(version).get(itemsOf('s'))).json.items).toHaveLength(isKnown ? 1 : 2);
    const [filter] = (await at(version).get(targetOf('s'))).json.filters;
    expect(filter).toEqual({ key: '*', label: null, ...(isKnown ? { tags: ['env=prod'] } : {}) });
    expect((await create(at(version), 'wrong', { filters: [{ key: '*', tags: 7 }] })).status).toBe(isKnown ? 400 : 201);
  });

  it('knows a description from 2026-04-01 on, coming and going, last', async () => {
    const isKnown = version >= NEWEST;
    await create(at(version), 'by it', { ...ALL, description: 'why' });
    expect((await at(NEWEST).get(targetOf('by it'))).json.description).toBe(isKnown ? 'why' : null);
    await create(at(NEWEST), 'by newest', { ...ALL, description: 'why' });
    const { json } = await at(version).get(targetOf('by newest'));
    expect(Object.keys(json).at(-1)).toBe(isKnown ? 'description' : 'retention_period');
    const selected = await at(version).get(`${targetOf('by newest')}?$select=description`);
    expect(selected.json).toEqual(isKnown ? { description: 'why' } : {});
    expect((await create(at(version), 'wrong', { ...ALL, description: {} })).status).toBe(isKnown ? 400 : 201);
  });
});
