import * as newest from '@azure/app-configuration';
import * as version1_9 from 'azure-app-configuration-2023-11';
import { startApp, type TestApp } from '../support/start-app';

type Sdk = typeof newest;

/** Official SDK releases that know snapshots, each with the api-version that it sends; the older one is typed like the newest. */
const GENERATIONS: { name: string; sdk: Sdk; apiVersion: string; hasDescription: boolean }[] = [
  { name: '1.9.0', sdk: version1_9 as unknown as Sdk, apiVersion: '2023-11-01', hasDescription: false },
  { name: '1.13.0', sdk: newest, apiVersion: '2026-04-01', hasDescription: true },
];

async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of all) found.push(each);
  return found;
}

describe.each(GENERATIONS)('@azure/app-configuration $name', ({ sdk, apiVersion, hasDescription }) => {
  let app: TestApp;
  let client: newest.AppConfigurationClient;
  const targets: string[] = [];
  beforeAll(async () => {
    app = await startApp();
    client = new sdk.AppConfigurationClient(app.connectionString, {
      allowInsecureConnection: true,
      retryOptions: { maxRetries: 0 },
      additionalPolicies: [
        {
          position: 'perRetry',
          policy: {
            name: 'recorder',
            sendRequest: (request, next) => {
              targets.push(`${request.method} ${new URL(request.url).pathname}`);
              expect(new URL(request.url).searchParams.get('api-version')).toBe(apiVersion);
              return next(request);
            },
          },
        },
      ],
    });
    for (let index = 0; index < 120; index++) {
      await client.setConfigurationSetting({ key: `app/${String(index).padStart(3, '0')}`, value: `${index}` });
    }
    await client.setConfigurationSetting({ key: 'app/000', label: 'prod', value: 'of prod', tags: { env: 'prod' } });
  });
  afterAll(() => app.close());

  let name = '';
  let factCount = 0;
  beforeEach(() => {
    name = `fact${++factCount} a/b`;
    targets.length = 0;
  });

  const createAll = (): Promise<newest.CreateSnapshotResponse> =>
    client.beginCreateSnapshotAndWait({ name, filters: [{ keyFilter: 'app/*' }] });

  const failureOf = async (call: Promise<unknown>): Promise<{ statusCode: number }> => {
    try {
      await call;
    } catch (error) {
      return error as { statusCode: number };
    }
    throw new Error('the call did not fail');
  };

  it('creates a snapshot and need not wait for it', async () => {
    const created = await client.beginCreateSnapshotAndWait({
      name,
      filters: [{ keyFilter: 'app/*' }, { keyFilter: 'app/000', labelFilter: 'prod', tagsFilter: ['env=prod'] }],
      compositionType: 'key',
      retentionPeriodInSeconds: 3600,
      tags: { team: 'a' },
      ...(hasDescription ? { description: 'why' } : {}),
    });
    expect(created).toMatchObject({
      name,
      status: 'ready',
      compositionType: 'key',
      retentionPeriodInSeconds: 3600,
      itemCount: 120,
      tags: { team: 'a' },
      filters: [
        { keyFilter: 'app/*', tagsFilter: [] },
        { keyFilter: 'app/000', labelFilter: 'prod', tagsFilter: ['env=prod'] },
      ],
      ...(hasDescription ? { description: 'why' } : {}),
    });
    expect(created.createdOn).toBeInstanceOf(Date);
    // The first answer is that it is done; for another one the SDK would wait.
    expect(targets.filter((target) => target === 'GET /operations')).toHaveLength(1);
  });

  it('reads it', async () => {
    const created = await createAll();
    const found = await client.getSnapshot(name);
    expect(found).toMatchObject({ name, status: 'ready', etag: created.etag, itemCount: 120 });
  });

  it('lists snapshots by name and status', async () => {
    await createAll();
    const list = (options: newest.ListSnapshotsOptions) => collect(client.listSnapshots(options));
    expect((await list({ nameFilter: `fact${factCount}*` })).map((snapshot) => snapshot.name)).toEqual([name]);
    expect(await list({ nameFilter: name, statusFilter: ['archived', 'failed'] })).toEqual([]);
    expect(await list({ nameFilter: name, statusFilter: ['ready'] })).toHaveLength(1);
    // 1.13.0 cannot read a snapshot whose filters were not selected.
    const [some] = await list({ nameFilter: name, fields: ['name', 'status', 'filters'] });
    expect([some!.name, some!.status, some!.itemCount]).toEqual([name, 'ready', undefined]);
  });

  it('lists its settings as they were, over all pages', async () => {
    await createAll();
    const before = await client.getConfigurationSetting({ key: 'app/001' });
    await client.setConfigurationSetting({ key: 'app/001', value: 'later' });
    const items = await collect(client.listConfigurationSettingsForSnapshot(name));
    expect(items).toHaveLength(120);
    expect(items[1]).toMatchObject({ key: 'app/001', value: before.value, etag: before.etag });
    await client.setConfigurationSetting({ key: 'app/001', value: before.value! });
  });

  it('archives and recovers it', async () => {
    const created = await createAll();
    const archived = await client.archiveSnapshot(name);
    expect(archived).toMatchObject({ name, status: 'archived' });
    expect(archived.expiresOn!.getTime()).toBeGreaterThan(Date.now());
    expect(archived.etag).not.toBe(created.etag);
    expect((await client.archiveSnapshot(name)).etag).toBe(archived.etag);
    const recovered = await client.recoverSnapshot(name);
    expect(recovered).toMatchObject({ name, status: 'ready' });
    expect(recovered.expiresOn).toBeUndefined();
  });

  it('is told of another change by the condition it may set', async () => {
    const created = await createAll();
    await client.archiveSnapshot(name);
    const stale = client.recoverSnapshot(name, { etag: created.etag! });
    expect((await failureOf(stale)).statusCode).toBe(412);
  });

  it('fails for a name that is taken', async () => {
    await createAll();
    expect((await failureOf(createAll())).statusCode).toBe(409);
  });

  it('fails for a snapshot that is not there', async () => {
    expect((await failureOf(client.getSnapshot('none'))).statusCode).toBe(404);
    expect((await failureOf(client.archiveSnapshot('none'))).statusCode).toBe(404);
    expect(await collect(client.listConfigurationSettingsForSnapshot('none'))).toEqual([]);
  });
});
