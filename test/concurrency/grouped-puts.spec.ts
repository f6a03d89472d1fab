import { randomBytes, randomUUID } from 'node:crypto';
import { Database } from '../../src/database/database';
import { type ChangeResult, KeyValueRepository } from '../../src/key-value/key-value.repository';
import { PUT_MANY } from '../../src/key-value/key-value.sql';
import { Metrics } from '../../src/metrics/metrics';
import { type Condition, NO_CONDITION } from '../../src/precondition/condition';
import { atOnce } from '../support/at-once';
import { expectRising, historyOf } from '../support/history';
import { SideTransaction } from '../support/side-transaction';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

let app: TestApp;
let repository: KeyValueRepository;
let database: Database;
beforeAll(async () => {
  app = await startApp();
  repository = app.app.get(KeyValueRepository);
  database = app.app.get(Database);
});
afterAll(() => app.close());
afterEach(() => jest.restoreAllMocks());

interface Put {
  readonly key: string;
  readonly value: string | null;
  readonly tags?: string;
  readonly description?: string;
  readonly condition?: Condition;
  readonly requestId?: string;
}

/** Puts that are started in one turn of the event loop share a statement; requests over HTTP come as they come. */
function put({
  key,
  value,
  tags = '{}',
  description,
  condition = NO_CONDITION,
  requestId,
}: Put): Promise<ChangeResult> {
  return repository.put(
    key,
    'label',
    { value, contentType: null, tags, description: description ?? null, hasDescription: description !== undefined },
    condition,
    { actor: `actor of ${key}`, address: '127.0.0.1', requestId: requestId ?? randomUUID() },
  );
}

const namesOf = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}/${index}`);

/** How many puts each shared statement had, as long as the test runs. */
function watchStatements(): number[] {
  const sizes: number[] = [];
  const original = database.queryTogether.bind(database);
  jest.spyOn(database, 'queryTogether').mockImplementation((statement, values, requests) => {
    sizes.push(requests);
    return original(statement, values, requests);
  });
  return sizes;
}

const waiting = (): Promise<unknown[]> =>
  app.sql(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`);

const CREATE = `INSERT INTO key_value (key, label, value, tags, etag, revision, last_modified)
  VALUES ($1, 'label', 'theirs', '{}', 'theirs', nextval('key_value_revision_seq'), clock_timestamp())`;

describe('puts that arrive together', () => {
  const STATES = ['none', 'live', 'locked', 'deleted'];
  const CONDITIONS = [
    'none',
    'match own',
    'match other',
    'match-any',
    'none-match own',
    'none-match other',
    'none-match-any',
  ];
  const INPUTS: Omit<Put, 'key'>[] = [
    { value: 'old', tags: '{"b":null,"a":"1"}' },
    { value: 'new' },
    { value: null, tags: '{"a":"2","b":null}' },
    { value: 'old', tags: '{"a":"1","b":null}', description: 'described' },
  ];

  const prepare = async (key: string, state: string): Promise<string | null> => {
    if (state === 'none') return null;
    const { row } = await put({ key, value: 'old', tags: '{"a":"1","b":null}' });
    if (state === 'deleted') await app.azure.delete(`/kv/${key}?label=label`);
    if (state === 'locked') await app.azure.send('PUT', `/locks/${key}?label=label`);
    const stored = await app.sql<{ etag: string }>(`SELECT etag FROM key_value WHERE key = $1`, [key]);
    return stored[0]?.etag ?? row!.etag;
  };
  const conditionOf = (text: string, etag: string | null): Condition => {
    const [kind, whose] = text.split(' ');
    return { kind, ...(whose ? { tag: whose === 'own' ? (etag ?? 'no tag') : 'another' } : {}) } as Condition;
  };
  /** All that can be told of what a put did, but for what is new each time. */
  const told = async (
    key: string,
    before: string | null,
    requestId: string,
    result: ChangeResult,
  ): Promise<unknown> => {
    const { revision, row } = result;
    const history = await app.sql<Record<string, unknown>>(
      `SELECT value, tags, description, locked, deleted, etag = $2 AS is_answered, actor LIKE 'actor of %' AS is_actor,
              request_id = $3 AS is_ours, revision::text = $4 AS is_revision
         FROM key_value_revision WHERE key = $1 ORDER BY revision`,
      [key, row?.etag ?? null, requestId, revision],
    );
    const stored = await app.sql(
      `SELECT value, tags, description, locked, deleted, etag = $2 AS is_answered, revision::text = $3 AS is_revision
         FROM key_value WHERE key = $1`,
      [key, row?.etag ?? null, revision],
    );
    const answered = row && { ...row, key: '', etag: row.etag === before, revision: revision === null, modifiedAt: 0 };
    return { answered, history, stored };
  };

  it('are each decided as a put alone is, in every state, under every condition, with every input', async () => {
    const cases = STATES.flatMap((state) =>
      CONDITIONS.flatMap((condition) => INPUTS.map((input) => ({ state, condition, input }))),
    ).map((one, index) => ({ ...one, index, requestId: randomUUID() }));
    const tagsOf = async (prefix: string): Promise<(string | null)[]> => {
      const tags: (string | null)[] = [];
      for (const { state, index } of cases) tags.push(await prepare(`${prefix}-${index}`, state));
      return tags;
    };
    const start = (prefix: string, tags: (string | null)[], index: number): Promise<ChangeResult> => {
      const { condition, input, requestId } = cases[index]!;
      return put({ ...input, key: `${prefix}-${index}`, condition: conditionOf(condition, tags[index]!), requestId });
    };

    const aloneTags = await tagsOf('alone');
    const alone: ChangeResult[] = [];
    for (const { index } of cases) alone.push(await start('alone', aloneTags, index));
    const togetherTags = await tagsOf('together');
    const statements = watchStatements();
    const together = await atOnce(cases.length, (index) => start('together', togetherTags, index));
    expect(statements).toEqual([64, 48]);

    for (const { index, state, condition, requestId } of cases) {
      const expected = await told(`alone-${index}`, aloneTags[index]!, requestId, alone[index]!);
      const found = await told(`together-${index}`, togetherTags[index]!, requestId, together[index]!);
      expect({ state, condition, ...(found as object) }).toEqual({ state, condition, ...(expected as object) });
    }
  });

  it('share one commit', async () => {
    await atOnce(20, (index) => put({ key: `commit/${index}`, value: 'v' }));
    await atOnce(20, (index) => put({ key: `commit/${index}`, value: index % 4 === 0 ? 'v' : 'w' }));
    const commits = await app.sql<{ count: string }>(
      `SELECT count(*) FROM key_value_revision WHERE key LIKE 'commit/%' GROUP BY xid ORDER BY min(revision)`,
    );
    expect(commits.map(({ count }) => Number(count))).toEqual([20, 15]);
  });

  it('are decided in their order where they are of one key-value, each upon the one before', async () => {
    await put({ key: 'ordered', value: 'old' });
    const values = ['a', 'b', 'b', 'old', 'c', 'old'];
    const results = await Promise.all([
      ...values.map((value) => put({ key: 'ordered', value })),
      ...namesOf(5, 'beside').map((key) => put({ key, value: 'v' })),
    ]);
    const history = await app.sql<{ value: string; etag: string }>(
      `SELECT value, etag FROM key_value_revision WHERE key = 'ordered' ORDER BY revision`,
    );
    expect(history.map(({ value }) => value)).toEqual(['old', 'a', 'b', 'old', 'c', 'old']);
    expect(results[2]).toEqual({ revision: null, row: results[1]!.row });
    expectRising(await historyOf(app, 'ordered'));
  });

  it('that create one key-value under If-None-Match: * have one winner, the first', async () => {
    const condition: Condition = { kind: 'none-match-any' };
    const results = await atOnce(12, (index) => put({ key: 'created', value: `${index}`, condition }));
    expect(results.map(({ revision }) => revision !== null)).toEqual(Array.from({ length: 12 }, (_, i) => i === 0));
    expect(new Set(results.map(({ row }) => row!.etag)).size).toBe(1);
  });

  it('go out in statements of a bounded size', async () => {
    const statements = watchStatements();
    await atOnce(6, (index) => put({ key: `large/${index}`, value: 'v'.repeat(100 * 1024) }));
    await atOnce(150, (index) => put({ key: `many/${index}`, value: 'v' }));
    expect(statements).toEqual([2, 2, 2, 64, 64, 22]);
  });
});

describe('a put that cannot be decided at once', () => {
  it.each([
    [
      'its row is locked',
      (key: string) => SideTransaction.begin(app, `SELECT FROM key_value WHERE key = $1 FOR UPDATE`, [key]),
      'v',
    ],
    [
      'its row is being changed',
      (key: string) => SideTransaction.begin(app, `UPDATE key_value SET etag = 'theirs' WHERE key = $1`, [key]),
      'v',
    ],
    ['it is being created', (key: string) => SideTransaction.begin(app, CREATE, [`${key}-new`]), null],
  ])('keeps none of those that came with it waiting: %s', async (_, start, before) => {
    const names = namesOf(12, `held-${before}-${randomUUID()}`);
    await Promise.all(names.map((key) => put({ key, value: 'v' })));
    const holder = await start(names[7]!);
    const key = before === null ? `${names[7]}-new` : names[7]!;
    const all = names.map((name, index) => put({ key: index === 7 ? key : name, value: 'w' }));
    const others = all.filter((_, index) => index !== 7);
    expect((await Promise.all(others)).filter(({ revision }) => revision === null)).toEqual([]);
    // A second of its name waits too, and again nobody with it.
    all.push(put({ key, value: 'x' }));
    expect((await put({ key: names[0]!, value: 'x' })).revision).not.toBeNull();
    await waitFor(async () => (await waiting()).length === 2);
    await holder.end('COMMIT');
    expect((await Promise.all(all)).filter(({ revision }) => revision === null)).toEqual([]);
  });

  it('is the only one that is not decided together with the others', async () => {
    const names = namesOf(12, 'skipped');
    await Promise.all(names.map((key) => put({ key, value: 'v' })));
    const holder = await SideTransaction.begin(app, `SELECT FROM key_value WHERE key = $1 FOR UPDATE`, [names[7]]);
    const alone = jest.spyOn(database, 'query');
    const all = names.map((key) => put({ key, value: 'w' }));
    await Promise.all(all.filter((_, index) => index !== 7));
    // Others than puts are sent by the service itself at any time.
    expect(alone.mock.calls.filter(([{ name }]) => name.startsWith('key_value_put'))).toHaveLength(1);
    await holder.end('COMMIT');
    expect((await all[7]!).revision).not.toBeNull();
  });

  it('is judged by what the one it waited for has left', async () => {
    const names = namesOf(4, 'upon');
    const [{ row }] = (await Promise.all(names.map((key) => put({ key, value: 'v' })))) as [ChangeResult];
    const holder = await SideTransaction.begin(app, `UPDATE key_value SET etag = 'theirs' WHERE key = $1`, [names[0]]);
    const all = [
      put({ key: names[0]!, value: 'lost', condition: { kind: 'match', tag: row!.etag } }),
      ...names.slice(1).map((key) => put({ key, value: 'w' })),
    ];
    await Promise.all(all.slice(1));
    await waitFor(async () => (await waiting()).length === 1);
    await holder.end('COMMIT');
    expect(await all[0]).toMatchObject({ revision: null, row: { etag: 'theirs' } });
  });
});

it('creations are made in the order of the index, so that none can wait for another in a circle', async () => {
  const names = ['circle/c', 'circle/\u{10000}', 'circle/\uffff', 'circle/a', 'circle/b'];
  const values: Record<number, unknown[]> = {
    0: names,
    1: names.map(() => ''),
    2: names.map(() => randomBytes(32).toString('base64url')),
    5: names.map(() => randomUUID()),
    6: names.map(() => 'none'),
    10: names.map(() => '{}'),
    12: names.map(() => false),
  };
  const blank = names.map(() => null);
  const author = names.map(() => '');
  const parameters = Array.from(
    { length: 13 },
    (_, index) => values[index] ?? (index === 3 || index === 4 ? author : blank),
  );
  // In the order of their bytes, each is waited for before any of those behind it is made.
  for (const [first, ...behind] of [
    ['circle/a', 'circle/b', 'circle/c', 'circle/\uffff', 'circle/\u{10000}'],
    ['circle/\uffff', 'circle/\u{10000}'],
  ]) {
    const creation = `INSERT INTO key_value (key, label, tags, etag, revision, last_modified) VALUES ($1, '', '{}', '', 0, now())`;
    const holder = await SideTransaction.begin(app, creation, [first]);
    // It must still be waiting when it is looked at.
    const text = PUT_MANY.text.replace(`'lock_timeout', '100'`, `'lock_timeout', '20s'`);
    expect(text).not.toBe(PUT_MANY.text);
    const batch = await SideTransaction.begin(app, 'SELECT');
    const under = batch.query(text, parameters);
    await waitFor(async () => (await waiting()).length === 1);
    await holder.query(`SET LOCAL lock_timeout = '500ms'`);
    for (const name of behind) await holder.query(creation, [name]);
    await holder.end('ROLLBACK');
    expect((await under).rowCount).toBe(names.length);
    await batch.end('ROLLBACK');
  }
});

describe('a statement for several puts', () => {
  const names = namesOf(10, 'failing');
  const outcomes = (all: Promise<ChangeResult>[]): Promise<string[]> =>
    Promise.all(
      all.map((one) =>
        one.then(
          ({ revision }) => (revision === null ? 'nothing' : 'written'),
          (error: { kind?: string; code?: string }) => error.kind ?? error.code ?? 'error',
        ),
      ),
    );

  it.each([
    ['a value that the database takes for none', { requestId: 'no uuid' }, '22P02'],
    ['a name that no index holds', { key: randomBytes(4000).toString('base64') }, 'invalid-argument'],
  ])('that is refused for one of them fails that one only: %s', async (_, wrong, error) => {
    const all = names.map((key, index) => put({ key, value: error, ...(index === 4 ? wrong : {}) }));
    expect(await outcomes(all)).toEqual(names.map((_, index) => (index === 4 ? error : 'written')));
  });

  it('whose connection breaks has an unknown outcome for each of them, and is not repeated', async () => {
    await Promise.all(names.map((key) => put({ key, value: 'before' })));
    const counter = app.app.get(Metrics).outcomeUnknown;
    const countOf = async (): Promise<number> => (await counter.get()).values[0]!.value;
    const before = await countOf();
    const holder = await SideTransaction.begin(app, 'LOCK TABLE key_value_revision');
    const all = outcomes(names.map((key) => put({ key, value: 'lost' })));
    // Soon: it waits no longer than two seconds.
    await waitFor(
      async () =>
        (
          await app.sql(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock'`,
          )
        ).length === 1,
    );
    expect(await all).toEqual(names.map(() => 'outcome-unknown'));
    expect((await countOf()) - before).toBe(names.length);
    await holder.end('COMMIT');
    expect(await app.sql(`SELECT key FROM key_value WHERE value = 'lost'`)).toEqual([]);
  });

  it('that hangs does not keep later ones from being sent', async () => {
    // Held on their way: one that waited in the database would give up by itself after two seconds.
    const original = database.queryTogether.bind(database);
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    const sent = jest.spyOn(database, 'queryTogether').mockImplementation(async (...call) => {
      await released;
      return original(...call);
    });
    const all: Promise<ChangeResult>[] = [];
    for (let statement = 0; statement < 4; statement++) {
      all.push(...namesOf(3, `hung-${statement}`).map((key) => put({ key, value: 'v' })));
      // Two may be under way at once; the others go when those have had their time.
      await waitFor(() => sent.mock.calls.length === statement + 1);
    }
    release();
    expect(await outcomes(all)).toEqual(all.map(() => 'written'));
  });
});
