import {
  type KeyValueFilter,
  listNames,
  listPage,
  listRevisionRange,
  listRevisions,
  type Prepared,
} from '../../src/key-value/key-value-list.sql';
import { FIND_AS_OF, FIND_MANY, STORE_CHANGES } from '../../src/key-value/key-value.sql';
import { type StringFilter } from '../../src/key-value/rules/string-filter';
import { createSnapshot } from '../../src/snapshot/snapshot.sql';
import { KeptPlans } from '../support/kept-plans';
import { startApp, type TestApp } from '../support/start-app';

/**
 * How much of a store the reads touch: as much as they answer, however much there is. 20,000 key-values of 5 labels with 4 revisions
 * each, one hour apart, so that every table has far more pages than any bound below.
 */
const KEYS = 4000;
const LABELS = 5;
const REVISIONS = 4;
const START = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;

let app: TestApp;
let plans: KeptPlans;

beforeAll(async () => {
  app = await startApp();
  const columns = 'revision, key, label, value, tags, locked, deleted, etag, last_modified, actor, address, request_id';
  // A stride without a common divisor scatters what belongs together by name, as changes of many clients do.
  await app.sql(`
    INSERT INTO key_value_revision (${columns})
    SELECT nextval('key_value_revision_seq'), 'app-' || lpad((place * 4999 % ${KEYS})::text, 4, '0'), 'label-' || label,
           'value of ' || round, CASE WHEN place * 4999 % ${KEYS / 20} = 0 THEN '{"rare":"yes"}' ELSE '{}' END, false, false,
           md5(place::text), to_timestamp(${START / 1000}) + round * interval '1 hour', 'a', '', gen_random_uuid()
      FROM generate_series(1, ${REVISIONS}) round, generate_series(1, ${KEYS}) place, generate_series(1, ${LABELS}) label`);
  await app.sql(`
    INSERT INTO key_value (key, label, value, tags, etag, revision, last_modified)
    SELECT key, label, value, tags, etag, revision, last_modified
      FROM key_value_revision WHERE value = 'value of ${REVISIONS}' ORDER BY revision`);
  await app.sql('VACUUM (ANALYZE) key_value');
  await app.sql('VACUUM (ANALYZE) key_value_revision');
  plans = await KeptPlans.of(app);
});
afterAll(async () => {
  await plans.close();
  await app.close();
});

const ANY: StringFilter = { kind: 'any' };
const exactly = (value: string): StringFilter => ({ kind: 'exact', value });
/** What every key begins with. */
const WIDE: StringFilter = { kind: 'prefix', value: 'app-' };
const NARROW: StringFilter = { kind: 'prefix', value: 'app-30' };
/** Far behind the beginning. */
const DEEP = { key: 'app-3000', label: 'label-3' };
const DEEP_REVISION = { ...DEEP, revision: '40000' };
const PAST = START + 2.5 * HOUR_MS;
/** Before the first of all changes. */
const BEFORE_ALL = START;
const filter = (conditions: Partial<KeyValueFilter>): KeyValueFilter => ({
  key: ANY,
  label: ANY,
  tags: [],
  before: null,
  ...conditions,
});

/** Of a page of 100: a block for each row, and the way down the index. */
const PAGE_BLOCKS = 120;
/** Of a page of 100 in the past: the row, then the way down the index of history and the revision. */
const PAST_PAGE_BLOCKS = 620;

it('has far more blocks than any read may touch', async () => {
  const [row] = await app.sql<{ current: string; history: string }>(
    `SELECT pg_relation_size('key_value') / 8192 AS current, pg_relation_size('key_value_revision') / 8192 AS history`,
  );
  expect(Number(row!.current)).toBeGreaterThan(2 * PAGE_BLOCKS);
  expect(Number(row!.history)).toBeGreaterThan(2 * PAST_PAGE_BLOCKS);
});

it.each<[string, number, Prepared]>([
  ['a single key-value', 5, { statement: FIND_MANY, values: [[DEEP.key], [DEEP.label]] }],
  [
    'a single key-value in the past',
    6,
    { statement: FIND_AS_OF, values: [DEEP.key, DEEP.label, new Date(PAST).toISOString()] },
  ],
  ['the first page', PAGE_BLOCKS, listPage(filter({}), null)],
  ['a deep page', PAGE_BLOCKS, listPage(filter({}), DEEP)],
  ['a page of a prefix', PAGE_BLOCKS, listPage(filter({ key: NARROW }), null)],
  ['a page of a prefix that all have', PAGE_BLOCKS, listPage(filter({ key: WIDE }), null)],
  ['a deep page of a prefix that all have', PAGE_BLOCKS, listPage(filter({ key: WIDE }), DEEP)],
  ['a deep page of a label', PAGE_BLOCKS, listPage(filter({ label: exactly('label-3') }), DEEP)],
  [
    'a deep page of a label and a prefix that all have',
    PAGE_BLOCKS,
    listPage(filter({ key: WIDE, label: exactly('label-3') }), DEEP),
  ],
  ['a page of a tag that few have', PAGE_BLOCKS, listPage(filter({ tags: [{ name: 'rare', value: 'yes' }] }), null)],
  ['a page of a prefix in the past', PAST_PAGE_BLOCKS, listPage(filter({ key: NARROW, before: PAST }), null)],
  ['a deep page in the past', PAST_PAGE_BLOCKS, listPage(filter({ key: WIDE, before: PAST }), DEEP)],
  ['the labels', 40, listNames('label', ANY, null, null)],
  ['the labels in the past', 60, listNames('label', ANY, null, PAST)],
  // The way down the index for each of them.
  ['a deep page of the names of keys', 320, listNames('key', WIDE, DEEP.key, null)],
  ['the revisions of one key', 20, listRevisions(filter({ key: exactly(DEEP.key), label: exactly(DEEP.label) }), null)],
  ['the first page of revisions', PAGE_BLOCKS, listRevisions(filter({ key: WIDE }), null)],
  ['a deep page of revisions', PAGE_BLOCKS, listRevisions(filter({ key: WIDE }), DEEP_REVISION)],
  ['a page before there was anything', 5, listPage(filter({ before: BEFORE_ALL }), null)],
  ['a deep page before there was anything', 5, listPage(filter({ key: WIDE, before: BEFORE_ALL }), DEEP)],
  ['the labels before there were any', 5, listNames('label', ANY, null, BEFORE_ALL)],
  ['the names of keys before there were any', 5, listNames('key', WIDE, null, BEFORE_ALL)],
  ['revisions before there were any', 5, listRevisions(filter({ key: WIDE, before: BEFORE_ALL }), null)],
  // The rows of a page are asked for in two ways, and so is whether there was anything; and the time of the position.
  [
    'a deep page of revisions before there were any',
    15,
    listRevisions(filter({ key: WIDE, before: BEFORE_ALL }), DEEP_REVISION),
  ],
  [
    'a range of revisions before there were any',
    10,
    listRevisionRange(filter({ key: WIDE, before: BEFORE_ALL }), { first: 0, last: 9 }),
  ],
  ['whether anything has changed', 20, { statement: STORE_CHANGES, values: ['9223372036854775807'] }],
])('reads %s without reading more than %d blocks', async (_, most, prepared) => {
  const { blocks, nodes } = await plans.look(prepared);
  expect(nodes).not.toContain('Seq Scan');
  expect(blocks).toBeGreaterThan(0);
  expect(blocks).toBeLessThanOrEqual(most);
});

/** With this many the smallest items are too large for a snapshot. */
const SNAPSHOT_ROWS = 15_421;

it.each<[string, number, Partial<KeyValueFilter>]>([
  ['a label of a prefix', 100, { key: NARROW, label: exactly('label-3') }],
  ['a prefix', 500, { key: NARROW }],
  ['a prefix that all have', SNAPSHOT_ROWS, { key: WIDE }],
  ['a tag that few have', 100, { tags: [{ name: 'rare', value: 'yes' }] }],
])('makes a snapshot of %s without reading more than the %d rows it needs', async (_, most, selection) => {
  const input = {
    filters: [filter(selection)],
    filterTexts: [],
    compositionType: 'key_label' as const,
    retentionInSeconds: 3600,
    tags: '{}',
    description: null,
  };
  const author = { actor: 'a', address: '', requestId: '00000000-0000-4000-8000-000000000000' };
  const { nodes, rows, blocks } = await plans.look(
    createSnapshot({ name: 's', etag: 'e', input, description: null, author }),
  );
  expect(nodes).not.toContain('Seq Scan');
  expect(rows).toBeLessThanOrEqual(most);
  // Of an item: its row of the table.
  expect(blocks).toBeLessThanOrEqual(most + PAGE_BLOCKS);
});
