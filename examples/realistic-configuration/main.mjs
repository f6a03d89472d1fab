// Puts the configuration of a whole shop into the store and works with it as its programs and people would. Every step checks what it
// got; the first difference ends the program with exit code 1.
//
//   APPCONFIG_CONNECTION_STRING='Endpoint=…' node main.mjs            everything
//   APPCONFIG_CONNECTION_STRING='Endpoint=…' node main.mjs --verify   only checks that all of it is still there
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { AppConfigurationClient, parseFeatureFlag } from '@azure/app-configuration';
import {
  finalConfiguration,
  initialConfiguration,
  isRaised,
  isRemoved,
  PREFIX,
  RAISED_TIMEOUT,
  STAGES,
} from './shop.mjs';

/** Writes under way at once: enough to keep the service busy, few enough for any laptop. */
const WRITERS = 32;
/** Where the program notes when it changed things, for a later look back. */
const BEFORE_THE_CHANGE = { key: 'shop-changes/before' };

const connectionString = process.env.APPCONFIG_CONNECTION_STRING;
if (!connectionString) {
  console.error('Set APPCONFIG_CONNECTION_STRING to the connection string that the service printed at start.');
  process.exit(1);
}
// Plain http is for the loopback only, and has to be asked for. With an https endpoint this changes nothing.
const client = new AppConfigurationClient(connectionString, { allowInsecureConnection: true });

const steps = process.argv.includes('--verify')
  ? { 'look for everything': verify }
  : {
      'write the configuration': write,
      'page through it': readPages,
      'filter it': filter,
      'change it under conditions': change,
      'look for everything': verify,
    };

try {
  const startedAt = performance.now();
  for (const [title, step] of Object.entries(steps)) {
    const stepStartedAt = performance.now();
    const result = await step();
    console.log(`  ok  ${title.padEnd(28)} ${seconds(stepStartedAt)}  ${result}`);
  }
  console.log(`  all is as it should be, after ${seconds(startedAt).trim()}`);
} catch (error) {
  console.error(`  FAILED: ${error.message}`);
  process.exit(1);
}

async function write() {
  const settings = initialConfiguration();
  await forEach(settings, (setting) => client.setConfigurationSetting(setting));
  return `${settings.length} key-values, labelled ${STAGES.join(', ')} or not at all`;
}

async function readPages() {
  let pages = 0;
  let items = 0;
  for await (const page of client.listConfigurationSettings({ keyFilter: `${PREFIX}*` }).byPage()) {
    pages++;
    items += page.items.length;
  }
  assert.equal(items, initialConfiguration().filter(({ key }) => key.startsWith(PREFIX)).length);
  return `${items} key-values on ${pages} pages`;
}

async function filter() {
  const all = initialConfiguration();
  const production = await list({ keyFilter: `${PREFIX}payment/*`, labelFilter: 'prod' });
  assertSame(
    production,
    all.filter(({ key, label }) => key.startsWith(`${PREFIX}payment/`) && label === 'prod'),
  );

  const twoStages = await list({ keyFilter: `${PREFIX}mail/cache/host`, labelFilter: 'dev,staging' });
  assert.deepEqual(
    twoStages.map(({ value }) => value),
    ['cache.dev.internal', 'cache.staging.internal'],
  );

  const critical = await list({ keyFilter: `${PREFIX}*`, tagsFilter: ['tier=critical', 'service=stock'] });
  assertSame(
    critical,
    all.filter(({ tags }) => tags.tier === 'critical' && tags.service === 'stock'),
  );

  const flags = await list({ keyFilter: `.appconfig.featureflag/${PREFIX}*`, labelFilter: '\0' });
  const enabled = flags.map(parseFeatureFlag).filter((flag) => flag.value.enabled);
  assert.equal(enabled.length, flags.length / 2);
  return `by prefix, labels and tags; ${enabled.length} of ${flags.length} feature flags are on`;
}

async function change() {
  const before = new Date();
  await client.setConfigurationSetting({ ...BEFORE_THE_CHANGE, value: before.toISOString() });
  // The past is kept apart by whole seconds: what changes in the second of a point in time already counts as being there.
  await pause(1000 - before.getMilliseconds() + 50);

  const all = initialConfiguration();
  const raised = all.filter(isRaised);
  await forEach(raised, async (setting) => {
    const read = await client.getConfigurationSetting(setting);
    const unchanged = await client.getConfigurationSetting(read, { onlyIfChanged: true });
    assert.equal(unchanged.statusCode, 304);
    await client.setConfigurationSetting({ ...read, value: RAISED_TIMEOUT }, { onlyIfUnchanged: true });
    // Somebody else read the old value too, and must not overwrite ours.
    await assertStatus(412, client.setConfigurationSetting({ ...read, value: '1' }, { onlyIfUnchanged: true }));
    await assertStatus(412, client.addConfigurationSetting({ ...setting, value: '2' }));
  });

  const removed = all.filter(isRemoved);
  await forEach(removed, async (setting) => {
    const read = await client.getConfigurationSetting(setting);
    await client.deleteConfigurationSetting(read, { onlyIfUnchanged: true });
    await assertStatus(404, client.getConfigurationSetting(setting));
  });
  return `${raised.length} changed, ${removed.length} removed, ${2 * raised.length} overwrites refused`;
}

async function verify() {
  const shop = (await list({ keyFilter: `${PREFIX}*` })).concat(
    await list({ keyFilter: `.appconfig.featureflag/${PREFIX}*` }),
  );
  assertSame(shop, finalConfiguration());

  const note = await client.getConfigurationSetting(BEFORE_THE_CHANGE);
  const past = await list({ keyFilter: `${PREFIX}*`, acceptDateTime: new Date(note.value) });
  assertSame(
    past,
    initialConfiguration().filter(({ key }) => key.startsWith(PREFIX)),
  );
  return `${shop.length} key-values now, ${past.length} as of ${note.value}`;
}

/** Runs the action for every item, some at once. */
async function forEach(items, action) {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await action(item);
  };
  await Promise.all(Array.from({ length: WRITERS }, worker));
}

async function list(options) {
  const found = [];
  for await (const setting of client.listConfigurationSettings(options)) found.push(setting);
  return found;
}

async function assertStatus(expected, call) {
  await assert.rejects(call, ({ statusCode }) => statusCode === expected);
}

/** Compares what a user cares about, in whatever order it came, and names the first difference. */
function assertSame(found, expected) {
  const essence = ({ key, label, value, contentType, tags }) =>
    JSON.stringify([key, label ?? null, value, contentType ?? null, Object.entries(tags).sort()]);
  const missing = new Set(expected.map(essence));
  const surplus = found.map(essence).filter((each) => !missing.delete(each));
  assert.equal(
    missing.size,
    0,
    `${missing.size} of ${expected.length} are missing or altered, such as ${[...missing][0]}`,
  );
  assert.equal(surplus.length, 0, `${surplus.length} are there that should not be, such as ${surplus[0]}`);
}

function seconds(startedAt) {
  return `${((performance.now() - startedAt) / 1000).toFixed(2)} s`.padStart(8);
}
