import { Client } from 'pg';
import { SnapshotRepository } from '../../src/snapshot/snapshot.repository';
import { create, expire, itemsOf, makeExpired, patch, targetOf } from '../snapshot/stored-snapshots';
import { atOnce } from '../support/at-once';
import { type AzureAnswer, type AzureHttp } from '../support/azure-http';
import { readItems } from '../support/pages';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

const CLIENTS = 32;
const WRITERS = 8;

let one: TestApp;
let other: TestApp;
beforeAll(async () => {
  one = await startApp();
  other = await startApp({}, one);
});
afterAll(async () => {
  await other.close();
  await one.close();
});

/** Every second client speaks to the other process. */
const clientOf = (index: number): AzureHttp => (index % 2 === 0 ? one : other).azure;
const countOf = (answers: readonly AzureAnswer[], status: number): number =>
  answers.filter((answer) => answer.status === status).length;

describe(`${CLIENTS} creators of one snapshot over two processes`, () => {
  const createAtOnce = async (name: string): Promise<void> => {
    const answers = await atOnce(CLIENTS, (index) =>
      create(clientOf(index), name, { filters: [{ key: 'race/*' }], tags: { by: String(index) } }),
    );
    expect([countOf(answers, 201), countOf(answers, 409)]).toEqual([1, CLIENTS - 1]);
    const [winner] = answers.filter(({ status }) => status === 201);
    const { etag, tags } = winner!.json;
    expect((await other.azure.get(targetOf(name))).json).toMatchObject({ etag, tags, status: 'ready', items_count: 3 });
    expect(await readItems(one.azure, itemsOf(name))).toHaveLength(3);
  };
  beforeAll(async () => {
    for (const key of ['a', 'b', 'c']) await one.azure.put(`/kv/race/${key}`, { value: 'v' });
  });

  it('exactly one makes each of 10 names', async () => {
    for (let round = 0; round < 10; round++) await createAtOnce(`fresh${round}`);
  });

  it('exactly one makes each of 10 names whose snapshot has expired', async () => {
    await makeExpired(one, 'again');
    for (let round = 0; round < 10; round++) {
      await createAtOnce('again');
      await patch(one.azure, 'again', { status: 'archived' });
      await expire(one, 'again');
    }
    const left = await one.sql(
      `SELECT FROM snapshot_item i JOIN snapshot s ON s.id = i.snapshot_id WHERE s.name = 'again'`,
    );
    expect(left).toHaveLength(3);
  });

  it('also while the expired one is being purged', async () => {
    const repository = other.app.get(SnapshotRepository);
    for (let round = 0; round < 10; round++) {
      await makeExpired(one, 'purged');
      const [made] = await Promise.all([
        create(one.azure, 'purged', { filters: [{ key: 'race/*' }] }),
        atOnce(4, () => repository.purgeExpired(1000)),
      ]);
      expect(made.status).toBe(201);
      expect(await readItems(one.azure, itemsOf('purged'))).toHaveLength(3);
      await patch(one.azure, 'purged', { status: 'archived' });
      await expire(one, 'purged');
      while ((await repository.purgeExpired(1000)) > 0);
    }
  });
});

describe(`${CLIENTS} changes of one snapshot over two processes`, () => {
  it('with If-Match: exactly one archives or recovers in each of 20 rounds', async () => {
    let { etag } = (await create(one.azure, 'chain', { filters: [{ key: 'race/*' }] })).json as { etag: string };
    for (let round = 0; round < 20; round++) {
      const status = round % 2 === 0 ? 'archived' : 'ready';
      const answers = await atOnce(CLIENTS, (index) =>
        patch(clientOf(index), 'chain', { status }, { 'if-match': `"${etag}"` }),
      );
      expect([countOf(answers, 200), countOf(answers, 412)]).toEqual([1, CLIENTS - 1]);
      const [winner] = answers.filter((answer) => answer.status === 200);
      expect((await other.azure.get(targetOf('chain'))).text).toBe(winner!.text);
      etag = winner!.json.etag as string;
    }
  });

  it('without a condition: one changes it, all others see what that one made', async () => {
    await create(one.azure, 'plain', { filters: [{ key: 'race/*' }] });
    for (let round = 0; round < 10; round++) {
      const status = round % 2 === 0 ? 'archived' : 'ready';
      const answers = await atOnce(CLIENTS, (index) => patch(clientOf(index), 'plain', { status }));
      expect(countOf(answers, 200)).toBe(CLIENTS);
      expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    }
  });
});

describe(`a snapshot that is made while ${WRITERS} writers are at work`, () => {
  it('is the state at one instant: keys that are always written together never differ', async () => {
    // Keys far apart in the order, in labels that different filters of the snapshot select.
    await one.sql(`
      INSERT INTO key_value (key, label, value, tags, etag, revision, last_modified)
      SELECT format('pair%s/%s', w, side), CASE side WHEN 'a' THEN 'left' ELSE 'right' END, '0', '{}', 'e', 1, now()
        FROM generate_series(1, ${WRITERS}) w, unnest(ARRAY['a', 'b']) side
      UNION ALL
      SELECT 'pair5/filler' || n, 'left', repeat('x', 20), '{}', 'e', 1, now() FROM generate_series(1, 3000) n`);
    let isOver = false;
    let writes = 0;
    const [{ name: database }] = (await one.sql<{ name: string }>('SELECT current_database() AS name')) as [
      { name: string },
    ];
    const server = JSON.parse(process.env['LATCHKEY_TEST_DATABASE']!) as object;
    const write = async (writer: number): Promise<void> => {
      const client = new Client({ ...server, database });
      await client.connect();
      while (!isOver) {
        await client.query(`UPDATE key_value SET value = (value::bigint + 1)::text WHERE key IN ($1, $2)`, [
          `pair${writer}/a`,
          `pair${writer}/b`,
        ]);
        writes++;
      }
      await client.end();
    };
    const writing = atOnce(WRITERS, (index) => write(index + 1));
    const seen = new Set<string>();
    const body = {
      filters: [
        { key: 'pair*', label: 'left' },
        { key: 'pair*', label: 'right' },
      ],
    };
    try {
      for (let round = 0; round < 25; round++) {
        const name = `instant${round}`;
        const wanted = writes + 2 * WRITERS;
        await waitFor(() => writes >= wanted);
        expect((await create(clientOf(round), name, body)).status).toBe(201);
        const rows = await one.sql<{ pair: string; values: string[] }>(
          `SELECT split_part(i.key, '/', 1) AS pair, array_agg(i.value) AS values
             FROM snapshot s JOIN snapshot_item i ON i.snapshot_id = s.id
            WHERE s.name = $1 AND i.key NOT LIKE '%filler%' GROUP BY 1`,
          [name],
        );
        expect(rows).toHaveLength(WRITERS);
        expect(rows.filter(({ values }) => values.length !== 2 || values[0] !== values[1])).toEqual([]);
        for (const { pair, values } of rows) seen.add(`${pair}=${values[0]}`);
      }
    } finally {
      isOver = true;
      await writing;
    }
    // The writers were truly at work between the snapshots.
    expect(seen.size).toBeGreaterThan(25);
  });
});
