import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import * as newest from '@azure/app-configuration';
import * as version1_4 from 'azure-app-configuration-1.0';
import * as version1_9 from 'azure-app-configuration-2023-11';
import { READ_ONLY_KEY, READ_WRITE_KEY, startApp, type TestApp } from '../support/start-app';

type Sdk = typeof newest;
/** What a generation of the SDK may lack. */
type Ability =
  | 'description'
  /** Labels with `?`, `&`, `#`, `+` or `%` reach the wire as they are; otherwise the SDK itself changes them. */
  | 'escaped labels'
  | 'head pages'
  | 'labels'
  | 'page etags'
  | 'tag filters';

interface Generation {
  name: string;
  sdk: Sdk;
  /** What it sends. */
  apiVersion: string;
  lacks: readonly Ability[];
}

/** Official SDK releases as they are in use, each with the api-version that it sends; older ones are typed like the newest. */
const GENERATIONS: Generation[] = [
  {
    name: '1.4.1',
    sdk: version1_4 as unknown as Sdk,
    apiVersion: '1.0',
    lacks: ['description', 'head pages', 'labels', 'page etags', 'tag filters'],
  },
  { name: '1.9.0', sdk: version1_9 as unknown as Sdk, apiVersion: '2023-11-01', lacks: ['description', 'head pages'] },
  { name: '1.13.0', sdk: newest, apiVersion: '2026-04-01', lacks: ['escaped labels'] },
];

type Client = newest.AppConfigurationClient;
type ClientOptions = newest.AppConfigurationClientOptions;
type PipelinePolicy = NonNullable<ClientOptions['additionalPolicies']>[number]['policy'];

/** The SDK repeats what looks passing; a test wants the first answer. */
const OPTIONS: ClientOptions = { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } };

const CERTIFICATE = join(__dirname, '../support/tls/test-only.cert.pem');
const TLS = { TLS_CERT_FILE: CERTIFICATE, TLS_KEY_FILE: join(__dirname, '../support/tls/test-only.key.pem') };

async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of all) found.push(each);
  return found;
}

describe.each(GENERATIONS)('@azure/app-configuration $name', ({ sdk, apiVersion, lacks }) => {
  let app: TestApp;
  let client: Client;
  /** Every exchange of `client` during the fact, as it was on the wire. */
  const exchanges: { method: string; url: URL; sent: Record<string, string>; received: Record<string, string> }[] = [];

  /** A fact about generations that have the ability; the others have nothing to be shown. */
  const having = (ability: Ability): typeof it | (() => void) => (lacks.includes(ability) ? () => undefined : it);

  /** Each fact has keys of its own, so that none depends on another's leftovers. */
  let prefix = '';
  let factCount = 0;
  beforeEach(() => {
    prefix = `fact${++factCount}/`;
    exchanges.length = 0;
  });

  const connect = (connectionString: string, options: ClientOptions = OPTIONS): Client => {
    const recorder: PipelinePolicy = {
      name: 'recorder',
      sendRequest: async (request, next) => {
        const response = await next(request);
        exchanges.push({
          method: request.method,
          url: new URL(request.url),
          sent: request.headers.toJSON(),
          received: response.headers.toJSON(),
        });
        return response;
      },
    };
    return new sdk.AppConfigurationClient(connectionString, {
      ...options,
      additionalPolicies: [{ policy: recorder, position: 'perRetry' }],
    });
  };

  const failureOf = async (call: Promise<unknown>): Promise<{ name: string; statusCode: number }> => {
    try {
      await call;
    } catch (error) {
      return error as { name: string; statusCode: number };
    }
    throw new Error('the call did not fail');
  };

  const keysOf = async (options: newest.ListConfigurationSettingsOptions): Promise<string[]> =>
    (await collect(client.listConfigurationSettings(options))).map(({ key }) => key);

  /** At most ten at once, one for each database connection: on a busy machine more would wait past the service's patience. */
  const setAll = async (settings: newest.SetConfigurationSettingParam[]): Promise<void> => {
    for (let start = 0; start < settings.length; start += 10) {
      const some = settings.slice(start, start + 10);
      await Promise.all(some.map((setting) => client.setConfigurationSetting(setting)));
    }
  };

  /** 205 key-values: two full pages and a short one. */
  const setThreePages = (): Promise<void> =>
    setAll(
      Array.from({ length: 205 }, (_, index) => ({
        key: `${prefix}${String(index).padStart(3, '0')}`,
        value: `${index}`,
      })),
    );

  beforeAll(async () => {
    app = await startApp();
    client = connect(app.connectionString);
  });
  afterAll(() => app.close());

  it(`sends api-version ${apiVersion} and lacks what the table says`, async () => {
    await client.setConfigurationSetting({ key: `${prefix}a` });
    expect(exchanges[0]!.url.searchParams.get('api-version')).toBe(apiVersion);
    expect(client.listLabels === undefined).toBe(lacks.includes('labels'));
    expect(client.checkConfigurationSettings === undefined).toBe(lacks.includes('head pages'));
  });

  describe('addConfigurationSetting', () => {
    it('creates', async () => {
      const added = await client.addConfigurationSetting({
        key: `${prefix}a`,
        label: 'dev',
        value: 'one',
        contentType: 'text/plain',
        tags: { team: 'blue' },
      });
      expect(added).toMatchObject({
        key: `${prefix}a`,
        label: 'dev',
        value: 'one',
        contentType: 'text/plain',
        tags: { team: 'blue' },
        isReadOnly: false,
      });
      expect(added.etag).toMatch(/^[\w-]{43}$/);
      expect(Math.abs(Date.now() - added.lastModified!.getTime())).toBeLessThan(60_000);
    });

    it('fails with 412 where something is', async () => {
      const setting = { key: `${prefix}a`, value: 'one' };
      await client.addConfigurationSetting(setting);
      expect(await failureOf(client.addConfigurationSetting({ ...setting, value: 'two' }))).toMatchObject({
        name: 'RestError',
        statusCode: 412,
      });
      expect((await client.getConfigurationSetting(setting)).value).toBe('one');
      await client.addConfigurationSetting({ ...setting, label: 'another label is another setting' });
    });
  });

  describe('setConfigurationSetting', () => {
    it('creates and replaces, with a new entity tag each time', async () => {
      const key = `${prefix}a`;
      const first = await client.setConfigurationSetting({ key, value: 'one', tags: { a: '1' } });
      const second = await client.setConfigurationSetting({ key, value: 'two' });
      expect(second.etag).not.toBe(first.etag);
      expect(second).toMatchObject({ value: 'two', tags: {} });
    });

    it('with onlyIfUnchanged writes over what was read, and fails with 412 once it changed', async () => {
      const read = await client.setConfigurationSetting({ key: `${prefix}a`, value: 'one' });
      await client.setConfigurationSetting({ ...read, value: 'two' }, { onlyIfUnchanged: true });
      expect(
        await failureOf(client.setConfigurationSetting({ ...read, value: 'three' }, { onlyIfUnchanged: true })),
      ).toMatchObject({ statusCode: 412 });
      expect((await client.getConfigurationSetting({ key: read.key })).value).toBe('two');
    });

    it('keeps keys of any script, with slashes and everything that a URL would escape', async () => {
      for (const name of ['größe/日本語/😀', 'a/b//c/', "it's (really) a*b,c\\d!", 'q?x=1&y#z;w +', '../..', '"<>|"']) {
        const key = `${prefix}${name}`;
        await client.setConfigurationSetting({ key, value: name });
        expect(await client.getConfigurationSetting({ key })).toMatchObject({ key, value: name });
        expect((await client.deleteConfigurationSetting({ key })).statusCode).toBe(200);
      }
    });

    it('keeps labels of any script', async () => {
      const key = `${prefix}a`;
      for (const label of ['größe/日本語/😀', 'a*b, c\\d', '.', '"quoted"']) {
        await client.setConfigurationSetting({ key, label, value: label });
        expect(await client.getConfigurationSetting({ key, label })).toMatchObject({ key, label, value: label });
      }
    });

    having('escaped labels')('keeps labels with characters that mean something in a URL', async () => {
      const id = { key: `${prefix}a`, label: 'q?x=1&y#z;w + %41' };
      await client.setConfigurationSetting({ ...id, value: 'one' });
      expect(await client.getConfigurationSetting(id)).toMatchObject({ ...id, value: 'one' });
    });

    it('reads a slash and %2F as the same key', async () => {
      await client.setConfigurationSetting({ key: `${prefix}a/b`, value: 'x' });
      expect(exchanges[0]!.url.pathname).toBe(`/kv/${encodeURIComponent(prefix)}a%2Fb`);
      const { json } = await app.azure.get(`/kv/${prefix}a/b`);
      expect(json).toMatchObject({ key: `${prefix}a/b`, value: 'x' });
    });

    it('keeps every character of a value', async () => {
      const value = 'nul \u0000 escape \u0001 tab \t line \r\n separator \u2028 pair 😀 quote " end';
      await client.setConfigurationSetting({ key: `${prefix}a`, value });
      expect((await client.getConfigurationSetting({ key: `${prefix}a` })).value).toBe(value);
    });

    having('description')('keeps a description', async () => {
      const key = `${prefix}a`;
      await client.setConfigurationSetting({ key, value: 'one', description: 'What it is for' });
      expect((await client.getConfigurationSetting({ key })).description).toBe('What it is for');
    });
  });

  describe('getConfigurationSetting', () => {
    it('tells labels apart, none among them', async () => {
      const key = `${prefix}a`;
      await setAll([
        { key, value: 'none' },
        { key, label: 'dev', value: 'dev' },
      ]);
      const unlabelled = await client.getConfigurationSetting({ key });
      expect(unlabelled).toMatchObject({ value: 'none', statusCode: 200 });
      expect(unlabelled.label ?? null).toBeNull();
      expect((await client.getConfigurationSetting({ key, label: 'dev' })).value).toBe('dev');
    });

    it('fails with 404 where nothing is', async () => {
      const read = client.getConfigurationSetting({ key: `${prefix}absent` });
      expect(await failureOf(read)).toMatchObject({ name: 'RestError', statusCode: 404 });
    });

    it('with onlyIfChanged is 304 until it changed', async () => {
      const read = await client.setConfigurationSetting({ key: `${prefix}a`, value: 'one' });
      const unchanged = await client.getConfigurationSetting(read, { onlyIfChanged: true });
      expect(unchanged.statusCode).toBe(304);
      expect(unchanged.value).toBeUndefined();
      await client.setConfigurationSetting({ key: read.key, value: 'two' });
      expect(await client.getConfigurationSetting(read, { onlyIfChanged: true })).toMatchObject({
        statusCode: 200,
        value: 'two',
      });
    });

    it('gives only the fields asked for', async () => {
      const key = `${prefix}a`;
      await client.setConfigurationSetting({ key, value: 'one', contentType: 'text/plain', tags: { a: '1' } });
      const read = await client.getConfigurationSetting({ key }, { fields: ['key', 'value', 'isReadOnly'] });
      expect(read).toMatchObject({ key, value: 'one', isReadOnly: false });
      expect(read.contentType).toBeUndefined();
      expect(read.tags ?? {}).toEqual({});
    });

    it('with acceptDateTime reads the past', async () => {
      const key = `${prefix}a`;
      await client.setConfigurationSetting({ key, value: 'old' });
      await app.sql(`UPDATE key_value_revision SET last_modified = last_modified - interval '2 hours' WHERE key = $1`, [
        key,
      ]);
      await client.setConfigurationSetting({ key, value: 'new' });
      const hoursAgo = (hours: number): Date => new Date(Date.now() - hours * 3_600_000);
      expect((await client.getConfigurationSetting({ key }, { acceptDateTime: hoursAgo(1) })).value).toBe('old');
      const before = client.getConfigurationSetting({ key }, { acceptDateTime: hoursAgo(3) });
      expect(await failureOf(before)).toMatchObject({ statusCode: 404 });
      expect((await client.getConfigurationSetting({ key })).value).toBe('new');

      const listed = client.listConfigurationSettings({ keyFilter: key, acceptDateTime: hoursAgo(1) });
      expect((await collect(listed)).map(({ value }) => value)).toEqual(['old']);
      expect(await keysOf({ keyFilter: key, acceptDateTime: hoursAgo(3) })).toEqual([]);
    });
  });

  describe('deleteConfigurationSetting', () => {
    it('removes, and says 204 where nothing is', async () => {
      const id = { key: `${prefix}a`, label: 'dev' };
      await client.setConfigurationSetting({ ...id, value: 'one' });
      expect((await client.deleteConfigurationSetting(id)).statusCode).toBe(200);
      expect(await failureOf(client.getConfigurationSetting(id))).toMatchObject({ statusCode: 404 });
      expect((await client.deleteConfigurationSetting(id)).statusCode).toBe(204);
    });

    it('with onlyIfUnchanged fails with 412 once it changed', async () => {
      const read = await client.setConfigurationSetting({ key: `${prefix}a`, value: 'one' });
      const changed = await client.setConfigurationSetting({ key: read.key, value: 'two' });
      expect(await failureOf(client.deleteConfigurationSetting(read, { onlyIfUnchanged: true }))).toMatchObject({
        statusCode: 412,
      });
      expect((await client.deleteConfigurationSetting(changed, { onlyIfUnchanged: true })).statusCode).toBe(200);
    });
  });

  describe('setReadOnly', () => {
    it('locks a setting against set and delete, and unlocks it', async () => {
      const read = await client.setConfigurationSetting({ key: `${prefix}a`, label: 'dev', value: 'one' });
      const locked = await client.setReadOnly(read, true);
      expect(locked).toMatchObject({ isReadOnly: true, value: 'one' });
      expect(await failureOf(client.setConfigurationSetting({ ...read, value: 'two' }))).toMatchObject({
        statusCode: 409,
      });
      expect(await failureOf(client.deleteConfigurationSetting(read))).toMatchObject({ statusCode: 409 });
      expect(await client.setReadOnly(locked, false)).toMatchObject({ isReadOnly: false });
      expect((await client.setConfigurationSetting({ ...read, value: 'two' })).value).toBe('two');
    });

    it('with onlyIfUnchanged fails with 412 once it changed, and with 404 where nothing is', async () => {
      const read = await client.setConfigurationSetting({ key: `${prefix}a`, value: 'one' });
      await client.setConfigurationSetting({ key: read.key, value: 'two' });
      expect(await failureOf(client.setReadOnly(read, true, { onlyIfUnchanged: true }))).toMatchObject({
        statusCode: 412,
      });
      expect(await failureOf(client.setReadOnly({ key: `${prefix}nothing` }, true))).toMatchObject({ statusCode: 404 });
    });
  });

  describe('listConfigurationSettings', () => {
    it('filters keys by prefix, by alternatives and by escaped characters', async () => {
      const names = ['ab', 'abc', 'a,b', 'a*', 'a\\b', 'b'];
      await setAll(names.map((each) => ({ key: prefix + each, value: each })));
      const list = async (filter: string): Promise<string[]> =>
        (await keysOf({ keyFilter: filter })).map((key) => key.slice(prefix.length));
      expect(await list(`${prefix}ab*`)).toEqual(['ab', 'abc']);
      expect(await list(`${prefix}b,${prefix}abc,${prefix}absent`)).toEqual(['abc', 'b']);
      expect(await list(`${prefix}a\\,b`)).toEqual(['a,b']);
      expect(await list(`${prefix}a\\*`)).toEqual(['a*']);
      expect(await list(`${prefix}a\\\\b`)).toEqual(['a\\b']);
      expect(await list(`${prefix}*`)).toEqual(['a*', 'a,b', 'a\\b', 'ab', 'abc', 'b']);
    });

    it('fails with 400 for more than five alternatives', async () => {
      expect(await failureOf(keysOf({ keyFilter: 'a,b,c,d,e,f' }))).toMatchObject({ statusCode: 400 });
    });

    it('filters labels, "no label" among them', async () => {
      const key = `${prefix}a`;
      await setAll([{ key }, { key, label: 'dev' }, { key, label: 'dev2' }, { key, label: 'größe, *' }]);
      const list = async (labelFilter?: string): Promise<(string | undefined)[]> =>
        (await collect(client.listConfigurationSettings({ keyFilter: key, labelFilter }))).map(
          ({ label }) => label ?? undefined,
        );
      expect(await list()).toEqual([undefined, 'dev', 'dev2', 'größe, *']);
      expect(await list('*')).toEqual([undefined, 'dev', 'dev2', 'größe, *']);
      expect(await list('\0')).toEqual([undefined]);
      expect(await list('\0,dev')).toEqual([undefined, 'dev']);
      expect(await list('dev*')).toEqual(['dev', 'dev2']);
      expect(await list('größe\\, \\*')).toEqual(['größe, *']);
      expect(await list('absent')).toEqual([]);
    });

    having('tag filters')('filters tags', async () => {
      await setAll([
        { key: `${prefix}a`, tags: { env: 'prod', team: 'blue' } },
        { key: `${prefix}b`, tags: { env: 'prod', team: 'r,d' } },
        { key: `${prefix}c`, tags: { env: 'dev' } },
      ]);
      const list = async (...tagsFilter: string[]): Promise<string[]> =>
        (await keysOf({ keyFilter: `${prefix}*`, tagsFilter })).map((key) => key.slice(prefix.length));
      expect(await list('env=prod')).toEqual(['a', 'b']);
      expect(await list('env=prod', 'team=blue')).toEqual(['a']);
      expect(await list('team=r\\,d')).toEqual(['b']);
      expect(await list('env=absent')).toEqual([]);
    });

    it('gives only the fields asked for', async () => {
      await client.setConfigurationSetting({ key: `${prefix}a`, value: 'one', contentType: 'text/plain' });
      const [item] = await collect(
        client.listConfigurationSettings({ keyFilter: `${prefix}*`, fields: ['key', 'contentType', 'lastModified'] }),
      );
      expect(item).toMatchObject({ key: `${prefix}a`, contentType: 'text/plain', lastModified: expect.any(Date) });
      expect([item!.value, item!.etag]).toEqual([undefined, undefined]);
    });

    it('brings all of more than a page, in order', async () => {
      await setThreePages();
      const keys = await keysOf({ keyFilter: `${prefix}*` });
      expect(keys).toHaveLength(205);
      expect(keys).toEqual(keys.toSorted());
    });

    it('goes on behind a name whose token needs escapes', async () => {
      // A tilde that is the third of three bytes is a `+` in base64.
      const filling = 'x'.repeat((5 - ((prefix.length + 3) % 3)) % 3);
      const keyOf = (index: number): string => `${prefix}${String(index).padStart(3, '0')}${filling}~`;
      expect(Buffer.from(`${keyOf(99)}\n`).toString('base64')).toContain('+');
      await setAll(Array.from({ length: 101 }, (_, index) => ({ key: keyOf(index) })));
      const pages = client.listConfigurationSettings({ keyFilter: `${prefix}*` }).byPage();
      const seen: string[] = [];
      // Not to the end: a client that is given the first page again would never come there.
      for (let page = 1; page <= 2; page++) {
        const { value } = (await pages.next()) as { value?: newest.ListConfigurationSettingPage };
        seen.push(...(value?.items.map(({ key }) => key) ?? []));
      }
      expect(seen).toEqual(Array.from({ length: 101 }, (_, index) => keyOf(index)));
    });

    it('goes on by page, also from a continuation token', async () => {
      await setThreePages();
      const options = { keyFilter: `${prefix}*` };
      const pages = await collect(client.listConfigurationSettings(options).byPage());
      expect(pages.map(({ items }) => items.length)).toEqual([100, 100, 5]);
      expect(pages.map(({ continuationToken }) => typeof continuationToken)).toEqual(['string', 'string', 'undefined']);
      const { continuationToken } = pages[0]!;
      const rest = client.listConfigurationSettings(options).byPage({ continuationToken });
      expect((await collect(rest)).flatMap(({ items }) => items.map(({ key }) => key))).toEqual(
        pages.slice(1).flatMap(({ items }) => items.map(({ key }) => key)),
      );
    });

    having('page etags')('says 304 for each unchanged page, and finds the changed one', async () => {
      await setThreePages();
      const options = { keyFilter: `${prefix}*` };
      const pages = await collect(client.listConfigurationSettings(options).byPage());
      const pageEtags = pages.map(({ etag }) => etag!);
      const again = async (): Promise<newest.ListConfigurationSettingPage[]> =>
        collect(client.listConfigurationSettings({ ...options, pageEtags }).byPage());
      const statusOf = (page: newest.ListConfigurationSettingPage): number => Number(page._response.status);
      expect((await again()).map(statusOf)).toEqual([304, 304, 304]);

      await client.setConfigurationSetting({ key: `${prefix}150`, value: 'changed' });
      const changed = await again();
      expect(changed.map(statusOf)).toEqual([304, 200, 304]);
      expect(changed[1]!.items[50]).toMatchObject({ key: `${prefix}150`, value: 'changed' });
      expect(changed[1]!.etag).not.toBe(pageEtags[1]);
    });
  });

  having('head pages')('checkConfigurationSettings sees the same page etags without the items', async () => {
    await setThreePages();
    const options = { keyFilter: `${prefix}*` };
    const listed = await collect(client.listConfigurationSettings(options).byPage());
    exchanges.length = 0;
    const checked = await collect(client.checkConfigurationSettings(options).byPage());
    expect(exchanges.map(({ method }) => method)).toEqual(['HEAD', 'HEAD', 'HEAD']);
    expect(checked.map(({ etag }) => etag)).toEqual(listed.map(({ etag }) => `"${etag}"`));
  });

  describe('listRevisions', () => {
    it('brings every state, newest first, also after the delete', async () => {
      const key = `${prefix}a`;
      for (const value of ['one', 'two', 'three']) await client.setConfigurationSetting({ key, value });
      await client.deleteConfigurationSetting({ key });
      const revisions = await collect(client.listRevisions({ keyFilter: key }));
      expect(revisions.map(({ value }) => value)).toEqual(['three', 'two', 'one']);
    });

    it('filters labels, gives only the fields asked for and goes on by page', async () => {
      const key = `${prefix}a`;
      await setAll([
        { key, value: 'none' },
        { key, label: 'dev', value: 'dev' },
      ]);
      const options = { keyFilter: key, fields: ['key', 'label'] as ('key' | 'label')[] };
      const labelled = await collect(client.listRevisions({ ...options, labelFilter: 'dev' }));
      expect(labelled).toHaveLength(1);
      expect(labelled[0]).toMatchObject({ key, label: 'dev' });
      expect(labelled[0]!.value).toBeUndefined();

      for (let index = 0; index < 120; index++) await client.setConfigurationSetting({ key, value: `${index}` });
      const pages = await collect(client.listRevisions({ keyFilter: key }).byPage());
      expect(pages.map(({ items }) => items.length)).toEqual([100, 22]);
      const values = pages.flatMap(({ items }) => items.map(({ value }) => value));
      expect(values.slice(0, 2)).toEqual(['119', '118']);
      expect(new Set(values).size).toBe(122);
    });
  });

  having('labels')('listLabels names each label once, and null for none', async () => {
    await setAll([
      { key: `${prefix}a` },
      { key: `${prefix}a`, label: `${prefix}dev` },
      { key: `${prefix}b`, label: `${prefix}dev` },
      { key: `${prefix}b`, label: `${prefix}prod` },
    ]);
    const list = async (nameFilter?: string): Promise<unknown[]> =>
      (await collect(client.listLabels({ nameFilter }))).map((label) => label.name);
    expect(await list(`${prefix}*`)).toEqual([`${prefix}dev`, `${prefix}prod`]);
    expect((await list())[0]).toBeNull();
    expect(await list('\0')).toEqual([null]);
  });

  it('keeps feature flags as its own helpers write and read them', async () => {
    const value: newest.FeatureFlagValue = {
      id: `${prefix}Beta`,
      enabled: true,
      description: 'shows the beta',
      displayName: 'Beta',
      conditions: { clientFilters: [{ name: 'Microsoft.Percentage', parameters: { Value: 25 } }] },
    };
    const key = `${sdk.featureFlagPrefix}${prefix}Beta`;
    await client.addConfigurationSetting({ key, contentType: sdk.featureFlagContentType, value });
    const read = await client.getConfigurationSetting({ key });
    expect(read.contentType).toBe(sdk.featureFlagContentType);
    expect(sdk.isFeatureFlag(read)).toBe(true);
    expect(sdk.parseFeatureFlag(read).value).toMatchObject(value);
  });

  it('keeps secret references as its own helpers write and read them', async () => {
    const value = { secretId: 'https://vault.example/secrets/password' };
    const key = `${prefix}password`;
    await client.setConfigurationSetting({ key, contentType: sdk.secretReferenceContentType, value });
    const read = await client.getConfigurationSetting({ key });
    expect(read.contentType).toBe(sdk.secretReferenceContentType);
    expect(sdk.isSecretReference(read)).toBe(true);
    expect(sdk.parseSecretReference(read).value).toEqual(value);
  });

  it('takes the sync token of an answer and sends it back', async () => {
    await client.setConfigurationSetting({ key: `${prefix}a`, value: 'one' });
    await client.getConfigurationSetting({ key: `${prefix}a` });
    const [write, read] = exchanges;
    const [, id, value, sequence] = /^([^=]+)=([^;,]+);sn=(\d+)$/.exec(write!.received['sync-token']!)!;
    expect(read!.sent['sync-token']).toBe(`${id}=${value}`);
    expect(read!.received['sync-token']).toMatch(/^[^=]+=[^;,]+;sn=\d+$/);
    expect(Number(read!.received['sync-token']!.split(';sn=')[1])).toBeGreaterThanOrEqual(Number(sequence));
  });

  it('with a read-only key reads, and fails with 403 when it writes', async () => {
    const key = `${prefix}a`;
    await client.setConfigurationSetting({ key, value: 'one' });
    const reader = connect(
      `Endpoint=http://127.0.0.1:${app.port};Id=${READ_ONLY_KEY.id};Secret=${READ_ONLY_KEY.secret}`,
    );
    expect((await reader.getConfigurationSetting({ key })).value).toBe('one');
    expect(await failureOf(reader.setConfigurationSetting({ key, value: 'two' }))).toMatchObject({ statusCode: 403 });
    expect(await failureOf(reader.deleteConfigurationSetting({ key }))).toMatchObject({ statusCode: 403 });
    expect((await client.getConfigurationSetting({ key })).value).toBe('one');
  });

  it('with a wrong secret or an unknown id fails with 401', async () => {
    const wrong = Buffer.from('not the secret').toString('base64');
    for (const credential of [`Id=${READ_WRITE_KEY.id};Secret=${wrong}`, `Id=nobody;Secret=${READ_WRITE_KEY.secret}`]) {
      const stranger = connect(`Endpoint=http://127.0.0.1:${app.port};${credential}`);
      expect(await failureOf(stranger.getConfigurationSetting({ key: 'a' }))).toMatchObject({ statusCode: 401 });
    }
  });

  it('refuses plain http unless allowInsecureConnection is set', async () => {
    const careful = connect(app.connectionString, {});
    await expect(careful.getConfigurationSetting({ key: 'a' })).rejects.toThrow('allowInsecureConnection');
    expect(exchanges).toEqual([]);
  });

  it('speaks TLS without allowInsecureConnection', async () => {
    const secure = await startApp(TLS, app);
    try {
      const options = { retryOptions: { maxRetries: 0 }, tlsOptions: { ca: readFileSync(CERTIFICATE) } };
      const tlsClient = connect(secure.connectionString, options);
      await tlsClient.setConfigurationSetting({ key: `${prefix}a`, value: 'over TLS' });
      expect(exchanges[0]!.url.protocol).toBe('https:');
      expect(exchanges[0]!.received['strict-transport-security']).toContain('max-age=');
      expect((await tlsClient.getConfigurationSetting({ key: `${prefix}a` })).value).toBe('over TLS');

      const distrustful = connect(secure.connectionString, { retryOptions: { maxRetries: 0 } });
      await expect(distrustful.getConfigurationSetting({ key: `${prefix}a` })).rejects.toThrow('self-signed');
    } finally {
      await secure.close();
    }
  });
});

it('@azure/app-configuration trusts a certificate that NODE_EXTRA_CA_CERTS names', async () => {
  const app = await startApp(TLS);
  try {
    const program = `
      const { AppConfigurationClient } = require('@azure/app-configuration');
      const client = new AppConfigurationClient(process.env.CONNECTION_STRING);
      client.setConfigurationSetting({ key: 'greeting', value: 'hello' })
        .then(() => client.getConfigurationSetting({ key: 'greeting' }))
        .then(({ value }) => console.log(value));`;
    const child = spawn(process.execPath, ['-e', program], {
      cwd: __dirname,
      env: { ...process.env, CONNECTION_STRING: app.connectionString, NODE_EXTRA_CA_CERTS: CERTIFICATE },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    expect([printed, code]).toEqual(['hello\n', 0]);
  } finally {
    await app.close();
  }
});
