import {
  AppConfigurationClient,
  type ConfigurationSetting,
  featureFlagContentType,
  featureFlagPrefix,
  isFeatureFlag,
  isSecretReference,
  isSnapshotReference,
  parseFeatureFlag,
  parseSecretReference,
  parseSnapshotReference,
  secretReferenceContentType,
  type SetConfigurationSettingParam,
  snapshotReferenceContentType,
} from '@azure/app-configuration';
import {
  type AzureAppConfiguration,
  type AzureAppConfigurationOptions,
  load as loadFrom,
} from '@azure/app-configuration-provider';
import {
  ConfigurationMapFeatureFlagProvider,
  FeatureManager,
  type IFeatureFilter,
} from '@microsoft/feature-management';
import { freePort } from '../faults/harness/ports';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

/** The SDK repeats what looks passing; a test wants the first answer. */
const CLIENT_OPTIONS = { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } };
/** The shortest that the provider allows. */
const REFRESH_INTERVAL_MS = 1000;

const AI_CHAT_CONTENT_TYPE = 'application/json; profile="https://azconfig.io/mime-profiles/ai/chat-completion"';

let app: TestApp;
let client: AppConfigurationClient;

/** Each fact has keys of its own, so that none depends on another's leftovers. */
let prefix = '';
let factCount = 0;
beforeEach(() => (prefix = `fact${++factCount}/`));

beforeAll(async () => {
  app = await startApp();
  client = new AppConfigurationClient(app.connectionString, CLIENT_OPTIONS);
});
afterAll(() => app.close());

const set = (name: string, value: string, more: Partial<SetConfigurationSettingParam> = {}) =>
  client.setConfigurationSetting({ ...more, key: `${prefix}${name}`, value });

/** At most ten at once, one for each database connection. */
const setAll = async (settings: [name: string, value: string][]): Promise<void> => {
  for (let start = 0; start < settings.length; start += 10) {
    await Promise.all(settings.slice(start, start + 10).map(([name, value]) => set(name, value)));
  }
};

/** Without other selectors: the keys of the fact that have no label. */
const load = (options: AzureAppConfigurationOptions = {}): Promise<AzureAppConfiguration> =>
  loadFrom(app.connectionString, {
    selectors: [{ keyFilter: `${prefix}*` }],
    trimKeyPrefixes: [prefix],
    clientOptions: CLIENT_OPTIONS,
    // A store with secret references does not load without.
    keyVaultOptions: { secretResolver: (url) => `secret of ${url.pathname}` },
    // Replicas are looked up in the DNS of the real service.
    replicaDiscoveryEnabled: false,
    ...options,
  });

/** What the provider holds, without the prefix of the fact. */
const entries = (configuration: AzureAppConfiguration): Record<string, unknown> => Object.fromEntries(configuration);

describe('load', () => {
  it('without selectors takes every key without a label', async () => {
    await set('a', 'one');
    await set('a', 'labelled', { label: 'dev' });
    expect((await load({ selectors: undefined })).get('a')).toBe('one');
  });

  it('takes what a key filter and a label select', async () => {
    await set('app/a', 'none');
    await set('app/a', 'dev', { label: 'dev' });
    await set('app/b', 'dev only', { label: 'dev' });
    await set('other', 'outside', { label: 'dev' });
    const selectors = [{ keyFilter: `${prefix}app/*`, labelFilter: 'dev' }];
    expect(entries(await load({ selectors }))).toEqual({ 'app/a': 'dev', 'app/b': 'dev only' });
  });

  it('lets a later selector win over an earlier one', async () => {
    await setAll([
      ['a', 'none'],
      ['b', 'none'],
    ]);
    await set('a', 'dev', { label: 'dev' });
    const none = { keyFilter: `${prefix}*`, labelFilter: '\0' };
    const dev = { keyFilter: `${prefix}*`, labelFilter: 'dev' };
    expect(entries(await load({ selectors: [none, dev] }))).toEqual({ a: 'dev', b: 'none' });
    expect(entries(await load({ selectors: [dev, none] }))).toEqual({ a: 'none', b: 'none' });
  });

  it('takes what tags select', async () => {
    await set('a', 'blue', { tags: { team: 'blue', tier: '1' } });
    await set('b', 'red', { tags: { team: 'red', tier: '1' } });
    const selectors = [{ keyFilter: `${prefix}*`, tagFilters: ['team=blue', 'tier=1'] }];
    expect(entries(await load({ selectors }))).toEqual({ a: 'blue' });
  });

  it('follows the pages of more than 100 keys', async () => {
    const settings = Array.from({ length: 205 }, (_, index): [string, string] => [`${index}`, `value ${index}`]);
    await setAll(settings);
    expect(entries(await load())).toEqual(Object.fromEntries(settings));
  });

  it('trims the longest prefix and builds an object', async () => {
    await setAll([
      ['shop:title', 'Shop'],
      ['shop:db:host', 'localhost'],
      ['admin:title', 'Admin'],
    ]);
    const configuration = await load({
      trimKeyPrefixes: [prefix, `${prefix}shop:`],
    });
    expect(configuration.constructConfigurationObject({ separator: ':' })).toEqual({
      title: 'Shop',
      db: { host: 'localhost' },
      admin: { title: 'Admin' },
    });
  });

  it.each(['application/json', 'application/json; charset=utf-8', 'application/vnd.example+json'])(
    'parses values of the content type %s',
    async (contentType) => {
      await set('object', '{"sizes": [1, 2.5], "on": true, "none": null}', { contentType });
      await set('number', '42', { contentType });
      await set('broken', '{', { contentType });
      await set('text', '42', { contentType: 'text/plain' });
      expect(entries(await load())).toEqual({
        object: { sizes: [1, 2.5], on: true, none: null },
        number: 42,
        broken: '{',
        text: '42',
      });
    },
  );

  it('resolves secret references', async () => {
    await client.setConfigurationSetting({
      key: `${prefix}password`,
      contentType: secretReferenceContentType,
      value: { secretId: 'https://vault.example/secrets/password' },
    });
    expect((await load()).get('password')).toBe('secret of /secrets/password');
  });
});

describe('feature flags', () => {
  const setFlag = (id: string, flag: object): Promise<unknown> =>
    client.setConfigurationSetting({
      key: `${featureFlagPrefix}${prefix}${id}`,
      contentType: featureFlagContentType,
      value: JSON.stringify({ id: `${prefix}${id}`, enabled: true, conditions: { client_filters: [] }, ...flag }),
    });

  /** As the .NET library has it; the one for JavaScript leaves `Microsoft.Percentage` to the application. */
  const percentage: IFeatureFilter = {
    name: 'Microsoft.Percentage',
    evaluate: ({ parameters }) => Math.random() * 100 < (parameters as { Value: number }).Value,
  };

  /** A manager of the flags of this fact. */
  const manage = async (): Promise<FeatureManager> =>
    new FeatureManager(
      new ConfigurationMapFeatureFlagProvider(
        await load({ featureFlagOptions: { enabled: true, selectors: [{ keyFilter: `${prefix}*` }] } }),
      ),
      { customFilters: [percentage] },
    );

  const isEnabled = (manager: FeatureManager, id: string, context?: unknown): Promise<boolean> =>
    manager.isEnabled(`${prefix}${id}`, context);

  it('are on or off', async () => {
    await setFlag('On', {});
    await setFlag('Off', { enabled: false });
    const manager = await manage();
    expect((await manager.listFeatureNames()).sort()).toEqual([`${prefix}Off`, `${prefix}On`]);
    expect(await isEnabled(manager, 'On')).toBe(true);
    expect(await isEnabled(manager, 'Off')).toBe(false);
    expect(await isEnabled(manager, 'Absent')).toBe(false);
  });

  it('are no key-values of the configuration', async () => {
    await setFlag('On', {});
    await set('a', 'one');
    const configuration = await load({ selectors: [{ keyFilter: '*' }], featureFlagOptions: { enabled: true } });
    expect([...configuration.keys()].filter((key) => key.startsWith(featureFlagPrefix))).toEqual([]);
    expect(configuration.get('feature_management')).toMatchObject({
      feature_flags: expect.arrayContaining([expect.objectContaining({ id: `${prefix}On` })]),
    });
  });

  it('are targeted at users and groups, with exceptions', async () => {
    await setFlag('Beta', {
      conditions: {
        client_filters: [
          {
            name: 'Microsoft.Targeting',
            parameters: {
              Audience: {
                Users: ['ada', 'grace'],
                Groups: [
                  { Name: 'staff', RolloutPercentage: 100 },
                  { Name: 'guests', RolloutPercentage: 0 },
                ],
                DefaultRolloutPercentage: 0,
                Exclusion: { Users: ['grace'], Groups: ['interns'] },
              },
            },
          },
        ],
      },
    });
    const manager = await manage();
    expect(await isEnabled(manager, 'Beta', { userId: 'ada' })).toBe(true);
    expect(await isEnabled(manager, 'Beta', { userId: 'grace' })).toBe(false);
    expect(await isEnabled(manager, 'Beta', { userId: 'alan' })).toBe(false);
    expect(await isEnabled(manager, 'Beta', { userId: 'alan', groups: ['staff'] })).toBe(true);
    expect(await isEnabled(manager, 'Beta', { userId: 'alan', groups: ['guests'] })).toBe(false);
    expect(await isEnabled(manager, 'Beta', { userId: 'alan', groups: ['staff', 'interns'] })).toBe(false);
  });

  it('are targeted at a percentage of users, the same ones each time', async () => {
    const parameters = { Audience: { DefaultRolloutPercentage: 50 } };
    await setFlag('Half', { conditions: { client_filters: [{ name: 'Microsoft.Targeting', parameters }] } });
    const enabledUsers = async (): Promise<string[]> => {
      const manager = await manage();
      const enabled: string[] = [];
      for (let number = 0; number < 200; number++) {
        if (await isEnabled(manager, 'Half', { userId: `user ${number}` })) enabled.push(`user ${number}`);
      }
      return enabled;
    };
    const enabled = await enabledUsers();
    // The hash that decides is fixed by the flag's name and the user's.
    expect(enabled.length).toBeGreaterThan(60);
    expect(enabled.length).toBeLessThan(140);
    expect(await enabledUsers()).toEqual(enabled);
  });

  it('hand Microsoft.Percentage its value', async () => {
    for (const value of [0, 100]) {
      const filter = { name: 'Microsoft.Percentage', parameters: { Value: value } };
      await setFlag(`Percent${value}`, { conditions: { client_filters: [filter] } });
    }
    const manager = await manage();
    expect(await isEnabled(manager, 'Percent0')).toBe(false);
    expect(await isEnabled(manager, 'Percent100')).toBe(true);
  });

  it('are on within a time window', async () => {
    const day = (offset: number): string => new Date(Date.now() + offset * 86_400_000).toUTCString();
    const windows = {
      Now: { Start: day(-1), End: day(1) },
      Over: { Start: day(-2), End: day(-1) },
      Later: { Start: day(1) },
    };
    for (const [id, parameters] of Object.entries(windows)) {
      await setFlag(id, { conditions: { client_filters: [{ name: 'Microsoft.TimeWindow', parameters }] } });
    }
    const manager = await manage();
    expect(await isEnabled(manager, 'Now')).toBe(true);
    expect(await isEnabled(manager, 'Over')).toBe(false);
    expect(await isEnabled(manager, 'Later')).toBe(false);
  });

  it('need one of their conditions or all, as they say', async () => {
    const clientFilters = [0, 100].map((value) => ({ name: 'Microsoft.Percentage', parameters: { Value: value } }));
    for (const requirement of ['Any', 'All']) {
      await setFlag(requirement, { conditions: { requirement_type: requirement, client_filters: clientFilters } });
    }
    const manager = await manage();
    expect(await isEnabled(manager, 'Any')).toBe(true);
    expect(await isEnabled(manager, 'All')).toBe(false);
  });

  it('allocate variants to users, groups and percentiles', async () => {
    await setFlag('Size', {
      variants: [
        { name: 'Big', configuration_value: { px: 30 } },
        { name: 'Small', configuration_value: { px: 10 } },
        { name: 'Off', configuration_value: null, status_override: 'Disabled' },
      ],
      allocation: {
        seed: 'fixed',
        default_when_enabled: 'Small',
        default_when_disabled: 'Off',
        user: [{ variant: 'Big', users: ['ada'] }],
        group: [{ variant: 'Off', groups: ['guests'] }],
        percentile: [{ variant: 'Big', from: 0, to: 50 }],
      },
    });
    const manager = await manage();
    const variantOf = (userId: string, groups: string[] = []) =>
      manager.getVariant(`${prefix}Size`, { userId, groups });
    expect(await variantOf('ada')).toEqual({ name: 'Big', configuration: { px: 30 } });
    expect(await variantOf('alan', ['guests'])).toMatchObject({ name: 'Off' });
    expect(await isEnabled(manager, 'Size', { userId: 'alan', groups: ['guests'] })).toBe(false);
    const names = new Set<string | undefined>();
    for (let number = 0; number < 50; number++) names.add((await variantOf(`user ${number}`))?.name);
    expect([...names].sort()).toEqual(['Big', 'Small']);
  });

  it('carry the entity tag of their key-value for telemetry', async () => {
    await setFlag('Watched', { telemetry: { enabled: true, metadata: { team: 'blue' } } });
    const { etag } = await client.getConfigurationSetting({ key: `${featureFlagPrefix}${prefix}Watched` });
    const configuration = await load({
      featureFlagOptions: { enabled: true, selectors: [{ keyFilter: `${prefix}*` }] },
    });
    expect(configuration.get('feature_management')).toMatchObject({
      feature_flags: [{ telemetry: { enabled: true, metadata: { team: 'blue', ETag: etag } } }],
    });
  });

  it('are refreshed when one changes', async () => {
    await setFlag('Beta', { enabled: false });
    const configuration = await load({
      featureFlagOptions: {
        enabled: true,
        selectors: [{ keyFilter: `${prefix}*` }],
        refresh: { enabled: true, refreshIntervalInMs: REFRESH_INTERVAL_MS },
      },
    });
    const manager = new FeatureManager(new ConfigurationMapFeatureFlagProvider(configuration));
    expect(await isEnabled(manager, 'Beta')).toBe(false);
    await setFlag('Beta', {});
    await waitFor(async () => {
      await configuration.refresh();
      return isEnabled(manager, 'Beta');
    });
  });
});

describe('refresh', () => {
  const refreshedUntil = (configuration: AzureAppConfiguration, condition: () => boolean): Promise<void> =>
    waitFor(async () => {
      await configuration.refresh();
      return condition();
    });

  it('by a watched key takes changes once that key changes', async () => {
    await setAll([
      ['a', 'one'],
      ['sentinel', '1'],
    ]);
    const configuration = await load({
      refreshOptions: {
        enabled: true,
        refreshIntervalInMs: REFRESH_INTERVAL_MS,
        watchedSettings: [{ key: `${prefix}sentinel` }],
      },
    });
    let refreshCount = 0;
    configuration.onRefresh(() => refreshCount++);
    await set('a', 'two');
    await set('sentinel', '2');
    await refreshedUntil(configuration, () => configuration.get('sentinel') === '2');
    expect(entries(configuration)).toEqual({ a: 'two', sentinel: '2' });
    expect(refreshCount).toBe(1);
  });

  it('by a watched key sees it created and deleted', async () => {
    await set('a', 'one');
    const configuration = await load({
      selectors: [{ keyFilter: `${prefix}*`, labelFilter: 'dev' }],
      refreshOptions: {
        enabled: true,
        refreshIntervalInMs: REFRESH_INTERVAL_MS,
        watchedSettings: [{ key: `${prefix}sentinel`, label: 'dev' }],
      },
    });
    expect(entries(configuration)).toEqual({});
    await set('sentinel', '1', { label: 'dev' });
    await refreshedUntil(configuration, () => configuration.has('sentinel'));
    await client.deleteConfigurationSetting({ key: `${prefix}sentinel`, label: 'dev' });
    await refreshedUntil(configuration, () => !configuration.has('sentinel'));
  });

  it('of everything sees a change, an addition and a deletion on any of several pages', async () => {
    await setAll(Array.from({ length: 205 }, (_, index) => [String(index).padStart(3, '0'), 'old']));
    const configuration = await load({
      refreshOptions: { enabled: true, refreshIntervalInMs: REFRESH_INTERVAL_MS },
    });
    let refreshCount = 0;
    configuration.onRefresh(() => refreshCount++);
    expect(configuration.size).toBe(205);

    await set('150', 'new');
    await refreshedUntil(configuration, () => configuration.get('150') === 'new');
    await set('999', 'added at the end');
    await refreshedUntil(configuration, () => configuration.has('999'));
    await set('0000', 'added on the first page');
    await refreshedUntil(configuration, () => configuration.has('0000'));
    await client.deleteConfigurationSetting({ key: `${prefix}204` });
    await refreshedUntil(configuration, () => !configuration.has('204'));
    expect(configuration.size).toBe(206);
    expect(refreshCount).toBe(4);
  });

  it('of everything reads nothing anew while nothing changes', async () => {
    await setAll(Array.from({ length: 105 }, (_, index) => [String(index).padStart(3, '0'), 'old']));
    const statuses: number[] = [];
    const configuration = await load({
      refreshOptions: { enabled: true, refreshIntervalInMs: REFRESH_INTERVAL_MS },
      clientOptions: {
        ...CLIENT_OPTIONS,
        additionalPolicies: [
          {
            position: 'perRetry',
            policy: {
              name: 'statuses',
              sendRequest: async (request, next) => {
                const response = await next(request);
                statuses.push(response.status);
                return response;
              },
            },
          },
        ],
      },
    });
    expect(statuses).toEqual([200, 200]);
    await refreshedUntil(configuration, () => statuses.length > 2);
    expect(statuses).toEqual([200, 200, 304, 304]);
  });

  it('goes on after the service was started anew on the same port and database', async () => {
    await set('a', 'one');
    const port = await freePort();
    let service = await startApp({ PORT: `${port}` }, app);
    try {
      const configuration = await loadFrom(service.connectionString, {
        selectors: [{ keyFilter: `${prefix}*` }],
        trimKeyPrefixes: [prefix],
        refreshOptions: { enabled: true, refreshIntervalInMs: REFRESH_INTERVAL_MS },
        clientOptions: CLIENT_OPTIONS,
        replicaDiscoveryEnabled: false,
      });
      expect(configuration.get('a')).toBe('one');
      await service.close();
      service = await startApp({ PORT: `${port}` }, app);
      expect(service.port).toBe(port);
      await set('a', 'two');
      await refreshedUntil(configuration, () => configuration.get('a') === 'two');
    } finally {
      await service.close();
    }
  });
});

describe('snapshots', () => {
  const createSnapshot = (name: string) =>
    client.beginCreateSnapshotAndWait(
      {
        name,
        compositionType: 'key',
        retentionPeriodInSeconds: 3600,
        filters: [{ keyFilter: `${prefix}*` }],
      },
      { updateIntervalInMs: 50 },
    );

  it('are loaded as they were made', async () => {
    await setAll(Array.from({ length: 105 }, (_, index) => [String(index), 'old']));
    const { name } = await createSnapshot(`provider-${factCount}`);
    await set('0', 'new');
    const configuration = await load({ selectors: [{ snapshotName: name }] });
    expect(configuration.size).toBe(105);
    expect(configuration.get('0')).toBe('old');
  });

  it('are loaded through a reference to them', async () => {
    await set('a', 'old');
    const { name } = await createSnapshot(`provider-${factCount}`);
    await set('a', 'new');
    const key = `reference${factCount}`;
    await client.setConfigurationSetting({
      key,
      contentType: snapshotReferenceContentType,
      value: { snapshotName: name },
    });
    expect(entries(await load({ selectors: [{ keyFilter: key }] }))).toEqual({ a: 'old' });
  });

  it('that do not exist are empty', async () => {
    expect(entries(await load({ selectors: [{ snapshotName: 'absent' }] }))).toEqual({});
  });
});

describe('values with a meaning for clients', () => {
  /** Writes and reads through the SDK; content type and value come back byte for byte. */
  const roundTrip = async (key: string, contentType: string, value: string): Promise<ConfigurationSetting<string>> => {
    await client.setConfigurationSetting({ key, contentType, value });
    const read = await client.getConfigurationSetting({ key });
    expect(read).toMatchObject({ contentType, value });
    return read;
  };

  it('keep a feature flag with every member', async () => {
    const flag = {
      id: `${prefix}Beta`,
      description: 'größer 😀',
      display_name: 'Beta',
      enabled: true,
      conditions: {
        requirement_type: 'All',
        client_filters: [{ name: 'Microsoft.Targeting', parameters: { Audience: { Users: ['ada'] } } }],
      },
      variants: [{ name: 'On', configuration_value: { a: [1, null] }, status_override: 'None' }],
      allocation: { default_when_enabled: 'On', percentile: [{ variant: 'On', from: 0, to: 50.5 }], seed: '' },
      telemetry: { enabled: true, metadata: {} },
    };
    const text = JSON.stringify(flag, null, '\t');
    const read = await roundTrip(
      `${featureFlagPrefix}${prefix}Beta`,
      'application/vnd.microsoft.appconfig.ff+json;charset=utf-8',
      text,
    );
    expect(isFeatureFlag(read)).toBe(true);
    expect(parseFeatureFlag(read).value).toMatchObject({
      id: flag.id,
      enabled: true,
      displayName: 'Beta',
      description: flag.description,
      conditions: { clientFilters: flag.conditions.client_filters },
    });
  });

  it('keep a secret reference', async () => {
    const read = await roundTrip(
      `${prefix}password`,
      'application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8',
      '{ "uri" : "https://vault.example/secrets/password/1" }',
    );
    expect(isSecretReference(read)).toBe(true);
    expect(parseSecretReference(read).value).toEqual({ secretId: 'https://vault.example/secrets/password/1' });
  });

  it('keep a snapshot reference', async () => {
    const read = await roundTrip(
      `${prefix}reference`,
      'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"; charset=utf-8',
      '{"snapshot_name":"nightly"}',
    );
    expect(isSnapshotReference(read)).toBe(true);
    expect(parseSnapshotReference(read).value).toEqual({ snapshotName: 'nightly' });
  });

  it('keep an AI configuration, which a provider parses', async () => {
    const text = '{"model": "small", "temperature": 0.10, "messages": [{"role": "system", "content": "Be brief."}]}';
    await roundTrip(`${prefix}chat`, AI_CHAT_CONTENT_TYPE, text);
    expect((await load()).get('chat')).toEqual(JSON.parse(text));
  });

  it('keep odd spellings of content types, which make them something else for clients', async () => {
    const odd = 'Application/vnd.microsoft.appconfig.ff+json ;charset="UTF-8"';
    const read = await roundTrip(`${featureFlagPrefix}${prefix}Odd`, odd, '{"id":"Odd","enabled":true}');
    expect(isFeatureFlag(read)).toBe(false);
  });
});
