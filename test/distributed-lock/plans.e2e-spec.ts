import { Database, type Statement } from '../../src/database/database';
import { leaseKey, type LeasePosition, LeaseRepository } from '../../src/lease/lease.repository';
import { KeptPlans } from '../support/kept-plans';
import { startApp, type TestApp } from '../support/start-app';

/** How much of the table a page of locks touches: as much as it answers, however many locks there are, of whatever store. */
const RESOURCES = 4000;
const STORES = ['lock||a||', 'lock||b||', 'lock||c||'];
const [FIRST_STORE, STORE, LAST_STORE] = STORES as [string, string, string];
/** More bytes than the index has. */
const LONG = `job-${'x'.repeat(600)}`;
const LIMIT = 100;

let app: TestApp;
let plans: KeptPlans;

beforeAll(async () => {
  app = await startApp();
  // A stride without a common divisor scatters what belongs together by name. Metadata makes the rows large.
  await app.sql(
    `INSERT INTO lease (key_digest, stored_key, owner, fence, granted_at, expires_at, ttl_ms, metadata, actor, request_id)
     SELECT sha256(convert_to(name, 'UTF8')), convert_to(name, 'UTF8'), 'me', place, now(), now() + interval '1 hour', 3600000,
            repeat('m', 300), 'a', gen_random_uuid()
       FROM generate_series(1, ${RESOURCES}) place,
            LATERAL (SELECT s || 'job-' || lpad((place * 2999 % ${RESOURCES})::text, 4, '0') FROM unnest($1::text[]) s) n (name)`,
    [STORES],
  );
  await app.sql(
    `INSERT INTO lease (key_digest, stored_key)
     SELECT sha256(convert_to(name, 'UTF8')), convert_to(name, 'UTF8')
       FROM generate_series(1, 3) place, LATERAL (SELECT $1::text || place) n (name)`,
    [STORE + LONG],
  );
  await app.sql('VACUUM (ANALYZE) lease');
  plans = await KeptPlans.of(app);
});
afterAll(async () => {
  await plans.close();
  await app.close();
});
afterEach(() => jest.restoreAllMocks());

const behind = (storedKey: string): LeasePosition => ({
  start: Buffer.from(storedKey).subarray(0, 512),
  digest: leaseKey(storedKey).digest,
});
/** Far behind the beginning. */
const DEEP = behind(`${STORE}job-3000`);

/** Of a page: a block for each row, the first of the next page among them, and the way down the index. */
const PAGE_BLOCKS = LIMIT + 20;
const FEW_BLOCKS = 20;

interface Wanted {
  readonly store?: string;
  readonly prefix?: string;
  readonly after?: LeasePosition;
  readonly owner?: string;
  readonly state?: 'held' | 'free';
}

async function read({ store = STORE, prefix = '', after, owner, state }: Wanted) {
  const query = jest.spyOn(app.app.get(Database, { strict: false }), 'query');
  const leases = app.app.get(LeaseRepository, { strict: false });
  const filter = { prefix, owner: owner ?? null, state: state ?? null };
  const found = await leases.listPage(store, filter, after ?? null, LIMIT + 1);
  const [statement, values] = query.mock.calls[0] as [Statement, readonly unknown[]];
  return { names: found.map(({ lease }) => lease.storedKey), ...(await plans.look({ statement, values })) };
}

it('has far more blocks than any page may touch', async () => {
  const [row] = await app.sql<{ blocks: string }>(`SELECT pg_relation_size('lease') / 8192 AS blocks`);
  expect(Number(row!.blocks)).toBeGreaterThan(4 * PAGE_BLOCKS);
});

it.each<[string, number, number, Wanted]>([
  ['the first page', LIMIT + 1, PAGE_BLOCKS, {}],
  ['a deep page', LIMIT + 1, PAGE_BLOCKS, { after: DEEP }],
  ['the first page of the first store', LIMIT + 1, PAGE_BLOCKS, { store: FIRST_STORE }],
  ['the first page of the last store', LIMIT + 1, PAGE_BLOCKS, { store: LAST_STORE }],
  ['the last page', 3, FEW_BLOCKS, { store: LAST_STORE, after: behind(`${LAST_STORE}job-3996`) }],
  ['a prefix that all have', LIMIT + 1, PAGE_BLOCKS, { prefix: 'job-' }],
  ['a deep page of a prefix that all have', LIMIT + 1, PAGE_BLOCKS, { prefix: 'job-', after: DEEP }],
  ['a deep page of what is held', LIMIT + 1, PAGE_BLOCKS, { prefix: 'job-', after: DEEP, owner: 'me', state: 'held' }],
  ['a prefix that few have', 10, FEW_BLOCKS, { prefix: 'job-100' }],
  ['a prefix that few have, in the first store', 10, FEW_BLOCKS, { store: FIRST_STORE, prefix: 'job-100' }],
  ['a prefix that few have, and one owner', 0, FEW_BLOCKS, { prefix: 'job-100', owner: 'you' }],
  ['the next page of a prefix that few have', 4, FEW_BLOCKS, { prefix: 'job-100', after: behind(`${STORE}job-1005`) }],
  ['a prefix that none has', 0, FEW_BLOCKS, { prefix: 'j0b' }],
  ['a prefix that is longer than what the index has', 3, FEW_BLOCKS, { prefix: LONG }],
  ['a prefix and the position of another store', 10, FEW_BLOCKS, { store: LAST_STORE, prefix: 'job-100', after: DEEP }],
  ['a prefix and a position behind it', 10, FEW_BLOCKS, { prefix: 'job-100', after: DEEP }],
])('reads %s, %d locks, without reading more than %d blocks', async (_, count, most, wanted) => {
  const { names, blocks, nodes } = await read(wanted);
  expect(names).toHaveLength(count);
  expect(nodes).not.toContain('Seq Scan');
  expect(blocks).toBeGreaterThan(0);
  expect(blocks).toBeLessThanOrEqual(most);
});
