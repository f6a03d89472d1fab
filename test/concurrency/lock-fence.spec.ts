import { FENCED_PUT, FENCED_REMOVE } from '../../src/key-value/key-value.sql';
import { fenced, HeldLocks } from '../key-value/held-locks';
import { atOnce } from '../support/at-once';
import { type AzureAnswer } from '../support/azure-http';
import { expectRising, historyOf } from '../support/history';
import { blockedBy, SideTransaction } from '../support/side-transaction';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

/** Ends within the time that a statement waits for a row (2 s). */
const SHORT_TTL_MS = 800;
const WRITERS = 8;
const ROUNDS = 20;

let one: TestApp;
let other: TestApp;
let locks: HeldLocks;
let otherLocks: HeldLocks;
beforeAll(async () => {
  one = await startApp();
  other = await startApp({}, one);
  locks = new HeldLocks(one);
  otherLocks = new HeldLocks(other);
});
afterAll(async () => {
  await other.close();
  await one.close();
});

const holdRow = (key: string): Promise<SideTransaction> =>
  SideTransaction.begin(one, `SELECT FROM key_value WHERE key = $1 FOR UPDATE`, [key]);

const isOver = async (lock: string): Promise<boolean> =>
  (
    await one.sql<{ is_over: boolean }>(
      `SELECT expires_at <= clock_timestamp() AS is_over FROM lease WHERE key_digest = $1`,
      [locks.digest(lock)],
    )
  )[0]!.is_over;

/** A write that waits for a row while its lease lasts; begun anew where the machine was so slow that the lease was over before. */
async function waitingInTime(
  lock: string,
  hold: () => Promise<SideTransaction>,
  write: (headers: Record<string, string>) => Promise<AzureAnswer>,
): Promise<{ holder: SideTransaction; fence: string; answer: Promise<AzureAnswer> }> {
  for (;;) {
    const holder = await hold();
    const fence = await locks.acquire(lock, SHORT_TTL_MS);
    let isAnswered = false;
    const answer = write(fenced(lock, fence)).finally(() => (isAnswered = true));
    await waitFor(async () => isAnswered || (await holder.waiters()).length === 1);
    if (!isAnswered && !(await isOver(lock))) return { holder, fence, answer };
    await waitFor(() => isOver(lock));
    await holder.end('ROLLBACK');
    expectStale(await answer, fence);
  }
}

const expectStale = (answer: AzureAnswer, fence: string): void => {
  expect([answer.status, answer.json?.type, answer.json?.fence]).toEqual([
    409,
    'urn:latchkey:problem:stale-fence',
    fence,
  ]);
};

describe('a write that waits for the row of its key-value', () => {
  let count = 0;
  let key: string;
  let lock: string;
  beforeEach(async () => {
    key = `waiting-${++count}`;
    lock = `lock of ${key}`;
    await one.azure.put(`/kv/${key}`, { value: 'before' });
  });

  it.each(['PUT', 'DELETE'])('is refused when the lease ends meanwhile: %s', async (method) => {
    const body = method === 'PUT' ? { value: 'late' } : undefined;
    const write = (headers: Record<string, string>) => one.azure.send(method, `/kv/${key}`, { headers, body });
    const { holder, fence, answer } = await waitingInTime(lock, () => holdRow(key), write);
    await waitFor(() => isOver(lock));
    await holder.end('COMMIT');
    expectStale(await answer, fence);
    expect((await one.azure.get(`/kv/${key}`)).json.value).toBe('before');
    expect(await historyOf(one, key)).toHaveLength(1);
  });

  it.each(['COMMIT', 'ROLLBACK'] as const)(
    'and would create it is refused when the lease ends meanwhile, if the other creation ends in %s',
    async (how) => {
      const creation = `INSERT INTO key_value (key, label, value, tags, etag, revision, last_modified)
         VALUES ($1, '', 'theirs', '{}', 'theirs', nextval('key_value_revision_seq'), clock_timestamp())`;
      const { holder, fence, answer } = await waitingInTime(
        lock,
        () => SideTransaction.begin(one, creation, [`new-${key}`]),
        (headers) => one.azure.put(`/kv/new-${key}`, { value: 'late' }, { headers }),
      );
      await waitFor(() => isOver(lock));
      await holder.end(how);
      expectStale(await answer, fence);
      const { status, json } = await one.azure.get(`/kv/new-${key}`);
      expect([status, json?.value]).toEqual(how === 'COMMIT' ? [200, 'theirs'] : [404, undefined]);
      expect(await historyOf(one, `new-${key}`)).toEqual([]);
    },
  );

  it('is made upon the change that it waited for, under its condition, while the lease lasts', async () => {
    const { etag } = (await one.azure.get(`/kv/${key}`)).json as { etag: string };
    const holder = await SideTransaction.begin(
      one,
      `UPDATE key_value SET value = 'theirs', etag = 'theirs' WHERE key = $1`,
      [key],
    );
    const headers = fenced(lock, await locks.acquire(lock));
    const writes = [
      one.azure.put(`/kv/${key}`, { value: 'lost' }, { headers: { ...headers, 'if-match': `"${etag}"` } }),
      one.azure.put(`/kv/${key}`, { value: 'won' }, { headers: { ...headers, 'if-match': '"theirs"' } }),
    ];
    await waitFor(
      async () =>
        (await one.sql(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`))
          .length === 2,
    );
    await holder.end('COMMIT');
    expect((await Promise.all(writes)).map(({ status }) => status)).toEqual([412, 200]);
    expect((await one.azure.get(`/kv/${key}`)).json.value).toBe('won');
  });

  it('is refused at once, without waiting, when the fence is stale already', async () => {
    const holder = await holdRow(key);
    const fence = await locks.acquire(lock);
    await locks.expire(lock);
    expectStale(await one.azure.put(`/kv/${key}`, { value: 'late' }, { headers: fenced(lock, fence) }), fence);
    await holder.end('COMMIT');
  });

  it('keeps whoever takes the lock waiting, and is never later than the next fence', async () => {
    const holder = await holdRow(key);
    const fence = await locks.acquire(lock);
    const write = one.azure.put(`/kv/${key}`, { value: 'in time' }, { headers: fenced(lock, fence) });
    await waitFor(async () => (await holder.waiters()).length === 1);
    const theft = otherLocks.force(lock).then(() => otherLocks.acquire(lock, 60_000, 'thief'));
    // Who has waited for two seconds tries again, perhaps on another connection.
    await waitFor(async () => {
      const [writer] = await holder.waiters();
      return writer !== undefined && (await blockedBy(one, writer)).length === 1;
    });
    await holder.end('COMMIT');
    expect((await write).status).toBe(200);
    const next = await theft;
    expect(BigInt(next)).toBeGreaterThan(BigInt(fence));
    expectStale(await one.azure.put(`/kv/${key}`, { value: 'late' }, { headers: fenced(lock, fence) }), next);
  });
});

it(`no write is committed after a later fence was granted: ${ROUNDS} thefts among ${WRITERS} writers over two processes`, async () => {
  const outcomes = { inTime: 0, stale: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const lock = `theft-${round}`;
    const key = `stolen-${round}`;
    await one.azure.put(`/kv/${key}`, { value: 'before' });
    const fence = await locks.acquire(lock);
    const headers = fenced(lock, fence);
    const holder = await holdRow(key);
    let answered = 0;
    const writes = atOnce(WRITERS, async (index) => {
      const { azure } = index % 2 === 0 ? one : other;
      const answers: AzureAnswer[] = [];
      // Until it is told that it lost the lock: the last of its writes are sent while the lock is being stolen.
      do {
        answers.push(await azure.put(`/kv/${key}`, { value: `${index}/${answers.length}` }, { headers }));
        answered++;
      } while (answers.at(-1)!.status === 200);
      return answers;
    });
    await waitFor(async () => (await holder.waiters()).length > 0);
    if (round % 2 === 0) {
      await holder.end('COMMIT');
      await waitFor(() => answered >= 2 * WRITERS);
    }
    const theft = otherLocks.force(lock).then(() => otherLocks.acquire(lock, 60_000, 'thief'));
    if (round % 2 === 1) {
      // The thief has come as far as it gets: to a row lock, or to the end.
      await Promise.race([
        theft,
        waitFor(
          async () =>
            (
              await one.sql(
                `SELECT FROM pg_stat_activity
                  WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%lease_release%'`,
              )
            ).length > 0,
        ),
      ]);
      await holder.end('COMMIT');
    }
    const next = await theft;
    const historyAtTheft = await historyOf(one, key);
    const answers = (await writes).flat();
    const history = await historyOf(one, key);
    expect(history).toEqual(historyAtTheft);
    expectRising(history);
    expect(history).toHaveLength(1 + answers.filter(({ status }) => status === 200).length);
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      expect([answer.status, answer.json?.type]).toEqual([409, 'urn:latchkey:problem:stale-fence']);
      // Nobody holds it for a moment between theft and grant.
      expect([fence, next]).toContain(answer.json.fence);
      outcomes.stale++;
    }
    outcomes.inTime += history.length - 1;
    const [late] = await one.sql<{ count: string }>(
      `SELECT count(*) FROM key_value_revision r, lease l
        WHERE r.key = $1 AND l.key_digest = $2 AND r.last_modified >= l.granted_at`,
      [key, locks.digest(lock)],
    );
    expect(late!.count).toBe('0');
  }
  expect(outcomes.stale).toBe(ROUNDS * WRITERS);
  expect(outcomes.inTime).toBeGreaterThan(ROUNDS);
});

it('accepts none of 200 stale writes while the locks go round, and every one of the holders’', async () => {
  const LOCKS = 4;
  const ROTATIONS = 10;
  const STALE_PER_ROTATION = 5;
  const results = await atOnce(LOCKS, async (index) => {
    const lock = `round-${index}`;
    const fences: string[] = [await locks.acquire(lock)];
    await otherLocks.release(lock, fences[0]!);
    const stale: Promise<AzureAnswer>[] = [];
    const current: AzureAnswer[] = [];
    const write = (fence: string, value: string): Promise<AzureAnswer> =>
      (stale.length % 2 === 0 ? one : other).azure.put('/kv/contended', { value }, { headers: fenced(lock, fence) });
    for (let rotation = 0; rotation < ROTATIONS; rotation++) {
      const sendStale = (): void => void stale.push(write(fences[stale.length % fences.length]!, 'stale'));
      sendStale();
      const fence = await (rotation % 2 === 0 ? locks : otherLocks).acquire(lock);
      for (let i = 0; i < STALE_PER_ROTATION - 2; i++) sendStale();
      current.push(await write(fence, `${index}/${rotation}`));
      sendStale();
      if (rotation % 3 === 0) await locks.force(lock);
      else await locks.release(lock, fence);
      fences.push(fence);
    }
    return { fences, stale: await Promise.all(stale), current };
  });
  const stale = results.flatMap((result) => result.stale);
  expect(stale).toHaveLength(LOCKS * ROTATIONS * STALE_PER_ROTATION);
  expect(stale.map(({ status, json }) => `${status} ${json?.type}`)).toEqual(
    stale.map(() => '409 urn:latchkey:problem:stale-fence'),
  );
  const current = results.flatMap((result) => result.current);
  expect(current.map(({ status }) => status)).toEqual(current.map(() => 200));
  expect(await historyOf(one, 'contended')).toHaveLength(current.length);
  expect(await one.sql(`SELECT FROM key_value_revision WHERE value = 'stale'`)).toEqual([]);
  for (const { fences } of results) {
    expect(fences.slice(1).every((fence, index) => BigInt(fence) > BigInt(fences[index]!))).toBe(true);
  }
});

it('lets the holder renew while its own writes keep the row of the lock busy', async () => {
  const fence = await locks.acquire('busy');
  const headers = fenced('busy', fence);
  let isDone = false;
  const writes = atOnce(4 * WRITERS, async (index) => {
    const statuses = new Set<number>();
    for (let i = 0; !isDone; i++) {
      statuses.add((await one.azure.put(`/kv/busy-${index}`, { value: `${i}` }, { headers })).status);
    }
    return statuses;
  });
  const renewals: boolean[] = [];
  for (let i = 0; i < 20; i++) renewals.push(await otherLocks.renew('busy', fence, 60_000));
  isDone = true;
  expect(renewals).toEqual(renewals.map(() => true));
  expect(await writes).toEqual(Array.from({ length: 4 * WRITERS }, () => new Set([200])));
});

it('finds lease and key-value by index, where there are many', async () => {
  await one.sql(`
    INSERT INTO key_value (key, label, tags, etag, revision, last_modified)
    SELECT 'many-' || n, 'label-' || n % 100, '{}', 'e', n, clock_timestamp() FROM generate_series(1, 10000) n`);
  await one.sql(`
    INSERT INTO lease (key_digest, stored_key)
    SELECT sha256(n::text::bytea), n::text::bytea FROM generate_series(1, 10000) n`);
  await one.sql('ANALYZE key_value, lease');
  const common = ['many-1', 'label-1', 'e', 'a', '', '00000000-0000-0000-0000-000000000000', 'none', null];
  const fence = [locks.digest('plan'), '1'];
  const statements = [
    [FENCED_PUT, ['v', null, '{}', null, false]],
    [FENCED_REMOVE, []],
  ] as const;
  for (const [{ text }, own] of statements) {
    const values = [...common, ...own, ...fence];
    const rows = await one.sql<{ 'QUERY PLAN': string }>(`EXPLAIN (COSTS OFF) ${text}`, values);
    const scans = rows
      .map((row) => row['QUERY PLAN'].trim())
      .filter((line) => /Scan (using|on) \w*(lease|key_value)/.test(line));
    // The primary key and the index of labels hold the same columns; which of the two is taken does not matter.
    expect(scans.filter((line) => !/CTE Scan/.test(line)).map((line) => line.replace('label_key', 'pkey'))).toEqual([
      '->  Index Scan using lease_pkey on lease l',
      '->  Index Scan using key_value_pkey on key_value',
      '->  Index Scan using key_value_pkey on key_value k',
    ]);
  }
});
