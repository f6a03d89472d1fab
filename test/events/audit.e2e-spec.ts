import { type AuditEvent } from '../../src/events/audit-event';
import { AuditLog } from '../../src/events/audit-log';
import { AuditRepository } from '../../src/events/audit.repository';
import { EVENT_PAGE, REVISION_PAGE } from '../../src/events/audit.sql';
import { atOnce } from '../support/at-once';
import { type AzureAnswer } from '../support/azure-http';
import { startApp, type TestApp } from '../support/start-app';
import { waitFor } from '../support/wait-for';

const USERS = 'boss:boss password:manager,ed:ed password:editor,rea:rea password:reader';
const REQUEST_ID = '11111111-2222-4333-8444-555555555555';

let app: TestApp;
let log: AuditLog;
beforeAll(async () => {
  app = await startApp({ CMS_USERS: USERS });
  log = app.app.get(AuditLog);
});
afterAll(() => app.close());

const basic = (name: string): string => `Basic ${Buffer.from(`${name}:${name} password`).toString('base64')}`;
const read = (
  query: string,
  headers: Record<string, string> = { authorization: basic('boss') },
): Promise<AzureAnswer> => app.azure.get(`/api/v1/audit${query}`, { signed: false, apiVersion: null, headers });

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- items are looked into
type Item = any;

async function page(query: string): Promise<{ items: Item[]; next: string | null }> {
  const { status, json } = await read(query);
  expect(status).toBe(200);
  return json;
}

/** Every item from the first page to the last. */
async function readAll(query: string, between: (page: number) => Promise<unknown> = async () => null): Promise<Item[]> {
  const all: Item[] = [];
  let pages = 0;
  for (let after = ''; ;) {
    const { items, next } = await page(`?${query}${after}`);
    all.push(...items);
    if (next === null) return all;
    after = `&after=${next}`;
    await between(++pages);
  }
}

let count = 0;
const unique = (what: string): string => `${what}-${++count}`;
const event = (own: Partial<AuditEvent> = {}): AuditEvent => ({
  actor: 'boss',
  address: '192.0.2.1',
  requestId: REQUEST_ID,
  surface: 'lock',
  action: 'lock-forced',
  target: unique('target'),
  outcome: 'done',
  ...own,
});
const encoded = encodeURIComponent;

describe('what is recorded', () => {
  it('is listed with all its members', async () => {
    const { target, ...rest } = event({ reason: 'the holder hangs', details: { fence: '42' } });
    await log.record({ target, ...rest });
    const { items, next } = await page(`?target=${target}`);
    expect(items).toEqual([
      {
        id: expect.stringMatching(/^e\d+$/),
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
        actor: 'boss',
        address: '192.0.2.1',
        requestId: REQUEST_ID,
        surface: 'lock',
        action: 'lock-forced',
        target,
        outcome: 'done',
        reason: 'the holder hangs',
        before: null,
        after: null,
        details: { fence: '42' },
      },
    ]);
    expect(next).toBeNull();
    const [row] = await app.sql<{ recent: boolean }>(
      `SELECT $1::timestamptz BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp() AS recent`,
      [items[0].at],
    );
    expect(row!.recent).toBe(true);
  });

  it.each(['\u0000', '\u0001', 'a\u0000b\u00010', '😀%_\\*', `'; DROP TABLE audit_event; --`])(
    'may have any text: %j',
    async (text) => {
      const target = `${unique('any')}${text}`;
      await log.record(event({ target, actor: target, reason: text, details: { text } }));
      const [item] = (await page(`?target=${encoded(target)}&actor=${encoded(target)}`)).items;
      expect(item).toMatchObject({ target, actor: target, reason: text, details: { text } });
      expect((await page(`?target=${encoded(target.slice(0, -1))}*`)).items).toContainEqual(item);
    },
  );

  it('is cut where it is too long, and still found by the whole text', async () => {
    const start = unique('long').padEnd(1023, 'x');
    await log.record(
      event({ target: `${start}😀${'y'.repeat(4 * 1024 * 1024)}`, details: { text: 'z'.repeat(20_000) } }),
    );
    const [item] = (await page(`?target=${encoded(`${start}😀yy`)}`)).items;
    expect(item.target).toBe(`${start}…`);
    expect(item.details).toEqual({ omittedCharacters: 20_011 });
    expect((await page(`?target=${start}*`)).items).toEqual([item]);
  });

  it('may hold half a surrogate pair, which no database takes', async () => {
    const target = unique('half');
    await log.record(event({ target: `${target}\ud800` }));
    expect((await page(`?target=${target}*`)).items[0].target).toBe(`${target}\ufffd`);
  });
});

describe('changes of key-values', () => {
  it('are listed with the state before and after', async () => {
    const key = unique('kv');
    const path = `/kv/${key}?label=dev`;
    const lock = `/locks/${key}?label=dev`;
    const answers = [
      await app.azure.put(path, { value: 'a\u0000', content_type: 'c', tags: { t: null } }),
      await app.azure.send('PUT', lock),
      await app.azure.delete(lock),
      await app.azure.put(path, { value: 'b' }),
      await app.azure.delete(path),
      await app.azure.put(path, { value: 'c' }),
    ];
    const { items } = await page(`?target=${key}%0Adev`);
    const a = { value: 'a\u0000', contentType: 'c', tags: { t: null }, description: null, locked: false };
    const b = { value: 'b', contentType: null, tags: {}, description: null, locked: false };
    expect(items.map(({ action, before, after }) => ({ action, before, after })).reverse()).toEqual([
      { action: 'put', before: null, after: a },
      { action: 'lock', before: a, after: { ...a, locked: true } },
      { action: 'unlock', before: { ...a, locked: true }, after: a },
      { action: 'put', before: a, after: b },
      { action: 'delete', before: b, after: null },
      { action: 'put', before: null, after: { ...b, value: 'c' } },
    ]);
    expect(items.map(({ requestId }) => requestId).reverse()).toEqual(
      answers.map(({ headers }) => headers['x-ms-request-id']),
    );
    for (const item of items) {
      expect(item).toMatchObject({
        id: expect.stringMatching(/^r\d+$/),
        actor: 'test-rw',
        address: '127.0.0.1',
        surface: 'config',
        target: `${key}\ndev`,
        outcome: 'done',
        reason: null,
        details: null,
      });
    }
  });

  it('are found by key, by label and by the beginning of either', async () => {
    const key = unique('find');
    const targets = [key, `${key}\na`, `${key}\nab`, `${key}x`];
    for (const target of targets) {
      const [name, label = ''] = target.split('\n');
      await app.azure.put(`/kv/${name}?label=${label}`, { value: '' });
    }
    const found = async (target: string): Promise<string[]> =>
      (await page(`?target=${target}`)).items.map((item) => item.target).reverse();
    expect(await found(key)).toEqual([key]);
    expect(await found(`${key}%0Aa`)).toEqual([`${key}\na`]);
    expect(await found(`${key}*`)).toEqual(targets);
    expect(await found(`${key}%0A*`)).toEqual([`${key}\na`, `${key}\nab`]);
    expect(await found(`${key}%00`)).toEqual([]);
    expect(await found(`${key}%25*`)).toEqual([]);
  });

  it('older than the retention time are left out, for the state before them may be gone', async () => {
    const target = unique('old');
    await app.azure.put(`/kv/${target}`, { value: '1' });
    await log.record(event({ target }));
    expect((await page(`?target=${target}`)).items).toHaveLength(2);
    await app.sql(`UPDATE key_value_revision SET last_modified = last_modified - interval '31 days' WHERE key = $1`, [
      target,
    ]);
    await app.sql(`UPDATE audit_event SET at = at - interval '31 days' WHERE target = $1`, [target]);
    expect((await page(`?target=${target}`)).items).toEqual([]);
    expect((await page(`?target=${target}&since=1970-01-01`)).items).toEqual([]);
  });
});

describe('filters', () => {
  it('are exact for actor and surface, and all must hold', async () => {
    const actor = unique('actor');
    for (const surface of ['lock', 'content'])
      await log.record(event({ actor, surface, target: `${actor}-${surface}` }));
    expect((await page(`?actor=${actor}`)).items.map(({ surface }) => surface)).toEqual(['content', 'lock']);
    expect((await page(`?actor=${actor}&surface=lock`)).items).toHaveLength(1);
    expect((await page(`?actor=${actor}&surface=loc`)).items).toEqual([]);
    expect((await page(`?actor=${actor.slice(0, -1)}`)).items).toEqual([]);
    expect((await page(`?actor=${actor}&surface=lock&target=${actor}-content`)).items).toEqual([]);
    expect((await page('?surface=config&limit=1000')).items.every(({ surface }) => surface === 'config')).toBe(true);
    expect((await page('?actor=test-rw')).items.length).toBeGreaterThan(0);
  });

  it('take what happened at the instant asked for, and nothing before it', async () => {
    const target = unique('since');
    await log.record(event({ target }));
    await app.azure.put(`/kv/${target}`, { value: '1' });
    const [put, forced] = (await page(`?target=${target}`)).items;
    const since = async (at: string): Promise<Item[]> => (await page(`?target=${target}&since=${at}`)).items;
    expect(await since(put.at)).toEqual([put]);
    expect(await since(forced.at)).toEqual([put, forced]);
    expect(await since('2100-01-01')).toEqual([]);
  });

  it('that go on after what no page ended with begin at the first', async () => {
    const target = 'first-page';
    await app.azure.put(`/kv/${target}`, { value: '1' });
    const first = await page(`?target=${target}`);
    expect(first.items).toHaveLength(1);
    for (const after of ['x', '%00', 'AAAA']) expect(await page(`?target=${target}&after=${after}`)).toEqual(first);
  });

  it.each(['since=now', 'limit=0', 'limit=1001'])('that cannot be read are 400: %s', async (query) => {
    const { status, json } = await read(`?${query}`);
    const parameter = query.split('=')[0];
    expect([status, json]).toEqual([
      400,
      expect.objectContaining({ type: 'urn:latchkey:problem:invalid-argument', parameter }),
    ]);
  });
});

describe('paging', () => {
  it('shows both sources in one order, newest first, whatever the size of the pages', async () => {
    const target = unique('order');
    for (let index = 0; index < 6; index++) {
      await log.record(event({ target }));
      await app.azure.put(`/kv/${target}`, { value: String(index) });
    }
    // All at one instant: the sources and numbers alone decide.
    await app.sql(`UPDATE audit_event SET at = (SELECT min(at) FROM audit_event WHERE target = $1) WHERE target = $1`, [
      target,
    ]);
    await app.sql(
      `UPDATE key_value_revision SET last_modified = (SELECT min(at) FROM audit_event WHERE target = $1)
        WHERE key = $1 AND revision IN (SELECT revision FROM key_value_revision WHERE key = $1 ORDER BY revision LIMIT 3)`,
      [target],
    );
    const whole = (await page(`?target=${target}*&limit=1000`)).items;
    expect(whole.map(({ id }) => id[0]).join('')).toBe('rrreeeeeerrr');
    expect(whole.map(({ at }) => at)).toEqual(
      whole
        .map(({ at }) => at)
        .toSorted()
        .reverse(),
    );
    for (const limit of [1, 2, 5, 11, 12]) {
      expect(await readAll(`target=${target}*&limit=${limit}`)).toEqual(whole);
    }
    expect((await readAll('limit=7')).map(({ id }) => id)).toEqual((await readAll('limit=1000')).map(({ id }) => id));
  });

  it('neither loses nor repeats what was there at the first page, while others write', async () => {
    const target = unique('busy');
    const write = (index: number): Promise<unknown> =>
      index % 2 === 0
        ? log.record(event({ target }))
        : app.azure.put(`/kv/${target}`, { value: `${index} ${Math.random()}` });
    await atOnce(30, write);
    const before = await readAll(`target=${target}*&limit=1000`);
    expect(before).toHaveLength(30);
    let isWriting = true;
    const writer = (async () => {
      for (let index = 0; isWriting; index++) await write(index);
    })();
    const seen = await readAll(`target=${target}*&limit=3`, () => write(1));
    isWriting = false;
    await writer;
    const ids = seen.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining(before.map(({ id }) => id)));
  });

  it('finds what is rare among much, page by page', async () => {
    await app.sql(`
      INSERT INTO audit_event (at, actor, address, surface, action, target, outcome)
      SELECT clock_timestamp() - n * interval '1 second', CASE WHEN n % 12000 = 0 THEN 'rare' ELSE 'common' END, '', 'lock', 'x', '', 'done'
        FROM generate_series(1, 25000) n`);
    const first = await page('?actor=rare');
    expect(first.items.length).toBeLessThan(2);
    expect(first.next).not.toBeNull();
    expect(await readAll('actor=rare')).toHaveLength(2);
    await app.sql(`DELETE FROM audit_event WHERE actor IN ('rare', 'common')`);
  });

  it('walks an index in each source, from the position on', async () => {
    const planOf = async (text: string, values: string): Promise<string> => {
      await app.sql(
        'SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan',
      );
      await app.sql(`PREPARE checked AS ${text}`);
      const rows = await app.sql<{ 'QUERY PLAN': string }>(`EXPLAIN EXECUTE checked (${values})`);
      await app.sql('DEALLOCATE checked');
      return rows.map((row) => row['QUERY PLAN']).join('\n');
    };
    const range = `'infinity', 9223372036854775807, '-infinity', 30, 100, 100, NULL`;
    const events = await planOf(EVENT_PAGE.any.text, `${range}, NULL`);
    expect(events).toContain('Index Scan Backward using audit_event_time');
    const revisions = await planOf(REVISION_PAGE.any.text, range);
    expect(revisions).toMatch(/Index (Only )?Scan Backward using key_value_revision_time/);
    expect(await planOf(REVISION_PAGE.exact.text, `${range}, 'key', 'label'`)).toContain(
      'Index Scan using key_value_revision_history on key_value_revision r',
    );
    for (const plan of [events, revisions]) expect(plan).not.toMatch(/Seq Scan|Index Cond: .*IS NOT NULL/);
  });
});

describe('refusals', () => {
  beforeEach(() => log.flush());

  it('of a read-only key that writes are recorded, soon and by themselves', async () => {
    const target = `/kv/${unique('refused')}`;
    const answer = await app.azureReader.put(`${target}?label=x`, { value: '1' });
    expect(answer.status).toBe(403);
    await waitFor(async () => (await page(`?target=${encoded(`PUT ${target}`)}`)).items.length > 0);
    const { items } = await page(`?target=${encoded(`PUT ${target}`)}`);
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({
      actor: 'test-ro',
      address: '127.0.0.1',
      requestId: answer.headers['x-ms-request-id'],
      surface: 'config',
      action: 'refused',
      outcome: 'refused',
    });
  });

  it('of somebody who may not read this log are recorded in it', async () => {
    const answer = await read('', { authorization: basic('rea') });
    expect(answer.status).toBe(403);
    await log.flush();
    expect((await page('?actor=rea')).items).toEqual([
      expect.objectContaining({
        surface: 'native',
        action: 'refused',
        target: 'GET /api/v1/audit',
        requestId: answer.headers['x-request-id'],
      }),
    ]);
  });

  it('without end from one caller leave a few rows, and the number of the others', async () => {
    const path = `/kv/${unique('flood')}`;
    for (let round = 0; round < 10; round++) {
      const answers = await atOnce(100, () => app.azureReader.delete(path));
      expect(answers.every(({ status }) => status === 403)).toBe(true);
    }
    await log.flush();
    expect((await page(`?target=${encoded(`DELETE ${path}`)}`)).items).toHaveLength(10);
    const [summary] = (await page('?surface=audit')).items;
    expect(summary).toMatchObject({
      action: 'refusals-dropped',
      requestId: null,
      details: { dropped: 990, callers: [{ address: '127.0.0.1', actor: 'test-ro', dropped: 990 }] },
    });
  });

  it('tell when they happened, not when they were written', async () => {
    const target = unique('late');
    await app.app.get(AuditRepository).add([event({ target }), event({ target })], [5000, 0]);
    const [second, first] = (await page(`?target=${target}`)).items;
    expect(Date.parse(second.at) - Date.parse(first.at)).toBeGreaterThanOrEqual(4999);
  });

  it('are answered, and kept for later, while the table cannot be written', async () => {
    const path = `/kv/${unique('kept')}`;
    await app.sql('ALTER TABLE audit_event RENAME TO hidden');
    try {
      expect((await app.azureReader.delete(path)).status).toBe(403);
      await log.flush();
    } finally {
      await app.sql('ALTER TABLE hidden RENAME TO audit_event');
    }
    await log.flush();
    // What the database refused is never listed as if it were known, but it is counted.
    const [summary] = (await page('?surface=audit')).items;
    expect(summary.details).toMatchObject({ dropped: 1 });
  });

  it('are written when the service stops', async () => {
    const other = await startApp({ CMS_USERS: USERS }, app);
    const path = `/kv/${unique('stopping')}`;
    expect((await other.azureReader.delete(path)).status).toBe(403);
    await other.close();
    expect((await page(`?target=${encoded(`DELETE ${path}`)}`)).items).toHaveLength(1);
  });

  describe('failed logins', () => {
    let strict: TestApp;
    beforeAll(async () => {
      strict = await startApp(
        { CMS_USERS: USERS, DAPR_API_TOKEN: 'token-of-locks', FAILED_LOGINS_PER_MINUTE: '5' },
        app,
      );
    });
    afterAll(() => strict.close());

    const tried = (target: string, headers: Record<string, string>, method = 'GET'): Promise<AzureAnswer> =>
      strict.azure.send(method, target, { signed: false, apiVersion: null, headers });
    const wrong = (name: string): { authorization: string } => ({
      authorization: `Basic ${Buffer.from(`${name}:wrong-secret`).toString('base64')}`,
    });

    it('are listed with the user they were about, never with what was typed, and the first that is one too many', async () => {
      const answers = [];
      for (const [path, credentials] of [
        ['/api/v1/audit', wrong('boss')],
        ['/api/v1/audit', wrong('typed-into-the-wrong-field')],
        ['/', { authorization: 'Bearer typed-token' }],
        ['/v1.0/metadata', { 'dapr-api-token': 'typed-token' }],
        ['/api/v1/lock-stores', { 'dapr-api-token': 'typed-token' }],
        ['/', wrong('ed')],
        ['/', wrong('ed')],
      ] as const) {
        answers.push(await tried(path, credentials));
        // Rows are written beside the requests, each by itself; their order is that of the writing.
        await strict.app.get(AuditLog).flush();
      }
      expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 429, 429]);
      const { items } = await page('?actor=anonymous');
      const shown = items.map(({ surface, action, target, outcome, details }) =>
        [surface, action, target, outcome, details.credentials].join(' '),
      );
      expect(shown.reverse()).toEqual([
        'native login-failed boss refused password',
        'native login-failed  refused password',
        'content login-failed  refused bearer-token',
        'lock login-failed  refused dapr-api-token',
        'native login-failed  refused dapr-api-token',
        'content logins-limited ed refused password',
      ]);
      expect(items[0]).toMatchObject({ address: '127.0.0.1', requestId: answers[5]!.headers['x-request-id'] });
      expect(JSON.stringify(items)).not.toMatch(/typed|wrong-secret/);
    });

    it('without end leave a few rows, and leave room for other refusals', async () => {
      const target = unique('many');
      for (let index = 0; index < 500; index++) {
        const request = { id: REQUEST_ID, remoteAddress: `198.51.100.${index % 100}` };
        log.loginFailed(request, { surface: 'content', credentials: 'password', user: target }, 'login-failed');
      }
      const path = `/kv/${unique('beside')}`;
      expect((await app.azureReader.delete(path)).status).toBe(403);
      await log.flush();
      expect((await page(`?target=${target}&limit=1000`)).items).toHaveLength(100);
      expect((await page(`?target=${encoded(`DELETE ${path}`)}`)).items).toHaveLength(1);
      const [summary] = (await page('?surface=audit')).items;
      expect(summary).toMatchObject({ action: 'logins-dropped', details: { dropped: 400 } });
    });
  });
});

describe('who may read the log', () => {
  it.each([
    ['nobody', {}, 401],
    ['a wrong password', { authorization: `Basic ${Buffer.from('boss:wrong').toString('base64')}` }, 401],
    ['a reader', { authorization: basic('rea') }, 403],
    ['an editor', { authorization: basic('ed') }, 403],
    ['a manager', { authorization: basic('boss') }, 200],
  ])('%s', async (_who, headers, status) => {
    const answer = await read('', headers);
    expect(answer.status).toBe(status);
    expect(answer.headers['cache-control']).toBe(status === 200 ? 'no-store' : undefined);
  });

  it('not an access key', async () => {
    expect((await app.azure.get('/api/v1/audit', { apiVersion: null })).status).toBe(401);
  });
});

describe('purge', () => {
  it('removes what is older than the days given, in batches, the oldest first', async () => {
    const repository = app.app.get(AuditRepository);
    await repository.purge(30, 100);
    const target = unique('purge');
    for (const days of [1, 2, 3, 4]) {
      await repository.add([event({ target, reason: String(days) })], [days * 86_400_000 + 1000]);
    }
    const left = async (): Promise<string[]> =>
      (await app.sql<{ reason: string }>('SELECT reason FROM audit_event WHERE target = $1 ORDER BY at', [target])).map(
        ({ reason }) => reason,
      );
    expect(await repository.purge(2, 1)).toBe(1);
    expect(await left()).toEqual(['3', '2', '1']);
    expect(await repository.purge(2, 100)).toBe(2);
    expect(await repository.purge(2, 100)).toBe(0);
    expect(await left()).toEqual(['1']);
  });
});
